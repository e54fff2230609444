"""What an assistant may use, how a function becomes a tool, and what a tool gives."""

import asyncio
import inspect
import json
import re
import sys
import threading
import types
from datetime import datetime
from typing import Annotated, Literal

import pytest
from pydantic import Field

from chat import tools
from chat.tools import Context, Tool, ToolError, asks_first, execution
from chat.tools.base import MAX_KEY_LENGTH
from scripts.environment import ROOT
from tests.tools.calls import refusal, use

DOCS = (ROOT / "docs" / "tools.md").read_text()
NAMES = ["calculator", "clock", "search_conversations"]


# A function becomes a tool --------------------------------------------------------------------------------------------


async def test_built_in_tools_are_offered():
    async with tools.load(NAMES) as toolbox:
        assert list(toolbox) == NAMES
        for name, tool in toolbox.items():
            assert tool.name == name
            assert tool.description == inspect.getdoc(tools.get_tool(name))
            assert tool.schema["type"] == "object"
            assert "context" not in tool.schema["properties"]
            assert not tool.asks_first
        assert toolbox["calculator"].schema == {
            "type": "object",
            "properties": {"expression": {"type": "string"}},
            "required": ["expression"],
            "additionalProperties": False,
        }


async def test_types_and_docstring_are_what_the_model_sees(offer):
    def order(
        dish: Literal["soup", "bread"],
        count: Annotated[int, Field(ge=1, le=10, description="How many plates")] = 1,
        *,
        json: list[str] | None = None,
        schema: bool = False,
    ) -> str:
        """Order a dish.

        It comes warm.
        """
        return f"{count} {dish} {json} {schema}"

    offer(order)
    async with tools.load(["order"]) as toolbox:
        tool = toolbox["order"]
    assert tool.description == "Order a dish.\n\nIt comes warm."
    assert tool.schema == {
        "type": "object",
        "properties": {
            "dish": {"enum": ["soup", "bread"], "type": "string"},
            "count": {"default": 1, "description": "How many plates", "maximum": 10, "minimum": 1, "type": "integer"},
            "json": {"anyOf": [{"items": {"type": "string"}, "type": "array"}, {"type": "null"}], "default": None},
            "schema": {"default": False, "type": "boolean"},
        },
        "required": ["dish"],
        "additionalProperties": False,
    }
    assert await tool.use({"dish": "soup"}) == "1 soup None False"
    assert await tool.use({"dish": "soup", "count": "3", "json": ["hot"], "schema": True}) == "3 soup ['hot'] True"
    assert await tool.use({"dish": "soup", "count": None}) == "1 soup None False"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({}, "dish: Field required"),
        ({"dish": "cake"}, "dish: Input should be 'soup' or 'bread'"),
        ({"dish": None}, "dish: Input should be 'soup' or 'bread'"),
        ({"dish": "soup", "count": 0}, "count: Input should be greater than or equal to 1"),
        ({"dish": "soup", "knife": "SECRET"}, "knife: Extra inputs are not permitted"),
        ([], "must be a JSON object"),
        (None, "must be a JSON object"),
        ("soup", "must be a JSON object"),
    ],
)
async def test_wrong_arguments_are_a_sentence_and_never_reach_the_function(offer, arguments, sentence):
    called = []

    def order(dish: Literal["soup", "bread"], count: Annotated[int, Field(ge=1)] = 1) -> str:
        """Order a dish."""
        called.append(dish)

    offer(order)
    output = await refusal("order", arguments)
    assert sentence in output
    assert "SECRET" not in output
    assert not called


async def test_context_is_given_and_never_taken_from_the_model(offer):
    def whoami(whom: Context, question: str = "?") -> str:
        """Who asks?"""
        return f"{whom.user_id} {whom.time_zone} {whom.conversation} {question}"

    offer(whoami)
    alice = Context(user_id=7, time_zone="Asia/Tokyo", conversation="c")
    assert await use("whoami", {}, alice) == "7 Asia/Tokyo c ?"
    assert "whom: Extra inputs are not permitted" in await refusal("whoami", {"whom": {"user": 8}}, alice)


async def test_tool_may_be_a_coroutine(offer):
    async def slow_add(a: int, b: int) -> int:
        """Add."""
        await asyncio.sleep(0)
        assert threading.current_thread() is threading.main_thread()
        return a + b

    offer(slow_add)
    assert await use("slow_add", {"a": 1, "b": 2}) == "3"


async def test_tool_that_asks_first_says_so(offer):
    @asks_first
    def send(to: str) -> str:
        """Send."""

    offer(send)
    async with tools.load(["send", "clock", "calculator"], ask_first=["clock", "gone"]) as toolbox:
        assert {name: tool.asks_first for name, tool in toolbox.items()} == {
            "send": True,
            "clock": True,
            "calculator": False,
        }


def tool(**fields):
    fields = {"name": "files_read", "description": "Reads.", "schema": {"type": "object"}, "use": None} | fields
    return Tool(**fields)


def test_key_names_the_server_of_a_tool():
    assert tool().key == "files_read"
    assert tool(server="files", server_name="read").key == "files/read"
    assert len(tool(server="files", server_name="x" * 1000).key) == MAX_KEY_LENGTH


def test_version_changes_with_all_that_a_tool_is(subtests):
    """A server that gives an allowed name to another tool must not get that one allowed."""
    mcp_tool = tool(server="files", server_name="read")
    others = {
        "a function": tool(),
        "another server": tool(server="disk", server_name="read"),
        "another name": tool(server="files", server_name="delete"),
        "a long name": tool(server="files", server_name="x" * 1000),
        "a name that begins alike": tool(server="files", server_name="x" * 1001),
        "another description": tool(server="files", server_name="read", description="Deletes."),
        "other arguments": tool(server="files", server_name="read", schema={"type": "object", "required": ["path"]}),
        "another effect": tool(server="files", server_name="read", annotations={"destructiveHint": True}),
    }
    versions = {name: other.version for name, other in others.items()} | {"itself": mcp_tool.version}
    assert len(set(versions.values())) == len(versions)
    assert tool(server="files", server_name="read").version == mcp_tool.version
    assert tool(server="files", server_name="read", asks_first=True).version == mcp_tool.version


async def test_unusable_tool_is_left_out_and_logged(offer, caplog, monkeypatch):
    def anything(*values) -> str:
        """No names."""

    offer(anything)
    monkeypatch.setitem(tools.REGISTRY, "missing", "chat.tools.no_such_module.missing")
    async with tools.load(["no_such_tool", "missing", "anything", "clock", "clock"]) as toolbox:
        assert list(toolbox) == ["clock"]
    for name in ("no_such_tool", "missing", "anything"):
        assert f"The tool “{name}” is not offered" in caplog.text


async def test_docs_example_works_as_written(monkeypatch, alice):
    module = types.ModuleType("chat.tools.orders")
    module.__package__ = "chat.tools"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(re.search(r"```python\n(.*?)```", DOCS, re.S)[1], module.__dict__)
    monkeypatch.setitem(tools.REGISTRY, "order", "chat.tools.orders.order")
    async with tools.load(["order"], Context(user_id=alice.pk)) as toolbox:
        assert toolbox["order"].asks_first
        assert toolbox["order"].schema["properties"]["plates"]["description"] == "How many"
        output = await toolbox["order"].use({"dish": "soup", "plates": 2})
        assert json.loads(output) == {"ordered": "soup", "plates": 2, "for": "alice"}
        with pytest.raises(ToolError, match="There are only 1 plates"):
            await toolbox["order"].use({"dish": "soup", "plates": 2})


def test_docs_list_the_actual_limits_and_tools():
    for statement in (
        f"`TOOL_TIMEOUT` | {execution.TOOL_TIMEOUT} s",
        f"`MAX_THREADS` | {execution.MAX_THREADS} plain",
        f"`MAX_RESULT_LENGTH` | {tools.MAX_RESULT_LENGTH:,} characters",
    ):
        assert statement in DOCS
    for name in tools.REGISTRY:
        assert f"| `{name}` |" in DOCS


# What a tool gives ----------------------------------------------------------------------------------------------------

LOOP = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    "result, output",
    [
        ("text", "text"),
        ("", ""),
        (None, "null"),
        (3.5, "3.5"),
        ({"city": "東京", "on": datetime(2026, 1, 2)}, '{"city": "東京", "on": "2026-01-02 00:00:00"}'),
        (["a", 1], '["a", 1]'),
        ({(1, 2): 3}, "{(1, 2): 3}"),
        (LOOP, "[[...]]"),
        ("a\0b\ud800c", "ab\ufffdc"),
        ("x" * tools.MAX_RESULT_LENGTH, "x" * tools.MAX_RESULT_LENGTH),
        (
            "x" * 5_000_000,
            "x" * tools.MAX_RESULT_LENGTH + "\n[Truncated: the full text has 5,000,000 characters.]",
        ),
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_result_becomes_bounded_text(offer, result, output, is_async):
    def give() -> object:
        """Give."""
        return result

    async def agive() -> object:
        """Give."""
        return result

    function = agive if is_async else give
    offer(function)
    assert await use(function.__name__, {}) == output


@pytest.mark.parametrize(
    "error, is_async",
    [
        (error, is_async)
        for error in (ValueError("SECRET"), StopIteration(), asyncio.CancelledError())
        for is_async in (0, 1)
    ]
    + [(SystemExit(1), 0), (KeyboardInterrupt(), 0)],  # from a coroutine they are meant for the whole process
)
async def test_failing_tool_gives_a_sentence_without_details(offer, caplog, error, is_async):
    def broken() -> str:
        """Break."""
        raise error

    async def abroken() -> str:
        """Break."""
        raise error

    function = abroken if is_async else broken
    offer(function)
    output = await refusal(function.__name__, {})
    assert output == f"The tool “{function.__name__}” failed."
    assert f"The tool “{function.__name__}” failed" in caplog.text
    if isinstance(error, ValueError):
        assert "SECRET" in caplog.text  # whoever runs the site finds it there


async def test_tool_error_is_shortened(offer):
    def refuse() -> str:
        """Refuse."""
        raise ToolError("No. " * 100_000)

    offer(refuse)
    output = await refusal("refuse", {})
    assert output.startswith("No. No. ")
    assert len(output) < tools.MAX_ERROR_LENGTH + 100


def test_registered_tools_are_found_and_have_a_docstring():
    assert set(NAMES) <= set(tools.REGISTRY)
    for name in tools.REGISTRY:
        tool = tools.get_tool(name)
        assert tool.__name__ == name
        assert tool.__doc__
        assert set(tool.__annotations__) >= {"return"}


@pytest.mark.parametrize("name", ["", "no_such_tool", "chat.tools.clock", "os.system"])
def test_unknown_tool_gives_a_sentence(name):
    with pytest.raises(ToolError, match="There is no tool called"):
        tools.get_tool(name)
