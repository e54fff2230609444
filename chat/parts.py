"""The kinds of part that a message consists of, in one table: what each holds and how each module uses it.

A new kind is a TypedDict and a row of KINDS here, and its drawing in the page's table of the same name. If a model
produces it, `chat.events` folds it from events of its own. The rest of the code asks this table and names no kind.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import NoneType
from typing import Any, Literal, NotRequired, TypedDict, get_args, get_type_hints

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .events import clean_text
from .file_text import context_trimmed_sentence, file_text, images_trimmed_sentence, trimmed_sentence

Part = Mapping[str, Any]  # one of the TypedDicts below, told apart by "type"


class TextPart(TypedDict):
    type: Literal["text"]
    text: str


class ReasoningPart(TypedDict):
    type: Literal["reasoning"]
    text: str
    seconds: NotRequired[float]


class ToolCallPart(TypedDict):
    type: Literal["tool_call"]
    id: str
    name: str
    arguments: str  # JSON, as the model wrote it: it may be incomplete
    result: str | None
    error: str | None  # the sentence that says why the tool failed
    seconds: NotRequired[float]


class ToolResultPart(TypedDict):
    """The result of a call in an earlier message, which ran after the user allowed it."""

    type: Literal["tool_result"]
    id: str
    result: str | None
    error: str | None
    seconds: NotRequired[float]


class ImagePart(TypedDict):
    type: Literal["image"]
    id: str  # of the Attachment with the data
    media_type: NotRequired[str]
    width: NotRequired[int]
    height: NotRequired[int]


class DocumentPart(TypedDict):
    """A long text that a user sent with a message."""

    type: Literal["document"]
    name: str
    text: str


class FilePart(TypedDict):
    """A file that a user sent with a message."""

    type: Literal["file"]
    id: str  # of the Attachment with the file and its text
    name: str
    media_type: str
    size: int  # bytes
    unit: str | None  # what it consists of: "page", "sheet", "slide" or "message"
    count: int | None  # how many of them
    characters: int  # of the text that was read
    notes: NotRequired[list]  # codes of what to know about the text


class ContextTrimmedPart(TypedDict):
    """The conversation was longer than the model's context window: the older messages were not sent to the model."""

    type: Literal["context_trimmed"]
    kept: int  # how many messages before this one were sent, the question included


class ImagesTrimmedPart(TypedDict):
    """The conversation has more images than a model is sent: from this message on, the older ones were left out."""

    type: Literal["images_trimmed"]
    shown: int  # how many images were sent


class FileTrimmedPart(TypedDict):
    """A file was longer than the model's context window: only its first units were sent to the model."""

    type: Literal["file_trimmed"]
    name: str
    unit: str | None  # of the file, as in FilePart, like `count`
    count: int | None
    shown: int  # how many of its units were sent


class CopiedPart(TypedDict):
    """The messages up to this one were copied from a shared chat."""

    type: Literal["copied"]
    shared_at: str  # ISO 8601


@dataclass
class AguiMessages:
    """The AG-UI messages that a message of ours becomes: reasoning, then the answer with its calls, then results."""

    message_id: str
    content: str = ""
    reasonings: list[dict[str, Any]] = field(default_factory=list)
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class StaffView:
    """A part as staff read it in the admin: text, a heading that opens to sections (label, text), an image, a file."""

    text: str = ""
    heading: Any = ""
    code: str = ""  # the rest of the heading, as code
    sections: tuple[tuple[Any, str], ...] = ()
    is_code: bool = True  # whether the sections are code rather than prose
    failed: bool = False
    image: Part | None = None
    file: Part | None = None


def _to_agui(messages: AguiMessages, part: Part) -> None:
    """Adds the part's text to the answer."""
    messages.content += _kind(part).text(part)


def _staff_json(part: Part) -> StaffView:
    return StaffView(heading=part["type"], sections=(("", json.dumps(part, indent=2, ensure_ascii=False)),))


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A row of the table. The functions take a part of this kind.

    `fields` is its TypedDict: exports hold the part as it is stored, and imports read these fields. By default a kind
    is for the page alone: not shown to a model, not shared, not searched, not in Markdown, and JSON for staff.
    """

    fields: Any
    is_shared: bool = False  # whether a shared chat shows it
    attachment: str | None = None  # the field with the id of its Attachment
    is_image: bool = False
    left_out: str = ""  # what a model reads in place of a part whose attachment it is not shown
    text: Callable[[Any], str] = lambda part: ""  # its share of Message.text: the answer, and what a search reads
    file_name: Callable[[Any], str] = lambda part: ""  # a search reads it, too
    to_model: Callable[[Any], list[dict[str, Any]]] = lambda part: []  # as kinds that providers know: see `for_model`
    to_markdown: Callable[[Any], list[str]] = lambda part: []  # lines
    to_agui: Callable[[AguiMessages, Any], None] = _to_agui
    to_share: Callable[[Any], Part] = lambda part: part  # what a shared chat shows of it
    to_staff: Callable[[Any], StaffView] = _staff_json


def _unchanged(part: dict[str, Any]) -> list[dict[str, Any]]:
    return [part]


def _document_to_model(part: DocumentPart) -> list[dict[str, Any]]:
    """A document is text with its name around it."""
    text = f"<document name={json.dumps(part['name'])}>\n{part['text']}\n</document>\n\n"
    return [{"type": "text", "text": text}]


def _document_to_markdown(part: DocumentPart) -> list[str]:
    backticks = re.findall("`+", part["text"])
    fence = "`" * max(3, max(map(len, backticks), default=0) + 1)
    return [f"**{part['name']}**", "", fence, part["text"], fence]


def _document_to_staff(part: DocumentPart) -> StaffView:
    label = gettext("Document:")
    return StaffView(heading=f"{label} {part['name']}", sections=(("", part["text"]),))


def _file_to_model(part: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A file is text as well; the engine may cut it, and takes away what it cuts it by."""
    names = ("name", "unit", "count", "units")
    return [{"type": "text", "text": file_text(part), "file": {name: part[name] for name in names}}]


def _file_to_share(part: FilePart) -> Part:
    """Without its id: whoever has the link sees that there was a file, but does not get it."""
    return {**part, "id": ""}


def _file_to_staff(part: FilePart) -> StaffView:
    return StaffView(heading="{} {}".format(gettext("File:"), part["name"]), file=part)


def _image_to_staff(part: ImagePart) -> StaffView:
    return StaffView(image=part) if part.get("width") else _staff_json(part)


def _reasoning_to_agui(messages: AguiMessages, part: ReasoningPart) -> None:
    id = f"{messages.message_id}:reasoning:{len(messages.reasonings) + 1}"
    messages.reasonings.append({"id": id, "role": "reasoning", "content": part["text"]})


def _reasoning_to_staff(part: ReasoningPart) -> StaffView:
    return StaffView(heading=_("Reasoning"), sections=(("", part["text"]),), is_code=False)


def _tool_call_to_markdown(part: ToolCallPart) -> list[str]:
    return ["*({})*".format(gettext("used %(tool)s") % {"tool": part["name"]})]


def _tool_call_to_agui(messages: AguiMessages, part: ToolCallPart) -> None:
    function = {"name": part["name"], "arguments": part["arguments"]}
    messages.tool_calls.append({"id": part["id"], "type": "function", "function": function})
    _tool_result_to_agui(messages, part)


def _tool_call_to_staff(part: ToolCallPart) -> StaffView:
    sections = [
        (_("Arguments"), _indent_json(part["arguments"])),
        (_("Result"), part["result"]),
        (_("Error"), part["error"]),
    ]
    return StaffView(
        heading=_("Tool call:"),
        code=part["name"],
        sections=tuple((label, text) for label, text in sections if text is not None),
        failed=part["error"] is not None,
    )


def _tool_result_to_agui(messages: AguiMessages, part: ToolCallPart | ToolResultPart) -> None:
    """Adds the result of a call, if there is one already."""
    if part["result"] is None and part["error"] is None:
        return
    result = {"id": f"{messages.message_id}:tool:{part['id']}", "role": "tool", "toolCallId": part["id"]}
    result["content"] = (part["result"] if part["error"] is None else part["error"]) or ""
    if part["error"]:
        result["error"] = part["error"]
    messages.results.append(result)


def _tool_result_to_staff(part: ToolResultPart) -> StaffView:
    failed = part["error"] is not None
    text = part["error"] if failed else part["result"]
    return StaffView(heading=_("Result of the tool call above"), sections=(("", text or ""),), failed=failed)


def _copied_sentence(part: CopiedPart) -> str:
    return gettext("Copied up to here from a chat that was shared on %(date)s.") % {"date": part["shared_at"][:10]}


def _note(fields: Any, sentence: Callable[[Any], str]) -> Kind:
    """Returns a kind that says something about its message: shown to all who read it, and to no model."""
    return Kind(
        fields=fields,
        is_shared=True,
        to_markdown=lambda part: [f"*({sentence(part)})*"],
        to_staff=lambda part: StaffView(text=sentence(part)),
    )


def _indent_json(text: str) -> str:
    """Returns JSON with line breaks, and text that is no JSON (yet) as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


KINDS: dict[str, Kind] = {
    "text": Kind(
        fields=TextPart,
        to_model=_unchanged,
        is_shared=True,
        text=lambda part: part["text"],
        to_markdown=lambda part: [part["text"]],
        to_staff=lambda part: StaffView(text=part["text"]),
    ),
    "reasoning": Kind(
        fields=ReasoningPart, to_model=_unchanged, to_agui=_reasoning_to_agui, to_staff=_reasoning_to_staff
    ),
    "tool_call": Kind(
        fields=ToolCallPart,
        to_model=_unchanged,
        to_markdown=_tool_call_to_markdown,
        to_agui=_tool_call_to_agui,
        to_staff=_tool_call_to_staff,
    ),
    "tool_result": Kind(
        fields=ToolResultPart, to_model=_unchanged, to_agui=_tool_result_to_agui, to_staff=_tool_result_to_staff
    ),
    "image": Kind(
        fields=ImagePart,
        to_model=_unchanged,
        is_shared=True,
        attachment="id",
        is_image=True,
        left_out="[There was an image here, which you cannot see.]\n",
        to_markdown=lambda part: ["*({})*".format(gettext("an image"))],
        to_staff=_image_to_staff,
    ),
    "file": Kind(
        fields=FilePart,
        to_model=_file_to_model,
        is_shared=True,
        attachment="id",
        file_name=lambda part: part["name"],
        left_out="[There was a file here, which no longer exists.]\n",
        to_markdown=lambda part: ["*({} {})*".format(gettext("File:"), part["name"])],
        to_share=_file_to_share,
        to_staff=_file_to_staff,
    ),
    "document": Kind(
        fields=DocumentPart,
        is_shared=True,
        file_name=lambda part: part["name"],
        to_model=_document_to_model,
        to_markdown=_document_to_markdown,
        to_staff=_document_to_staff,
    ),
    "context_trimmed": _note(ContextTrimmedPart, context_trimmed_sentence),
    "images_trimmed": _note(ImagesTrimmedPart, images_trimmed_sentence),
    "file_trimmed": _note(FileTrimmedPart, trimmed_sentence),
    "copied": _note(CopiedPart, _copied_sentence),
}
UNKNOWN = Kind(fields=None)  # for the rows of an app that was removed: only staff see their parts


def _kind(part: Part) -> Kind:
    return KINDS.get(part["type"], UNKNOWN)


def text_of(parts: Iterable[Part]) -> str:
    """Returns the text of a message: what a user reads first, without the steps before it."""
    return "".join(_kind(part).text(part) for part in parts)


def file_names(parts: Iterable[Part]) -> str:
    """Returns the names of a message's files, on one line."""
    return " ".join(" ".join(_kind(part).file_name(part) for part in parts).split())


def for_model(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Returns the parts as the kinds that every provider knows: text, reasoning, tool_call, tool_result, and image
    with its data in base64. The text of a file has the file under "file": see chat.engine.file_window."""
    return [shown for part in parts for shown in _kind(part).to_model(part)]


def for_share(parts: Iterable[Part]) -> list[Part]:
    """Returns the parts that a shared chat shows."""
    return [_kind(part).to_share(part) for part in parts if _kind(part).is_shared]


def for_staff(part: Part) -> StaffView:
    """Returns what staff read; a part of an unknown kind, or without a field, is shown as JSON."""
    try:
        return _kind(part).to_staff(part)
    except KeyError:
        return _staff_json(part)


def to_markdown(parts: Iterable[Part]) -> list[str]:
    """Returns lines of Markdown, with an empty line after each part that has any."""
    lines = []
    for part in parts:
        if part_lines := _kind(part).to_markdown(part):
            lines += [*part_lines, ""]
    return lines


def to_agui_messages(message_id: str, role: str, parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Returns a message as the AG-UI messages of a MESSAGES_SNAPSHOT; an empty reply gives one with empty content."""
    if role == "user":
        return [{"id": message_id, "role": "user", "content": text_of(parts)}]
    messages = AguiMessages(message_id)
    for part in parts:
        _kind(part).to_agui(messages, part)
    answer: dict[str, Any] = {"id": message_id, "role": "assistant", "content": messages.content}
    if messages.tool_calls:
        answer["toolCalls"] = messages.tool_calls
    return [*messages.reasonings, answer, *messages.results]


def attachment_id(part: Part) -> str | None:
    """Returns the id of the part's Attachment, or None if parts of its kind have none."""
    name = _kind(part).attachment
    return part[name] or None if name else None


def is_image(part: Part) -> bool:
    return _kind(part).is_image


def without_attachment(part: Part) -> list[dict[str, Any]]:
    """Returns what a model gets in place of a part whose attachment it is not shown."""
    text = _kind(part).left_out
    return [{"type": "text", "text": text}] if text else []


def read_part(value: Any) -> dict[str, Any]:
    """Returns the part in a file that people can edit: its fields, checked and cleaned, and nothing else.

    Raises KeyError, TypeError or ValueError if it is not a part. A field that may be missing is left out if it is not
    of its type; one that may be null is null if it is missing.
    """
    part: dict[str, Any] = {"type": value["type"]}
    for name, types, is_required in _fields(KINDS[value["type"]].fields):
        if name in value:
            item = value[name]
        elif NoneType in types:
            item = None
        elif is_required:
            raise KeyError(name)
        else:
            continue
        if type(item) in types:
            part[name] = clean_text(item) if isinstance(item, str) else item
        elif is_required:
            raise ValueError(name)
    return part


@cache
def _fields(kind: Any) -> list[tuple[str, tuple[type, ...], bool]]:
    """Returns (name, the types that its value may have, whether it is required) of each field except `type`."""
    fields = []
    for name, hint in get_type_hints(kind).items():
        if name != "type":
            types = get_args(hint) or (hint,)
            if hint is float:
                types = (float, int)
            fields.append((name, types, name in kind.__required_keys__))
    return fields
