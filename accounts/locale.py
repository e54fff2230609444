"""The language that a user prefers, applied to a request and carried to the browser.

Preferences are read when somebody logs in or opens the page. In between, Django's language cookie holds the choice, so
that no other request queries for it.
"""

from django.conf import settings
from django.utils import translation


def apply_preference(request, language):
    """Switches this request and the browser's next ones to this language; "" leaves it to the browser."""
    name = settings.LANGUAGE_COOKIE_NAME
    if request.COOKIES.get(name, "") == language:
        return
    request.COOKIES = {key: value for key, value in request.COOKIES.items() if key != name}
    if language:
        request.COOKIES[name] = language
    request.language_for_cookie = language
    translation.activate(translation.get_language_from_request(request))
    request.LANGUAGE_CODE = translation.get_language()


def set_cookie(request, response):
    """Sets or deletes the language cookie if `apply_preference` changed the language during this request."""
    language = getattr(request, "language_for_cookie", None)
    if language:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        )
    elif language == "":
        response.delete_cookie(settings.LANGUAGE_COOKIE_NAME, samesite=settings.LANGUAGE_COOKIE_SAMESITE)


def apply_at_login(sender, request, user, **kwargs):
    """Receives Django's `user_logged_in`. Sync, as every login of Django is."""
    if request is not None:
        preferences = getattr(user, "preferences", None)
        apply_preference(request, preferences.language if preferences else "")
