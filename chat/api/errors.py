"""Every error response is `{"error": {"code", "message"}}` with a matching HTTP status."""

import logging

from django.http import JsonResponse, RawPostDataException
from django.utils.translation import gettext
from ninja.errors import AuthenticationError, HttpError, ValidationError

from .. import outages
from ..errors import Refused
from ..schemas import describe_error

logger = logging.getLogger(__name__)


def error_response(message, code, status, *, retry_after=None, **extra):
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JsonResponse({"error": {"code": code, "message": message}, **extra}, status=status, headers=headers)


def add_error_handlers(api):
    @api.exception_handler(Refused)
    def refused(request, error):
        return error_response(error.message, error.code, error.status, retry_after=error.retry_after)

    def database_error(request, error):
        outage = outages.outage(error)
        if outage is None:
            raise error
        logger.error("The database could not be used: %s", outage.reason, exc_info=error)
        return refused(request, outage.refused())

    for kind in outages.DATABASE_ERRORS:  # ninja looks a handler up by the class
        api.add_exception_handler(kind, database_error)

    @api.exception_handler(AuthenticationError)
    def not_authenticated(request, error):
        return error_response(gettext("Please log in."), "not_authenticated", 401)

    @api.exception_handler(HttpError)
    def http_error(request, error):
        is_json = not isinstance(error.__cause__, ValueError | RecursionError)  # what ninja got from the parser
        sentence = gettext("The request could not be read.") if is_json else gettext("This is not valid JSON.")
        return error_response(sentence, "invalid", error.status_code)

    @api.exception_handler(RawPostDataException)
    def not_json(request, error):  # a form where JSON is expected
        return error_response(gettext("The request could not be read."), "invalid", 400)

    @api.exception_handler(ValidationError)
    def not_valid(request, error):
        first = error.errors[0]
        field = ".".join(str(step) for step in first["loc"][2:] or first["loc"][-1:])
        return error_response(f"{field}: {describe_error(first)}", "invalid", 400)
