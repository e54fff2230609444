"""What templates know of a user's preferences."""

from django.conf import settings


def preferences(request):
    """`theme`, `languages` to choose from, and all `preferences` but the instructions, where the middleware read them.

    The instructions may be long and private; the settings dialog loads them when it opens.
    """
    row = getattr(request, "preferences", None)
    if row is None:
        return {}
    values = row.values()
    del values["instructions"]
    return {"theme": row.theme, "languages": settings.LANGUAGES, "preferences": values}
