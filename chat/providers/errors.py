"""What servers of models report, as ProviderErrors with sentences for the person; all providers share it."""

import logging
import re

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..events import clean
from . import ProviderError

log = logging.getLogger(__name__)

SENTENCES = {
    401: (_("The provider refused the API key."), "authentication"),
    402: (_("The provider's account has no quota left."), "quota"),
    403: (_("The provider does not allow this model for this key."), "permission"),
    404: (_("The provider does not know this model, or its address is wrong."), "unknown_model"),
    413: (_("The conversation is too long for this model."), "context_length"),
    429: (_("The model is asked too often right now. Try again in a minute."), "rate_limited"),
    500: (_("The model is overloaded or failing. Try again in a minute."), "overloaded"),
}
STATUSES = {  # what a server may say in place of an HTTP status, or to say it better
    "API_KEY_INVALID": 401,
    "DEADLINE_EXCEEDED": 504,
    "INTERNAL": 500,
    "NOT_FOUND": 404,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "UNAUTHENTICATED": 401,
    "UNAVAILABLE": 503,
    "api_error": 500,
    "authentication_error": 401,
    "billing_error": 402,
    "context_length_exceeded": 413,
    "insufficient_quota": 402,
    "internal_server_error": 500,
    "not_found_error": 404,
    "overloaded_error": 500,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "server_error": 500,
    "timeout_error": 504,
}


def reported(error, status=None, headers=None):
    """The ProviderError of what a server reports: a refusal's body, or an error object in mid-stream.

    Seen are {"message", "code", "type"} with words or numbers, Google's "status" and "details" with it, the same
    inside of a list or an "error", and plain text.
    """
    if type(error) is list and error:
        error = error[0]
    if type(error) is dict:
        error = error.get("error") or error
    if type(error) is not dict:
        error = {"message": error}
    message = clean(str(error.get("message") or error.get("detail") or gettext("no reason given")))[:300]
    details = [detail for detail in _list(error.get("details")) if type(detail) is dict]
    words = [str(word) for detail in details if (word := detail.get("reason"))]
    words += [str(error.get("code")), str(error.get("type")), str(error.get("status"))]
    said = ", ".join(word for word in words if word != "None")
    log.warning("The model's server reported an error (%s; %s): %s", status, said, message)
    status = next((STATUSES[word] for word in words if word in STATUSES), status)
    if status is None:
        status = next((int(word) for word in words if re.fullmatch("[45][0-9]{2}", word)), 400)
    retryable = status in (408, 409, 429) or status >= 500
    if status in SENTENCES or retryable:
        sentence, code = SENTENCES.get(status, SENTENCES[500])
    else:
        sentence, code = gettext("The provider reported an error: %(message)s") % {"message": message}, "refused"
    delays = (detail.get("retryDelay") for detail in details)
    retry_after = next((wait for told in delays if (wait := seconds(told)) is not None), None)
    if retry_after is None:
        retry_after = seconds((headers or {}).get("retry-after"))
    return ProviderError(sentence, code, retryable=retryable, retry_after=retry_after)


def seconds(told):
    """What a Retry-After says, or a delay such as `7.5s`, or None; it may also be a date, which nobody sends."""
    try:
        number = float(str(told).removesuffix("s"))
    except ValueError:
        return None
    return number if number >= 0 else None


def too_long():
    return ProviderError(*SENTENCES[413])


def unreachable(error):
    log.warning("The model's server cannot be reached: %s", plain(error))
    return ProviderError(gettext("The model's server cannot be reached."), "unreachable", retryable=True)


def not_set_up(error):
    log.warning("The provider is not set up: %s", plain(error))
    return ProviderError(gettext("The model's address or API key is not set up rightly."), "not_configured")


def malformed():
    return ProviderError(gettext("The model's server sent something that cannot be read."), "malformed")


def broken_off(error=None):
    if error is not None:
        log.warning("The model's stream broke off: %s", plain(error))
    return ProviderError(
        gettext("The connection to the model broke off before the answer was complete."),
        "broken_off",
        retryable=True,
        broken_off=True,
    )


def plain(error):
    """For the log; some errors' repr shows the request's headers and the key in them."""
    return f"{type(error).__name__}: {error}"


def _list(value):
    return value if type(value) is list else []
