"""The events of a run, named as in AG-UI 1.0, and the pieces that a provider yields."""

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class RunStarted:
    thread_id: str
    run_id: str
    type: ClassVar[str] = "RUN_STARTED"


@dataclass(frozen=True, slots=True)
class TextMessageStart:
    message_id: str
    role: str = "assistant"
    type: ClassVar[str] = "TEXT_MESSAGE_START"


@dataclass(slots=True)  # one per token; a frozen dataclass takes three times as long to create
class TextMessageContent:
    message_id: str
    delta: str
    type: ClassVar[str] = "TEXT_MESSAGE_CONTENT"


@dataclass(frozen=True, slots=True)
class TextMessageEnd:
    message_id: str
    type: ClassVar[str] = "TEXT_MESSAGE_END"


@dataclass(frozen=True, slots=True)
class ReasoningStart:
    message_id: str
    timestamp: int | None = None  # milliseconds since 1970, as everywhere in AG-UI
    type: ClassVar[str] = "REASONING_START"


@dataclass(frozen=True, slots=True)
class ReasoningMessageStart:
    message_id: str
    role: str = "reasoning"
    type: ClassVar[str] = "REASONING_MESSAGE_START"


@dataclass(frozen=True, slots=True)
class ReasoningMessageContent:
    message_id: str
    delta: str
    type: ClassVar[str] = "REASONING_MESSAGE_CONTENT"


@dataclass(frozen=True, slots=True)
class ReasoningMessageEnd:
    message_id: str
    type: ClassVar[str] = "REASONING_MESSAGE_END"


@dataclass(frozen=True, slots=True)
class ReasoningEnd:
    message_id: str
    timestamp: int | None = None
    type: ClassVar[str] = "REASONING_END"


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    tool_call_id: str
    tool_call_name: str
    parent_message_id: str | None = None
    timestamp: int | None = None
    type: ClassVar[str] = "TOOL_CALL_START"


@dataclass(frozen=True, slots=True)
class ToolCallArgs:
    tool_call_id: str
    delta: str
    type: ClassVar[str] = "TOOL_CALL_ARGS"


@dataclass(frozen=True, slots=True)
class ToolCallEnd:
    tool_call_id: str
    type: ClassVar[str] = "TOOL_CALL_END"


@dataclass(frozen=True, slots=True)
class ToolCallResult:
    tool_call_id: str
    content: str
    message_id: str = ""
    metadata: dict | None = None  # {"error": true} if the tool failed; content is then the error message
    timestamp: int | None = None
    type: ClassVar[str] = "TOOL_CALL_RESULT"


@dataclass(frozen=True, slots=True)
class MessagesSnapshot:
    messages: list
    type: ClassVar[str] = "MESSAGES_SNAPSHOT"


@dataclass(frozen=True, slots=True)
class Custom:
    name: str
    value: Any
    type: ClassVar[str] = "CUSTOM"


@dataclass(frozen=True, slots=True)
class RunFinished:
    thread_id: str
    run_id: str
    outcome: dict
    result: dict | None = None
    usage: list | None = None
    type: ClassVar[str] = "RUN_FINISHED"


@dataclass(frozen=True, slots=True)
class RunError:
    message: str
    code: str
    usage: list | None = None
    type: ClassVar[str] = "RUN_ERROR"


Event = (
    RunStarted
    | TextMessageStart
    | TextMessageContent
    | TextMessageEnd
    | ReasoningStart
    | ReasoningMessageStart
    | ReasoningMessageContent
    | ReasoningMessageEnd
    | ReasoningEnd
    | ToolCallStart
    | ToolCallArgs
    | ToolCallEnd
    | ToolCallResult
    | MessagesSnapshot
    | Custom
    | RunFinished
    | RunError
)
EVENTS: dict[str, type[Event]] = {
    cls.type: cls
    for cls in (
        RunStarted,
        TextMessageStart,
        TextMessageContent,
        TextMessageEnd,
        ReasoningStart,
        ReasoningMessageStart,
        ReasoningMessageContent,
        ReasoningMessageEnd,
        ReasoningEnd,
        ToolCallStart,
        ToolCallArgs,
        ToolCallEnd,
        ToolCallResult,
        MessagesSnapshot,
        Custom,
        RunFinished,
        RunError,
    )
}
PART_WITHDRAWN = "part_withdrawn"  # name of the Custom event; see Withdraw
FILE_TRIMMED = "file_trimmed"  # the same
IMAGES_TRIMMED = "images_trimmed"  # the same
CONTEXT_TRIMMED = "context_trimmed"  # name of the Custom event, and type of the part that it becomes
IMAGE = "image"  # the same of an image that the model made
TERMINAL = {RunFinished.type, RunError.type}
VISIBLE = {  # the types of events after which the reader has seen some of the reply
    TextMessageContent.type,
    ReasoningMessageContent.type,
    ToolCallStart.type,
    ToolCallArgs.type,
    ToolCallResult.type,
}
STEPS = {name for name in EVENTS if name.startswith(("REASONING_", "TOOL_CALL_"))}  # reasoning and tool calls


# What a provider yields, besides the four tool call events ------------------------------------------------------------


@dataclass(slots=True)  # not frozen, like TextMessageContent
class Text:
    delta: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    delta: str


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The text or reasoning that is being written was not what it seemed; it follows as what it is."""

    part_type: str  # "text" or "reasoning"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one model call, as the vendor counts them; None where it reports no count."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    reasoning_tokens: int | None = None
    cached_input_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """The model has finished; `reason` is OpenAI's `stop`, `length`, `content_filter` or `tool_calls`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Approval:
    """The run must wait until the user allows this tool call; `message` is the question to show.

    With the tool's key and version, the user may also allow its later calls in the conversation, unless it asks every
    time.
    """

    tool_call_id: str
    message: str
    tool_key: str = ""
    tool_version: str = ""
    asks_every_time: bool = False


@dataclass(frozen=True, slots=True)
class ResumeState:
    """What the provider needs again when the user has allowed or declined the calls; only the server reads it."""

    value: list[dict[str, Any]]  # JSON


@dataclass(frozen=True, slots=True)
class ContextTrimmed:
    """The model is sent `kept` of the conversation's last messages, with the question, and not the older ones."""

    kept: int


@dataclass(frozen=True, slots=True)
class ImagesTrimmed:
    """From now on the model is sent only the newest images of the conversation, now `shown` of them."""

    shown: int


@dataclass(frozen=True, slots=True)
class FileTrimmed:
    """A file is too long for the model, which is sent the first `shown` of its pages, sheets or slides."""

    name: str
    unit: str | None
    count: int | None
    shown: int


@dataclass(frozen=True, slots=True)
class GeneratedImage:
    """An image that the model made; the engine stores it."""

    data: str  # the file in base64


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image that was stored, as a part of the reply."""

    part: dict[str, Any]


Piece = (
    Text
    | Reasoning
    | Withdraw
    | Usage
    | Finish
    | Approval
    | ContextTrimmed
    | FileTrimmed
    | ImagesTrimmed
    | GeneratedImage
    | ResumeState
    | StoredImage
    | ToolCallStart
    | ToolCallArgs
    | ToolCallEnd
    | ToolCallResult
)
