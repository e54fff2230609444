"""What all tools share: the context of a call, the error that carries a sentence, and the Tool that agents use."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

ZONE_ERRORS = (ZoneInfoNotFoundError, ValueError, TypeError, OSError)  # raised by ZoneInfo for an unknown name

MAX_KEY_LENGTH = 200  # characters; a server may call its tools anything

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


def asks_every_time(function: F) -> F:
    """Marks a tool that always asks first, and that users cannot allow for the rest of a conversation."""
    function.asks_every_time = True  # type: ignore[attr-defined]
    return asks_first(function)


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool as an agent offers it to a model."""

    name: str
    description: str
    schema: dict[str, Any]  # JSON Schema of its arguments
    use: Callable[[dict[str, Any]], Awaitable[str]]  # raises ToolError and nothing else
    asks_first: bool = False
    asks_every_time: bool = False  # whether the user cannot allow it for the rest of the conversation
    server: str | None = None  # the slug of its MCP server, if it has one
    server_name: str = ""  # what that server calls it
    annotations: dict[str, Any] = field(default_factory=dict)  # what that server says about its effects

    @property
    def key(self) -> str:
        """What a user who allows the tool allows: its name, or `server/name`. Only `version` tells tools apart."""
        return f"{self.server}/{self.server_name}"[:MAX_KEY_LENGTH] if self.server else self.name

    @property
    def version(self) -> str:
        """A digest of what the tool is. A server may give the name of one tool to another, or change its arguments."""
        definition = [self.server, self.server_name or self.name, self.description, self.schema, self.annotations]
        return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:16]
