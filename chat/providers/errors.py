"""What model servers report, as ProviderErrors with sentences for the user; shared by all providers."""

import logging
import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..events import clean_text
from ..redaction import redact
from .base import ContextOverflow, ProviderError
from .error_reports import message_of
from .image_refusals import refuses_images
from .overflow import read_overflow

MAX_MESSAGE_LENGTH = 300  # characters of a server's own message
MAX_READ_LENGTH = 10_000  # characters of it in which keys are looked for
MAX_WORDS = 10  # that name the error
MAX_WORD_LENGTH = 100  # characters

logger = logging.getLogger(__name__)

SENTENCES = {
    401: (_("The provider rejected the API key."), "authentication"),
    402: (_("The provider's account has no quota left."), "quota"),
    403: (_("The provider does not allow this model for this key."), "permission"),
    404: (_("The provider has no such model, or the configured base URL is wrong."), "unknown_model"),
    429: (_("Too many requests to the model. Try again in a minute."), "rate_limited"),
    500: (_("The model is overloaded or failing. Try again in a minute."), "overloaded"),
}
TOO_LONG = _("The chat is too long for this model. Shorten the message or start a new chat.")
SEES_NO_IMAGES = (
    _("This model cannot see images. Try again to get an answer without them, or choose another assistant."),
    "sees_no_images",
)
UNREACHABLE = _("The model's server cannot be reached.")
NOT_CONFIGURED = _("The model's address or API key is not configured correctly.")
EMPTY = _("The model's server sent a response without an answer.")
REDIRECTED = _("The model's server redirects to another host. Correct its address.")
STATUSES = {  # words that servers send in place of an HTTP status, or that are more precise than theirs
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
    "insufficient_quota": 402,
    "internal_server_error": 500,
    "not_found_error": 404,
    "overloaded_error": 500,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "timeout_error": 504,
}


def reported(error: Any, status: int | None = None, headers: Mapping[str, str] | None = None) -> ProviderError:
    """Returns the ProviderError for what a server reports: the body of a refusal, or an error object in mid-stream.

    Known forms are {"message", "code", "type"} with words or numbers, Google's with "status" and "details", either of
    them inside a list or an "error", and plain text.
    """
    if type(error) is list and error:
        error = error[0]
    if type(error) is dict:
        error = error.get("error") or error
    if type(error) is not dict:
        error = {"message": error}
    message = _message(error)
    details = error.get("details")
    details = [detail for detail in details if type(detail) is dict] if type(details) is list else []
    words = [str(detail["reason"]) for detail in details[:MAX_WORDS] if detail.get("reason")]
    words += [str(error[key]) for key in ("code", "type", "status") if error.get(key) is not None]
    words = [redact(word[:MAX_READ_LENGTH])[:MAX_WORD_LENGTH] for word in words]
    sizes = read_overflow(error, f"{message} {_forwarded(error)}", words, status)
    logger.warning(
        "The model's server reported an error (%s; %s): %s", status, ", ".join(words), message[:MAX_MESSAGE_LENGTH]
    )
    if refuses_images(message) or refuses_images(_forwarded(error)):
        return ProviderError(*SEES_NO_IMAGES)
    status = _status(words, status)
    if sizes or status == 413:
        return ContextOverflow(TOO_LONG, *(sizes or ()))
    retryable = status in (408, 409, 429) or status >= 500
    retry_after = _retry_after(details, headers or {})
    if status in SENTENCES or retryable:
        sentence, code = SENTENCES.get(status, SENTENCES[500])
        return ProviderError(sentence, code, retryable=retryable, retry_after=retry_after)
    return _refused(message, retry_after)


def reported_with_success(error: Any) -> ProviderError:
    """Returns the ProviderError for an error that a server reports with HTTP 200, in a shape of its own.

    It shows the server's words and is not retryable: what a code means there is not known.
    """
    known = reported(error)
    return _refused(_message(error), None) if known.retryable else known


def _message(error: dict[str, Any]) -> str:
    """Returns the words of an error object, without keys."""
    return redact(clean_text((message_of(error) or gettext("no reason given"))[:MAX_READ_LENGTH]))


def _refused(message: str, retry_after: float | None) -> ProviderError:
    sentence = gettext("The provider reported an error: %(message)s") % {"message": message[:MAX_MESSAGE_LENGTH]}
    return ProviderError(sentence, "refused", retry_after=retry_after)


def _forwarded(error: dict[str, Any]) -> str:
    """Returns the report of the server behind a router, as OpenRouter passes it on."""
    metadata = error.get("metadata")
    return str(metadata.get("raw") or "")[:MAX_READ_LENGTH] if type(metadata) is dict else ""


def _status(words: list[str], status: int | None) -> int:
    """Returns the HTTP status that fits best: a known word's, the response's own, or a number among the words."""
    for word in words:
        if word in STATUSES:
            return STATUSES[word]
    if status is not None:
        return status
    return next((int(word) for word in words if re.fullmatch("[45][0-9]{2}", word)), 400)


def _retry_after(details: list[dict[str, Any]], headers: Mapping[str, str]) -> float | None:
    """Returns the seconds that the server asks to wait, or None."""
    for value in [*(detail.get("retryDelay") for detail in details), headers.get("retry-after")]:
        delay = seconds(value)
        if delay is not None:
            return delay
    return None


def seconds(value: object) -> float | None:
    """Returns the seconds of a Retry-After or of a delay such as `7.5s`, or None. No server sends dates."""
    try:
        number = float(str(value).removesuffix("s"))
    except ValueError:
        return None
    return number if number >= 0 else None


def too_long() -> ContextOverflow:
    return ContextOverflow(TOO_LONG)


def unreachable(error: BaseException) -> ProviderError:
    logger.warning("The model's server cannot be reached: %s", describe(error))
    return ProviderError(UNREACHABLE, "unreachable", retryable=True)


def not_configured(error: BaseException) -> ProviderError:
    logger.warning("The provider is not configured: %s", describe(error))
    return ProviderError(NOT_CONFIGURED, "not_configured")


def malformed() -> ProviderError:
    return ProviderError(gettext("The model's server sent a response that cannot be read."), "malformed")


def empty() -> ProviderError:
    logger.warning("The model's server sent a response without an answer")
    return ProviderError(EMPTY, "empty_response")


def endless() -> ProviderError:
    return ProviderError(gettext("The model's server sent a response that is too long."), "malformed")


def redirected() -> ProviderError:
    """Returns the error of a redirect to another host, which would get the conversation, and from some SDKs the key."""
    return ProviderError(REDIRECTED, "redirected")


def broken_off(error: BaseException | None = None) -> ProviderError:
    if error is not None:
        logger.warning("The model's stream broke off: %s", describe(error))
    return ProviderError(
        gettext("The connection to the model was lost before the answer was complete."),
        "broken_off",
        retryable=True,
        broken_off=True,
    )


def cut_off(reason: str) -> ProviderError:
    """Returns the error of an answer that its server broke off itself, with this finish reason."""
    logger.warning("The model's server broke off the answer: %s", redact(clean_text(reason))[:MAX_WORD_LENGTH])
    sentence = gettext("The model stopped before its answer was complete.")
    return ProviderError(sentence, "broken_off", retryable=True, broken_off=True)


def describe(error: BaseException) -> str:
    """Returns the error for the log. Not its repr: some show the request's headers and the key in them."""
    return redact(f"{type(error).__name__}: {error}"[:MAX_READ_LENGTH])[:MAX_MESSAGE_LENGTH]
