"""Errors as OpenAI's clients read them: `{"error": {"message", "type", "param", "code"}}`."""

from typing import Any

from chat.errors import Refused

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}
# The code of a run's error -> the HTTP status, and OpenAI's code where it has one. Clients send the request again for
# 408, 409, 429 and 5xx, so what would fail again has another status.
RUN_ERRORS: dict[str, tuple[int, str]] = {
    "authentication": (400, "authentication"),
    "context_length": (400, "context_length_exceeded"),
    "not_configured": (400, "not_configured"),
    "overloaded": (503, "overloaded"),
    "permission": (400, "permission"),
    "quota": (400, "insufficient_quota"),
    "rate_limited": (429, "rate_limit_exceeded"),
    "refused": (400, "refused"),
    "sees_no_images": (400, "sees_no_images"),
    "timeout": (504, "timeout"),
    "too_long": (400, "too_long"),
    "unknown_model": (400, "unknown_model"),
    "unknown_provider": (400, "unknown_provider"),
}
OTHER_RUN_ERROR = 502


class BadParameter(Refused):
    """A parameter of the request that cannot be used; `param` names it, such as `messages.0.content`."""

    def __init__(self, message: Any, param: str | None, code: str = "invalid_value", status: int = 400) -> None:
        super().__init__(message, code, status)
        self.param = param


def error_body(error: Refused) -> dict[str, Any]:
    """Returns the body of the response, or of the last event of a stream (in ERROR_FORMATS)."""
    kind = TYPES.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error")
    return {
        "error": {
            "message": str(error.message),
            "type": kind,
            "param": getattr(error, "param", None),
            "code": error.code,
        }
    }


def run_error(message: str, code: str) -> Refused:
    """Returns the error of a run that failed."""
    status, code = RUN_ERRORS.get(code, (OTHER_RUN_ERROR, code))
    return Refused(message, code, status)
