"""Django's middleware without its hops between threads, and one shape for all errors under /api/.

Django runs each hook of its own middleware in a thread when it serves ASGI: sixteen hops for a request, more than the
rest of a short one costs. These hooks compute for microseconds and touch no database (Django would refuse that in the
event loop), so they run where the request is. Only a session that has to be saved goes to the database's thread.
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
from django.utils.translation import gettext_lazy as _

from . import language


class InLoop:
    async def __acall__(self, request):
        response = self.process_request(request) if hasattr(self, "process_request") else None
        response = response or await self.get_response(request)
        return self.process_response(request, response) if hasattr(self, "process_response") else response


class Security(InLoop, SecurityMiddleware):
    pass


class ContentPolicy(InLoop, CSPMiddleware):
    pass


class Session(SessionMiddleware):
    async def __acall__(self, request):
        self.process_request(request)
        response = await self.get_response(request)
        if request.session.modified:
            return await sync_to_async(self.process_response)(request, response)
        return self.process_response(request, response)


class Locale(InLoop, LocaleMiddleware):
    def process_response(self, request, response):
        language.remember(request, response)
        return super().process_response(request, response)


class Common(InLoop, CommonMiddleware):
    pass


class Csrf(InLoop, CsrfViewMiddleware):
    async def process_view(self, request, view, args, kwargs):
        return super().process_view(request, view, args, kwargs)


class Authentication(InLoop, AuthenticationMiddleware):
    def process_request(self, request):
        super().process_request(request)
        request.auser = functools.partial(_person, request)


async def _person(request):
    """Session and person with one hop to the database's thread; Django takes one for each."""
    return getattr(request, "_cached_user", None) or await sync_to_async(get_user)(request)


class Messages(InLoop, MessageMiddleware):
    pass


class NoFrames(InLoop, XFrameOptionsMiddleware):
    pass


SENTENCES = {
    404: ("not_found", _("There is no such thing here, or it is not yours.")),
    405: ("method_not_allowed", _("This method does nothing here.")),
    500: ("server_error", _("Something went wrong on our side.")),
}


def json_errors(get_response):
    async def middleware(request):
        response = await get_response(request)
        status = response.status_code
        if status < 400 or not request.path.startswith("/api/") or response.get("Content-Type") == "application/json":
            return response
        code, message = SENTENCES.get(status, ("refused", _("The server refused this request.")))
        answer = JsonResponse({"error": {"code": code, "message": message}}, status=status)
        if "Allow" in response:
            answer["Allow"] = response["Allow"]
        return answer

    return middleware


json_errors.async_capable, json_errors.sync_capable = True, False
