"""In which language a person is spoken to: the one that their preferences name, else what their browser asks for.

Preferences are asked for when somebody logs in or opens the page; between that, Django's language cookie tells it, so
that no other request looks into the database for it.
"""

from types import SimpleNamespace

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.http import parse_cookie
from django.utils import translation

from .models import Preferences

NAME = settings.LANGUAGE_COOKIE_NAME


def choose(request, language):
    """Speak it from here on, in this request and the browser's next ones; the empty string: whatever it asks for."""
    if request.COOKIES.get(NAME, "") == language:
        return
    request.COOKIES = {name: value for name, value in request.COOKIES.items() if name != NAME}
    if language:
        request.COOKIES[NAME] = language
    request.chosen_language = language
    translation.activate(translation.get_language_from_request(request))
    request.LANGUAGE_CODE = translation.get_language()


async def follow(request, person):
    """Choose what this person prefers; gives all their preferences."""
    likes = await Preferences.objects.filter(person_id=person.pk).afirst() or Preferences()
    choose(request, likes.language)
    return likes


def remember(request, response):
    """Keep in the browser what was chosen during this request, if it was."""
    language = getattr(request, "chosen_language", None)
    if language:
        response.set_cookie(
            NAME,
            language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        )
    elif language == "":
        response.delete_cookie(NAME, samesite=settings.LANGUAGE_COOKIE_SAMESITE)


def listen(scope):
    """Speak what the headers of this ASGI scope ask for, where no middleware does it."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    asked = SimpleNamespace(
        COOKIES=parse_cookie(headers.get(b"cookie", "")),
        META={"HTTP_ACCEPT_LANGUAGE": headers.get(b"accept-language", "")},
    )
    translation.activate(translation.get_language_from_request(asked))


def _logged_in(sender, request, user, **kwargs):
    if request is not None:
        choose(request, getattr(getattr(user, "preferences", None), "language", ""))


def watch_logins():
    user_logged_in.connect(_logged_in, dispatch_uid="chat.language")
