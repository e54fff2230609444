"""Every function that reads a text takes time in proportion to it, whatever the text.

The functions are found in the modules that read what users, models and tools write, new ones too. Each is called with
texts of one length and of four times that length. The factor of its time tells linear from quadratic: about 4, or 16.
"""

import importlib
import inspect
import json
import typing

import pytest

from chat import parts
from chat.events import (
    EventBuilder,
    Finish,
    Limits,
    Reasoning,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallStart,
    fold,
    to_dict,
)
from chat.folding import fold as fold_text
from chat.markdown_to_text import MARK
from chat.providers.openai.tool_calls import ToolCallDeltas
from chat.providers.thoughts import ThoughtReader
from tests.growth.growth import MAX_FACTOR, TEXTS, growth

MODULES = [
    "chat.api_keys",
    "chat.asgi.base",
    "chat.asgi.headers",
    "chat.engine.titles",
    "chat.events.fold",
    "chat.events.text",
    "chat.events.wire",
    "chat.folding",
    "chat.language",
    "chat.live.sse",
    "chat.markdown_to_text",
    "chat.models.lookups",
    "chat.models.titles",
    "chat.providers.demo",
    "chat.providers.langchain.errors",
    "chat.providers.error_reports",
    "chat.providers.finish_reasons",
    "chat.providers.openai.chunks",
    "chat.providers.openai.event_data",
    "chat.providers.openai.tool_calls",
    "chat.providers.thoughts.harmony",
    "chat.providers.thoughts.tags",
    "chat.schemas",
    "chat.search",
    "chat.tools.calculator",
    "chat.tools.execution",
    "gateways.openai.schemas",
    "gateways.openai.chat_request",
]
TEXT_NAMES = {
    "body",
    "content",
    "data",
    "delta",
    "expression",
    "header",
    "line",
    "query",
    "scope",
    "text",
    "value",
    "words",
}

# How a function is called whose only argument is not the text itself.
ARGUMENTS = {
    "chat.api_keys.digest_of_authorization": lambda text: [f"Bearer {text}", text],
    "chat.asgi.headers.are_within_limits": lambda text: [{"headers": [(b"cookie", text.encode("utf-8", "replace"))]}],
    "chat.asgi.headers.sanitize": lambda text: [{"headers": [(b"cookie", text.encode("utf-8", "replace"))]}],
    "chat.events.text.shorten": lambda text: [text, len(text) // 2],
    "chat.events.wire.from_json": lambda text: [json.dumps({"type": "CUSTOM", "name": "n", "value": text})],
    "chat.events.wire.unpack": lambda text: [json.dumps([{"type": "CUSTOM", "name": "n", "value": text}])],
    "chat.folding._cluster_of": lambda text: [text, len(fold_text(text)) - 1],
    "chat.folding.find_in_original": lambda text: [text, 0, len(fold_text(text))],
    "chat.live.sse.parse_position": lambda text: [text, text],
    "chat.markdown_to_text._content": lambda text: [text, "", False],
    "chat.markdown_to_text._convert": lambda text: [text, "", False, True],
    "chat.markdown_to_text._fence_after": lambda text: [text, "```"],
    "chat.markdown_to_text._fence_before": lambda text: [text, len(text), False],
    "chat.markdown_to_text.excerpt_to_text": lambda text: [text, len(text) // 2, 100],
    "chat.markdown_to_text._without_marks": lambda text: [text, MARK, True],
    "chat.models.lookups._contains": lambda text: [text, f"{text[:150]}x"],
    "chat.providers.openai.event_data.load": lambda text: [json.dumps({"choices": [text]}).encode()],
    "chat.providers.thoughts.tags.could_begin": lambda text: [text, ("</think>", "<think>")],
    "chat.providers.thoughts.tags.held_length": lambda text: [text, "</think>"],
    "chat.search._snippet": lambda text: [text, f"{text[:150]}x {text[-40:]}"],
    "chat.search.passage": lambda text: [text, f"{text[:150]}x {text[-40:]}", 300, 60],
    "chat.search._first_match": lambda text: [text, f"{text[:150]}x {text[-40:]}"],
    "chat.tools.execution.truncate": lambda text: [text, len(text) // 2],
    "gateways.openai.schemas.loads": lambda text: [json.dumps([text])],
    "gateways.openai.chat_request._decode": lambda text: [f"data:image/png;base64,{text}", "messages"],
}
EXEMPT = {  # what they are given instead of a long text
    "chat.api_keys._used_grant": "a digest",
    "chat.api_keys.grant_of_connection": "headers, which chat.asgi.headers bounds",
    "chat.asgi.base.send_error": "sentences of our own",
    "chat.asgi.base.send_refusal": "sentences of our own",
    "chat.providers.langchain.errors.package_missing": "the name of a package",
    "chat.tools.calculator.with_checks": "functions of our own",
    "chat.tools.execution.run_within_limits": "a call",
    "chat.asgi.base.address_of": "an address",
    "chat.language.activate_from_scope": "headers, which chat.asgi.headers bounds",
    "chat.folding._fold_piece": "a piece, whose length is limited",
    "chat.search.matching_conversations": "the words of a search, at most 200 characters",
    "chat.search.snippets": "the same",
    "chat.search._newest_texts": "the same",
    "chat.search.title_contains": "the same",
    "chat.search.text_near": "the same",
    "chat.events.text._continues_grapheme": "two characters",
    "chat.events.fold._withdraw": "the type of a part",
    "chat.events.wire.camel": "names of our own",
    "gateways.openai.chat_request._contents": "a name of our own",
    "gateways.openai.chat_request._store_turn": "a role",
}


def text_functions():
    for name in MODULES:
        module = importlib.import_module(name)
        for function in vars(module).values():
            if inspect.isfunction(function) and function.__module__ == name and _takes_text(function):
                yield f"{name}.{function.__name__}"


def _takes_text(function):
    parameters = inspect.signature(function).parameters.values()
    return any(parameter.annotation in (str, bytes) or parameter.name in TEXT_NAMES for parameter in parameters)


FOUND = sorted(set(text_functions()) - EXEMPT.keys())


def test_functions_are_all_listed():
    assert EXEMPT.keys() | ARGUMENTS.keys() <= set(text_functions()), "These functions no longer exist."
    unknown = [name for name in FOUND if name not in ARGUMENTS and len(required_parameters(function_named(name))) != 1]
    assert unknown == [], "Say in ARGUMENTS how these functions are called, or in EXEMPT why they need no test."


def function_named(name):
    module, _, function = name.rpartition(".")
    return getattr(importlib.import_module(module), function)


def required_parameters(function):
    parameters = inspect.signature(function).parameters.values()
    return [parameter for parameter in parameters if parameter.default is parameter.empty]


@pytest.mark.parametrize("name", FOUND)
def test_function_is_linear(name):
    function = function_named(name)
    make_arguments = ARGUMENTS.get(name, lambda text: [text])
    slow = {kind: factor for kind, unit in TEXTS.items() if (factor := growth(function, make_arguments, unit))}
    assert slow == {}


@pytest.mark.parametrize("kind", parts.KINDS)
def test_part_is_read_in_linear_time(kind):
    fields = typing.get_type_hints(parts.KINDS[kind].fields)

    def read(text):
        part = {"type": kind} | {name: text for name in fields if name != "type"}
        parts.text_of([part])
        parts.for_model([part])
        parts.for_share([part])
        parts.for_staff(part)
        parts.to_markdown([part])
        parts.to_agui_messages("message", "assistant", [part])
        parts.read_part(part)

    assert {name: factor for name, unit in TEXTS.items() if (factor := growth(read, lambda text: [text], unit))} == {}


@pytest.mark.parametrize(
    "read",
    [parts.text_of, parts.for_model, parts.to_markdown, lambda rows: parts.to_agui_messages("m", "assistant", rows)],
)
def test_parts_are_read_in_time_that_grows_with_their_number(read):
    call = {"type": "tool_call", "id": "c", "name": "n", "arguments": "{}", "result": "r", "error": None}
    rows = [call, {"type": "text", "text": "t"}, {"type": "reasoning", "text": "t"}]
    assert growth(read, lambda text: [rows * (len(text) // 4)], "a") == 0


def pieces_of(count):
    for number in range(count):
        yield Reasoning("thought ")
        yield Text("word ")
        yield ToolCallStart(f"call-{number}", "clock")
        yield ToolCallArgs(f"call-{number}", "{")
        yield ToolCallArgs(f"call-{number}", "}")
        yield ToolCallEnd(f"call-{number}")


def events_of(pieces):
    builder = EventBuilder("message", limits=Limits(tool_calls=10**9, arguments_length=10**9, parts=10**9))
    events = [event for piece in pieces for event in builder.feed(piece)]
    return [*events, *builder.feed(Finish("stop"))]


@pytest.mark.parametrize(
    "work",
    [
        lambda count: events_of(pieces_of(count)),
        lambda count: fold(events_of(pieces_of(count))),
        lambda count: [to_dict(event) for event in events_of(pieces_of(count))],
        lambda count: events_of(ToolCallArgs("call", '"a", ') for _ in range(20 * count)),
        lambda count: fold(events_of(Text("word ") for _ in range(20 * count))),
    ],
    ids=["builder", "fold", "wire", "arguments", "text"],
)
def test_events_are_read_in_time_that_grows_with_their_number(work):
    assert growth(work, lambda text: [len(text) // 20], "a") == 0


def think(text, delta_length):
    """Reads a response in deltas of this length."""
    reader = ThoughtReader()
    for start in range(0, len(text), delta_length):
        reader.feed(text[start : start + delta_length])
    return reader.finish("stop")


THOUGHTS = {
    "closing tags in code": "`</think>` ",
    "closing tags that are spoken of": "a </think> b",
    "thoughts in turn": "<think>a</think>b\n",
    "opening tags": "<think> is ",
    "beginnings of tags": "</thin",
    "spaces": " \n",
    "spaces behind the answer": "</answer>" + 40 * " ",
    "channels": "<|channel|>analysis<|message|>a<|end|><|start|>assistant",
    "backticks": "```\n",
}


@pytest.mark.parametrize("start", ["", "a ", "<think>", "<|channel|>", "<think>a</think><answer>"])
@pytest.mark.parametrize("delta_length", [1, 7, 10**9])
@pytest.mark.parametrize("kind", THOUGHTS)
def test_thoughts_in_a_text_are_read_in_linear_time(kind, delta_length, start):
    assert growth(think, lambda text: [start + text, delta_length], THOUGHTS[kind]) == 0


TOOL_CALLS = {  # deltas of calls, (index, id, name, arguments)
    "arguments": (0, "a", "f", '{"x'),
    "objects": (None, None, "f", '{"x": 1}'),
    "braces": (0, "a", "f", "{"),
    "braces that close": (0, "a", "f", "}{"),
    "strings": (0, "a", None, '"'),
    "names": (0, None, "f", ""),
}


@pytest.mark.parametrize("kind", TOOL_CALLS)
def test_tool_calls_are_read_in_linear_time(kind):
    def read(count):
        calls = ToolCallDeltas()
        return [*(piece for _ in range(count) for piece in calls.feed(*TOOL_CALLS[kind])), *calls.close()]

    assert growth(read, lambda text: [len(text) // 20], "a") == 0


@pytest.mark.parametrize(
    "function",
    [
        lambda text: [text[:index] for index in range(0, len(text), 4)],
        lambda text: [text.count(letter) for letter in text[::20]],
    ],
    ids=["copies", "counts"],
)
def test_quadratic_function_is_found(function):
    assert growth(function, lambda text: [text], "a") > MAX_FACTOR
