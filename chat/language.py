"""The language of a connection that no middleware sees."""

from django.http import HttpRequest, parse_cookie
from django.utils import translation


def activate_from_scope(scope) -> None:
    """Activates the language that the headers of this ASGI scope ask for."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    request = HttpRequest()
    request.COOKIES = parse_cookie(headers.get(b"cookie", ""))
    request.META["HTTP_ACCEPT_LANGUAGE"] = headers.get(b"accept-language", "")
    translation.activate(translation.get_language_from_request(request))
