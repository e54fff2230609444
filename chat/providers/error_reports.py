"""Recognizes the errors that model servers report with HTTP 200, in shapes of their own, and finds their words."""

from typing import Any

MESSAGE_KEYS = ("message", "msg", "detail", "error_msg", "error_message", "errmsg", "err_msg", "status_msg", "reason")
CODE_KEYS = ("code", "error_code", "errcode", "err_code", "status_code", "statusCode")
WRAPPERS = ("error", "errors", "Error", "err", "base_resp", "fault", "exception")
MAX_MESSAGES = 5  # of a list, that are put together
FAILED = {"error", "failed", "failure", "fail"}
PASSED = {"", "0", "200", "ok", "success", "succeeded", "none"}
NEUTRAL_KEYS = {"request_id", "requestId", "trace_id", "id", "path", "timestamp", *MESSAGE_KEYS}


def find_error(document: dict[str, Any]) -> Any:
    """Returns the error that a document without choices reports, in a form that `errors.reported` takes, or None.

    Such as `{"detail": …}` (FastAPI), `{"object": "error", "message": …}` (vLLM), `{"code": 500, "msg": …}` (many
    gateways), `{"base_resp": {"status_code": 1004, "status_msg": …}}` (MiniMax), `{"errors": [{"message": …}]}`
    (Cloudflare), `{"message": …}` (proxies). Progress, such as `{"status": "queued", "message": …}`, is no error.
    """
    for name in WRAPPERS:
        inner = document.get(name)
        inner = inner[0] if type(inner) is list and inner else inner
        if type(inner) is dict and (_has_failed(inner) or (message_of(inner) and not _has_passed(inner))):
            return inner | {"message": message_of(inner), "code": _code(inner)}
        if inner and type(inner) is str and inner.lower() not in PASSED:
            return {"message": inner}
    message = message_of(document)
    is_bare = bool(message) and document.keys() <= NEUTRAL_KEYS
    if is_bare or _has_failed(document) or document.get("detail"):
        return {"message": message, "code": _code(document), "type": document.get("type")}
    return None


def message_of(error: dict[str, Any]) -> str:
    """Returns the words of an error object; FastAPI's list of what is invalid as one text."""
    value = next((error[name] for name in MESSAGE_KEYS if error.get(name)), "")
    if type(value) is list:
        return "; ".join(filter(None, (_text(item) for item in value[:MAX_MESSAGES])))
    return _text(value)


def _text(value: Any) -> str:
    if type(value) is dict:
        return next((str(value[name]) for name in MESSAGE_KEYS if value.get(name)), "") or str(value)
    return str(value)


def _code(error: dict[str, Any]) -> Any:
    return next((error[name] for name in CODE_KEYS if error.get(name) is not None), None)


def _has_failed(error: dict[str, Any]) -> bool:
    if "error" in (error.get("object"), error.get("type")) or error.get("success") is False:
        return True
    status = error.get("status")
    if (type(status) is int and status >= 400) or (type(status) is str and status.lower() in FAILED):
        return True
    code = _code(error)
    return code is not None and bool(message_of(error)) and not _has_passed(error)


def _has_passed(error: dict[str, Any]) -> bool:
    code = _code(error)
    return code is not None and str(code).lower() in PASSED
