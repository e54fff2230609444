"""The error that every interface reports with a sentence: API, pages, WebSocket and terminal."""

from typing import Any

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
