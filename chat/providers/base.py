"""What all providers share: the request, the pieces of an answer, and the error that carries a sentence."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..events import Piece, clean_text
from ..redaction import add_secrets_of, redact
from ..tools import Context, Tool
from .activity import Activity
from .turns import Turn, alternating

MAX_RETRIES = 2  # further attempts of the same request, as long as nothing of the answer was shown
MAX_RETRY_DELAY = 10  # seconds; a provider that asks for more (Retry-After) fails at once
MAX_CODE_LENGTH = 50  # characters, as the column that stores it


class ProviderError(Exception):
    """The model cannot answer; the message is a sentence for the user.

    `retryable`: the same request may work in a moment; `retry_after`: seconds the provider asked to wait, or None.
    `broken_off`: the stream ended before the model said that it was done.
    """

    def __init__(
        self,
        message: object,
        code: str = "provider_error",
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        broken_off: bool = False,
    ):
        super().__init__(clean_text(redact(str(message))))
        self.code = code[:MAX_CODE_LENGTH]
        self.retryable = retryable
        self.retry_after = retry_after
        self.broken_off = broken_off

    def pause(self, attempt: int) -> float | None:
        """Returns the seconds to wait before the next attempt; None if there must be none. `attempt` counts from 0."""
        seconds = self.retry_after if self.retry_after is not None else 0.5 * 2**attempt
        return seconds if self.retryable and attempt < MAX_RETRIES and seconds <= MAX_RETRY_DELAY else None


class ContextOverflow(ProviderError):
    """The request does not fit into the model's context window.

    `window` is the window's size in tokens and `input_tokens` that of the request, if the server told them.
    """

    def __init__(self, message: object, window: int | None = None, input_tokens: int | None = None) -> None:
        super().__init__(message, "context_length")
        self.window = window
        self.input_tokens = input_tokens


async def nothing_is_allowed(tool: Tool) -> bool:
    return False


@dataclass(frozen=True)
class Request:
    """A request to a provider: the turns from the oldest to the question, and the assistant's settings."""

    model: str  # without the provider's name
    turns: list[Turn]  # (role, parts) that alternate between "user" and "assistant": see turns.py
    provider: str = ""
    system_prompt: str = ""
    params: dict[str, Any] = field(default_factory=dict, repr=False)  # keys may be among them
    tools: list[str] = field(default_factory=list)  # names in chat.tools
    ask_first: list[str] = field(default_factory=list)  # tools that need the user's approval
    ask_every_time: list[str] = field(default_factory=list)  # those that the user cannot allow for the conversation
    max_model_calls: int = 3  # of an agent, before it has to answer
    context: Context = field(default_factory=Context)  # the user that the tools work for
    # Decisions on the last turn's tool calls that waited for approval: id -> True, False, or {"result", "error"} of a
    # call that has run.
    decisions: dict[str, Any] = field(default_factory=dict)
    # Whether the user has allowed this tool, which asks first, to run without asking. Asked again for each call.
    is_allowed: Callable[[Tool], Awaitable[bool]] = field(default=nothing_is_allowed, compare=False, repr=False)
    activity: Activity = field(default_factory=Activity, compare=False, repr=False)
    resume_state: list[dict[str, Any]] = field(default_factory=list)  # of the run that is resumed: see ResumeState

    def __post_init__(self) -> None:
        add_secrets_of(self.params)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """System prompt and turns as OpenAI's messages: a content is text, or with images a list of content parts.

        They alternate, and tool calls are not among them.
        """
        messages: list[dict[str, Any]] = []
        if self.system_prompt:
            messages.append({"role": "system", "content": self.system_prompt})
        for role, parts in alternating(self.turns, with_calls=False):
            content: Any = "".join(part["text"] for part in parts if part["type"] == "text")
            urls = [f"data:{part['media_type']};base64,{part['data']}" for part in parts if part["type"] == "image"]
            if urls:
                images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
                content = [*images, {"type": "text", "text": content}]
            messages.append({"role": role, "content": content})
        return messages


class Reply(Protocol):
    """A provider's `reply`: one answer as an async generator of pieces."""

    def __call__(self, request: Request, /) -> AsyncGenerator[Piece, None]: ...
