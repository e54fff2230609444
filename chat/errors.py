"""The error that every interface reports with a sentence: API, pages, WebSocket and terminal."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

SEES_NO_IMAGES = "sees_no_images"  # the code of errors about a model that cannot see


class Refused(Exception):
    """A request that cannot be done. Has a sentence for the user, and a code and an HTTP status for programs.

    The sentence may be a lazy translation: what is refused before the language of a request is known has one.
    `retry_after` says in how many seconds the same request may succeed; None if it never will.
    """

    def __init__(
        self, message: Any, code: str = "invalid", status: int = 400, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.retry_after = retry_after

    def to_json(self) -> dict[str, Any]:
        """Returns what programs read of it."""
        return {"error": {"code": self.code, "message": str(self.message)}}


def error_prefixes() -> Iterator[str]:
    """Yields the beginnings of the paths under which errors are JSON."""
    yield "/api/"
    yield from settings.ERROR_FORMATS


def to_json_at(path: str, error: Refused) -> dict[str, Any]:
    """Returns what programs read of an error at this path: the format of ERROR_FORMATS, or else our own."""
    for prefix, function in settings.ERROR_FORMATS.items():
        if path.startswith(prefix):
            return import_string(function)(error)
    return error.to_json()
