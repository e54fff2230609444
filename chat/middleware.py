"""Django's middleware, run in the event loop, and one shape for all errors under /api/.

Only a session that has to be saved goes to a database thread. See chat.django_internals for the reason.
"""

import functools

from asgiref.sync import sync_to_async
from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware, get_user
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import JsonResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.decorators import async_only_middleware
from django.utils.translation import gettext_lazy as _

from .django_internals import InLoopMixin, cached_user
from .errors import Refused, error_prefixes, to_json_at

# The browser offers nothing of these to the page, nor to what it frames.
PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "autoplay",
        "bluetooth",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "hid",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)
DEFAULT_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": PERMISSIONS_POLICY,
}


class Security(InLoopMixin, SecurityMiddleware):
    """Django's middleware, and the headers that a view has not set itself.

    All that Django serves is personal, so no cache keeps it unless its view says so. Static files are served elsewhere.
    """

    def process_response(self, request, response):
        for name, value in DEFAULT_HEADERS.items():
            response.headers.setdefault(name, value)
        return super().process_response(request, response)


class ContentPolicy(InLoopMixin, CSPMiddleware):
    pass


class Session(InLoopMixin, SessionMiddleware):
    async def __acall__(self, request):
        self.process_request(request)
        response = await self.get_response(request)
        if request.session.modified:
            return await sync_to_async(self.process_response)(request, response)
        return self.process_response(request, response)


class Locale(InLoopMixin, LocaleMiddleware):
    pass


class Common(InLoopMixin, CommonMiddleware):
    pass


class Csrf(InLoopMixin, CsrfViewMiddleware):
    async def process_view(self, request, view, args, kwargs):  # type: ignore[override]  # Django awaits it
        return super().process_view(request, view, args, kwargs)


class Authentication(InLoopMixin, AuthenticationMiddleware):
    def process_request(self, request):
        super().process_request(request)
        request.auser = functools.partial(_load_user, request)


async def _load_user(request):
    """Loads session and user in one visit to the database thread, where Django makes two."""
    return cached_user(request) or await sync_to_async(get_user)(request)


class Messages(InLoopMixin, MessageMiddleware):
    pass


class NoFrames(InLoopMixin, XFrameOptionsMiddleware):
    pass


ERRORS = {  # status -> (code, message)
    404: ("not_found", _("Not found.")),
    405: ("method_not_allowed", _("This method is not allowed.")),
    500: ("server_error", _("Something went wrong on our side.")),
}
OTHER_ERROR = ("refused", _("The server rejected this request."))


@async_only_middleware
def json_errors(get_response):
    """Replaces Django's HTML error pages under /api/ and the paths of ERROR_FORMATS with the JSON of our errors."""

    async def middleware(request):
        response = await get_response(request)
        is_json = response.get("Content-Type") == "application/json"
        if response.status_code < 400 or is_json or not request.path.startswith(tuple(error_prefixes())):
            return response
        code, message = ERRORS.get(response.status_code, OTHER_ERROR)
        refused = Refused(message, code, response.status_code)
        error = JsonResponse(to_json_at(request.path, refused), status=response.status_code)
        if "Allow" in response:
            error["Allow"] = response["Allow"]
        return error

    return middleware
