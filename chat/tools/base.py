"""What all tools share: the context of a call, the error that carries a sentence, and the Tool that agents use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ZONE_ERRORS = (ZoneInfoNotFoundError, ValueError, TypeError, OSError)  # raised by ZoneInfo for an unknown name

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Context:
    """The user that a tool works for."""

    user_id: int | None = None
    time_zone: str = "UTC"
    conversation: str | None = None

    @property
    def zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.time_zone)
        except ZONE_ERRORS:
            return ZoneInfo("UTC")


ANONYMOUS = Context()


class ToolError(Exception):
    """The tool cannot do this; the message is a sentence for the model and the user."""


def asks_first(function: F) -> F:
    """Marks a tool that runs only after the user's approval, in every assistant."""
    function.asks_first = True  # type: ignore[attr-defined]
    return function


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool as an agent offers it to a model."""

    name: str
    description: str
    schema: dict[str, Any]  # JSON Schema of its arguments
    use: Callable[[dict[str, Any]], Awaitable[str]]  # raises ToolError and nothing else
    asks_first: bool = False
    server: str | None = None  # the slug of its MCP server, if it has one
