from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils.translation import gettext
from ninja.utils import check_csrf

from .. import api_keys
from ..errors import Refused
from ..page_user import is_for_another
from .bodies import read_large_body

FORMS = {"multipart/form-data", "application/x-www-form-urlencoded"}


class ApiKey:
    """Authenticates by `Authorization: Bearer`. No other site can send that header for a user, so no CSRF token is
    needed. Reading needs the scope `read`, everything else `write`.
    """

    is_async = True
    openapi_security_schema = {"type": "http", "scheme": "bearer"}

    async def __call__(self, request):
        grant = await api_keys.grant_of_request(request)
        if grant is None:
            return None
        grant.require("read" if request.method in api_keys.READ_METHODS else "write")
        request.grant = grant
        if request.content_type in FORMS:
            await _parse_form(request)
        else:
            await read_large_body(request, grant.user)
        return grant.user


class SessionCookie:
    """Authenticates by the session cookie; methods that change something need the CSRF token, too.

    A page names the user that it was made for in the header `X-User`, or as `?user=` where it cannot set headers.
    """

    is_async = True
    openapi_security_schema = {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}

    async def __call__(self, request):
        user = await request.auser()
        if not user.is_authenticated:
            return None
        if is_for_another(user, request.headers.get("X-User") or request.GET.get("user")):
            raise Refused(
                gettext("This browser is now logged in as another user. Nothing was changed."), "another_user", 409
            )
        if request.content_type in FORMS:
            await _parse_form(request)  # the CSRF check would parse it in the event loop
        if check_csrf(request):
            raise Refused(
                gettext(
                    "The CSRF token is missing or incorrect. "
                    "Send the value of the csrftoken cookie in the X-CSRFToken header."
                ),
                "csrf",
                403,
            )
        if request.content_type not in FORMS:
            await read_large_body(request, user)
        return user


async def _parse_form(request):
    await sync_to_async(lambda: request.POST)()
