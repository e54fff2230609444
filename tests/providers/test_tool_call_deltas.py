"""Tool calls in the shapes that servers send: each call arrives as the model meant it."""

import json
import random

import pytest

from chat.events import EventBuilder, Finish, ToolCallEnd, ToolCallStart, closing_events, fold
from chat.providers import langchain
from chat.providers.langchain.completions import NormalizedChunks
from chat.providers.openai.chunks import Chunks
from chat.providers.openai.tool_calls import ToolCallDeltas
from tests.providers.agent_runs import FINAL_ANSWER, outcome_of, text_part
from tests.upstream import CALLS, chunk


def delta(name=None, arguments=None, **fields):
    """One entry of `tool_calls`; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return fields | {"function": function}


F, G = ("f", {"x": 1}), ("g", {"y": [2]})
SHAPES = {  # kind -> (`tool_calls` of each chunk, the calls)
    # The name comes late, or in pieces, or again and again.
    "name in a later delta": (
        [[delta(index=0, id="a")], [delta("f", "", index=0)], [delta(None, '{"x": 1}', index=0)]],
        [F],
    ),
    "name first as an empty text": (
        [[delta("", "", index=0, id="a")], [delta("f", "", index=0)], [delta("", '{"x": 1}', index=0)]],
        [F],
    ),
    "name after the arguments": ([[delta("", '{"x":', index=0, id="a")], [delta("f", " 1}", index=0)]], [F]),
    "name in pieces": (
        [
            [delta("get_", "", index=0, id="a")],
            [delta("wea", index=0)],
            [delta("ther", "", index=0)],
            [delta("", '{"x": 1}', index=0)],
        ],
        [("get_weather", {"x": 1})],
    ),
    "name that grows": (
        [
            [delta("get_", "", index=0, id="a")],
            [delta("get_weather", "", index=0, id="a")],
            [delta(None, '{"x": 1}', index=0)],
        ],
        [("get_weather", {"x": 1})],
    ),
    "name in every delta": (
        [[delta("f", '{"x"', index=0, id="a")], [delta("f", ": 1}", index=0, id="a")], [delta("f", "", index=0)]],
        [F],
    ),
    "name once more after the end": ([[delta("f", '{"x": 1}')], [delta("f", "")]], [F]),
    "an id that changes": (
        [
            [delta("f", '{"x"', index=0, id="a")],
            [delta("f", ": 1", index=0, id="b")],
            [delta(None, "}", index=0, id="c")],
        ],
        [F],
    ),
    "an id in a later delta": ([[delta("f", "", index=0)], [delta(None, '{"x": 1}', index=0, id="a")]], [F]),
    # Which call a delta belongs to
    "two calls without index and id": ([[delta("f", '{"x": 1}')], [delta("g", '{"y": [2]}')]], [F, G]),
    "two calls without index and id in pieces": (
        [[delta("f", "")], [delta(None, '{"x"')], [delta(None, ": 1}")], [delta("g", "")], [delta(None, '{"y": [2]}')]],
        [F, G],
    ),
    "two calls of one tool without index and id": (
        [[delta("f", '{"x": 1}')], [delta("f", '{"x": 2}')]],
        [F, ("f", {"x": 2})],
    ),
    "two calls without index and id in one chunk": ([[delta("f", '{"x": 1}'), delta("g", '{"y": [2]}')]], [F, G]),
    "two calls without index and id in chunks of two": (
        [
            [delta("f", ""), delta("g", "")],
            [delta(None, '{"x"'), delta(None, '{"y"')],
            [delta(None, ": 1}"), delta(None, ": [2]}")],
        ],
        [F, G],
    ),
    "two calls under one index without ids": (
        [[delta("f", '{"x": 1}', index=0)], [delta("g", '{"y": [2]}', index=0)]],
        [F, G],
    ),
    "two calls with ids and without index": (
        [[delta("f", "", id="a")], [delta(None, '{"x": 1}')], [delta("g", "", id="b")], [delta(None, '{"y": [2]}')]],
        [F, G],
    ),
    "arguments by id after both starts": (
        [
            [delta("f", "", id="a"), delta("g", "", id="b")],
            [delta(None, '{"x"', id="a")],
            [delta(None, '{"y": [2]}', id="b")],
            [delta(None, ": 1}", id="a")],
        ],
        [F, G],
    ),
    "arguments by id under one index": (
        [
            [delta("f", "", index=0, id="a")],
            [delta("g", "", index=0, id="b")],
            [delta(None, '{"x": 1}', index=0, id="a")],
            [delta(None, '{"y": [2]}', index=0, id="b")],
        ],
        [F, G],
    ),
    "arguments by index after both starts": (
        [
            [delta("f", "", index=0, id="a"), delta("g", "", index=1, id="b")],
            [delta(None, '{"y"', index=1)],
            [delta(None, '{"x": 1}', index=0), delta(None, ": [2]}", index=1)],
        ],
        [F, G],
    ),
    "one id for all calls": (
        [
            [delta("f", "", index=0, id="x")],
            [delta(None, '{"x": 1}', index=0)],
            [delta("g", "", index=1, id="x")],
            [delta(None, '{"y": [2]}', index=1, id="x")],
        ],
        [F, G],
    ),
    "index as text": (
        [
            [delta("f", "", index="0", id="a"), delta("g", "", index="1", id="b")],
            [delta(None, '{"x": 1}', index=0)],
            [delta(None, '{"y": [2]}', index=1)],
        ],
        [F, G],
    ),
    "an index that starts at one": (
        [[delta("f", '{"x": 1}', index=1, id="a")], [delta("g", '{"y": [2]}', index=2)]],
        [F, G],
    ),
    "an id that is a number": ([[delta("f", '{"x"', index=0, id=7)], [delta(None, ": 1}", index=0, id=7)]], [F]),
    # Arguments
    "arguments repeated whole at the end": (
        [[delta("f", '{"x"', index=0, id="a")], [delta(None, ": 1}", index=0)], [delta(None, '{"x": 1}', index=0)]],
        [F],
    ),
    "arguments repeated with other spaces": (
        [[delta("f", '{"x": 1}', index=0, id="a")], [delta("f", '{"x":1}', index=0, id="a")]],
        [F],
    ),
    "arguments repeated by name alone": ([[delta("f", '{"x": 1}')], [delta("f", '{"x": 1}')]], [F]),
    "arguments that grow": (
        [[delta("f", text, index=0, id="a")] for text in ("{", '{"x"', '{"x"', '{"x": 1', '{"x": 1}', '{"x": 1}')],
        [F],
    ),
    "arguments that nest alike": (
        [[delta("f", text, index=0, id="a")] for text in ('{"x":', '{"x":', '{"x":', "1}}}")],
        [("f", {"x": {"x": {"x": 1}}})],
    ),
    "a placeholder before the arguments": (
        [[delta("f", "{}", index=0, id="a")], [delta(None, '{"x"', index=0)], [delta(None, ": 1}", index=0)]],
        [F],
    ),
    "arguments that are an object": ([[delta("f", {"x": 1}, index=0, id="a")]], [F]),
    "arguments that are an object, twice": ([[delta("f", {"x": 1}, index=0, id="a")]] * 2, [F]),
    "arguments as a JSON string of JSON": ([[delta("f", json.dumps('{"x": 1}'), index=0, id="a")]], [F]),
    "arguments as a JSON string in pieces": (
        [[delta("f", '"{', index=0, id="a")], [delta(None, '\\"x\\"', index=0)], [delta(None, ': 1}"', index=0)]],
        [F],
    ),
    "two calls with JSON strings": (
        [[delta("f", json.dumps('{"x": 1}'))], [delta("g", json.dumps('{"y": [2]}'))]],
        [F, G],
    ),
    "no arguments": (
        [[delta("f", "", index=0, id="a")], [delta("g", "{}", index=1, id="b")]],
        [("f", None), ("g", {})],
    ),
    "arguments that are the text null": ([[delta("f", "null", index=0, id="a")]], [("f", None)]),
    "arguments that are null": ([[delta("f", None, index=0, id="a")]], [("f", None)]),
    "braces in a text": (
        [[delta("f", '{"x": "}', index=0, id="a")], [delta("f", '{\\"', index=0, id="a")], [delta("f", '"}', index=0)]],
        [("f", {"x": '}{"'})],
    ),
    "backslashes at the cuts": (
        [[delta("f", text, index=0, id="a")] for text in ('{"x": "a\\', '\\"', "}", '{"x": "a\\\\"}')],
        [("f", {"x": "a\\"})],
    ),
    "a placeholder twice": ([[delta("f", "{}", index=0, id="a")], [delta("f", "{}", index=0, id="a")]], [("f", {})]),
    "a JSON string that is a text": ([[delta("f", '"Bern"', index=0, id="a")]], [("f", "Bern")]),
    # The list itself
    "tool_calls is an object": ([delta("f", '{"x": 1}', id="a")], [F]),
    "tool_calls by number": ([{"0": delta("f", '{"x": 1}', id="a"), "1": delta("g", '{"y": [2]}', id="b")}], [F, G]),
    "no function around the name": ([[{"index": 0, "id": "a", "name": "f", "arguments": '{"x": 1}'}]], [F]),
    "parameters in place of arguments": ([[{"id": "a", "function": {"name": "f", "parameters": {"x": 1}}}]], [F]),
    "entries that are empty": (
        [[{}, None], [{"index": 0}], [delta("f", '{"x": 1}', index=0)], [{"index": 1, "function": {}}]],
        [F],
    ),
}


def read_by_openai(chunks):
    reader = Chunks()
    pieces = [piece for each in chunks for piece in reader.feed(json.dumps(each).encode())]
    return [*pieces, *reader.close()]


def read_by_langchain(chunks):
    from langchain_core.messages import AIMessageChunk
    from langchain_openai.chat_models.base import _convert_delta_to_message_chunk

    reader, pieces = NormalizedChunks(), langchain.Pieces()
    read = []
    for each in chunks:
        for made in reader.feed(json.dumps(each).encode()):
            [choice] = made["choices"]
            message = _convert_delta_to_message_chunk(choice["delta"], AIMessageChunk)
            read += pieces.feed(message, {"finish_reason": choice.get("finish_reason")})
    return [*read, *pieces.close()]


def calls_of(pieces):
    """The calls, each (name, arguments), and checks that each has an id of its own and is closed."""
    builder = EventBuilder("m")
    log = [event for piece in pieces for event in builder.feed(piece)]
    assert closing_events(log) == []
    parts = fold(log)
    assert len({part["id"] for part in parts}) == len(parts)
    return [(part["name"], json.loads(part["arguments"]) if part["arguments"] else None) for part in parts]


@pytest.mark.parametrize("read", [read_by_openai, read_by_langchain])
@pytest.mark.parametrize("kind", SHAPES)
def test_tool_calls_arrive_as_they_were_meant(read, kind):
    deltas, calls = SHAPES[kind]
    chunks = [chunk({"tool_calls": calls}) for calls in deltas]
    pieces = read([*chunks, chunk(finish_reason="tool_calls")])
    assert calls_of(pieces) == calls
    assert pieces[-1] == Finish("tool_calls")


@pytest.mark.parametrize("read", [read_by_openai, read_by_langchain])
def test_function_call_of_older_servers_is_a_tool_call(read):
    deltas = [{"name": "f", "arguments": ""}, {"arguments": '{"x"'}, {"arguments": ": 1}"}]
    chunks = [chunk({"content": None, "function_call": delta}) for delta in deltas]
    assert calls_of(read([*chunks, chunk(finish_reason="function_call")])) == [F]


@pytest.mark.parametrize("read", [read_by_openai, read_by_langchain])
def test_tool_calls_arrive_in_any_fragments(read):
    chance = random.Random(5)
    for _ in range(200):
        wanted = [
            (
                chance.choice(["f", "get_weather", "g"]),
                {chance.choice("xy"): chance.choice([1, '"{}\\', {"x": {}}, [[]], "né"])},
            )
            for _ in range(chance.randrange(1, 4))
        ]
        chunks = []
        for number, (name, arguments) in enumerate(wanted):
            text = json.dumps(arguments, ensure_ascii=chance.random() < 0.5)
            cuts = sorted(chance.choices(range(len(text) + 1), k=chance.randrange(4)))
            pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
            chunks.append([delta(name, "", index=number, id=f"id{number}")])
            chunks += [[delta(None, piece, index=number)] for piece in pieces]
        assert (
            calls_of(read([*(chunk({"tool_calls": calls}) for calls in chunks), chunk(finish_reason="tool_calls")]))
            == wanted
        )


def test_call_starts_immediately_if_its_name_is_complete():
    offered = [{"type": "function", "function": {"name": name}} for name in ("get", "get_weather", "clock")]
    reader = NormalizedChunks(offered)
    starts = [
        sum(len(made["choices"][0]["delta"]["tool_calls"]) for made in reader.read(chunk(entry)["choices"], {}))
        for entry in (
            {"tool_calls": [delta("clo", "", index=0, id="a")]},
            {"tool_calls": [delta("ck", "", index=0)]},
            {"tool_calls": [delta("get", "", index=1, id="b")]},
            {"tool_calls": [delta("_weather", "", index=1)]},
        )
    ]
    assert starts == [0, 1, 0, 1]


def test_call_of_an_unknown_tool_starts_with_its_first_arguments():
    calls = ToolCallDeltas()
    assert list(calls.feed(0, "a", "f", "")) == []
    start, arguments = calls.feed(0, None, None, '{"x"')
    assert (start, arguments.delta) == (ToolCallStart("a", "f"), '{"x"')
    assert list(calls.feed(1, "b", "g", "")) == []
    assert list(calls.feed(2, "c", "h", "")) == [ToolCallStart("b", "g")]
    assert list(calls.close())[-1] == ToolCallEnd("c")


@pytest.mark.slow
async def test_agent_uses_tools_that_are_called_in_odd_shapes(agent_run):
    odd = [
        chunk({"tool_calls": [delta("ec", "", index=0, id="a")]}),
        chunk({"tool_calls": [delta("ho", index=0)]}),
        chunk({"tool_calls": [delta(None, '{"text": "one"}', index=0)]}),
        chunk({"tool_calls": [delta("echo", json.dumps('{"text": "two"}'), index=0)]}),
        chunk({"tool_calls": delta("echo", {"text": "three"}, id="c")}),
    ]
    run = await agent_run((*odd, *CALLS), FINAL_ANSWER)
    status, _, parts = await outcome_of(run)
    assert (status, parts[-1]) == ("completed", text_part("All is done."))
    assert [(part["name"], part["result"]) for part in parts[:-1]] == [
        ("echo", word) for word in ("one!", "two!", "three!")
    ]
