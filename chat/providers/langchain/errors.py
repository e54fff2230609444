"""What LangChain, the vendors' SDKs and the transports raise -> ProviderErrors with sentences for the user."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from django.utils.translation import gettext

from .. import errors
from ..base import ContextOverflow, ProviderError
from ..credentials import missing_variable

TRANSPORTS = ("aiohttp", "httpcore", "httpx", "httpx2")  # packages whose errors mean a lost connection
MAX_REASON_LENGTH = 300  # characters of a sentence about invalid arguments

logger = logging.getLogger(__name__)


@contextmanager
def translated_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        translated = _translate(error)
        if translated is error:
            raise
        raise translated from translated.__cause__ or error


def package_missing(package: str, error: ImportError) -> ProviderError:
    logger.warning("A package cannot be imported: %s", errors.describe(error))
    sentence = gettext("The Python package of this model is not installed. Install it with: pip install %(package)s")
    return ProviderError(sentence % {"package": package}, "not_installed")


def invalid_arguments(error: Exception) -> ProviderError:
    """Returns a sentence for what a chat model's class raises. The error's own text may contain the key."""
    logger.warning("The chat model cannot be built: %s", type(error).__name__)
    if variable := re.search(r"\b[A-Z][A-Z0-9_]*_API_KEY\b", str(error)):
        return ProviderError(missing_variable(variable[0]), "not_configured")
    if "nsupported" in str(error) and "provider" in str(error):
        return ProviderError(gettext("LangChain has no provider with this name."), "unknown_provider")
    details = error.errors(include_url=False, include_input=False) if hasattr(error, "errors") else ()
    reasons = [f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in details]
    reason = "; ".join(reasons)[:MAX_REASON_LENGTH] or gettext("no details were given")
    sentence = gettext("The model's parameters are invalid: %(reason)s.")
    return ProviderError(sentence % {"reason": reason}, "not_configured")


def _translate(error: Exception) -> Exception:
    """Returns the ProviderError for this error, or the error itself if a model's server cannot have caused it."""
    causes = _causes(error)
    for cause in causes:
        if isinstance(cause, ProviderError):
            return cause
    is_overflow = any(kind.__name__ == "ContextOverflowError" for kind in type(error).__mro__)
    for cause in causes:
        translated = _translate_cause(cause)
        if translated:
            return errors.too_long() if is_overflow and not isinstance(translated, ContextOverflow) else translated
    if is_overflow:
        logger.warning("The conversation is too long: %s", type(error).__name__)
        return errors.too_long()
    if type(error) is ValueError:  # LangChain's own text about the request or the response
        return _reported_in_text(str(error))
    if isinstance(error, ValueError | TypeError | LookupError | AttributeError | RecursionError):
        logger.warning("The model's answer cannot be read", exc_info=error)
        return errors.malformed()
    return error


def _translate_cause(cause: BaseException) -> ProviderError | None:
    status = getattr(cause, "status_code", None) or getattr(cause, "code", None)
    if type(status) is int:
        body = next((getattr(cause, name) for name in ("body", "details", "error") if hasattr(cause, name)), None)
        headers = getattr(getattr(cause, "response", None), "headers", None)
        return errors.reported(body, status if status >= 400 else None, headers)
    if hasattr(cause, "body"):  # an error in mid-stream
        return errors.reported(cause.body or str(cause))
    if type(cause).__module__.startswith("google.auth") or type(cause).__name__ == "InvalidURL":
        return errors.not_configured(cause)
    if type(cause).__module__.partition(".")[0] in TRANSPORTS or isinstance(cause, OSError):
        return errors.broken_off(cause)
    return None


def _reported_in_text(text: str) -> ProviderError:
    """Reads an error of OpenAI's Responses API: `code: message`, an object's repr, or a sentence for developers."""
    match = re.search(r"code='(\w+)', message='(.*?)'", text) or re.fullmatch("([a-z_]+): (.+)", text)
    code, message = match.groups() if match else (None, text)
    return errors.reported({"code": code, "message": message})


def _causes(error: BaseException | None) -> list[BaseException]:
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes
