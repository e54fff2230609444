"""What an assistant may use."""

import ast
import asyncio
import inspect
import json
import math
import re
import sys
import threading
import time
import types
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Literal

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import connections
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import Field

from chat import tools
from chat.executors import DaemonPool
from chat.models import Conversation, Message
from chat.tools import Context, ToolError, asks_first, execution
from chat.tools.calculator import MAX_BITS, MAX_LENGTH, calculator
from scripts.environment import ROOT
from tests.waiting import wait_until

DOCS = (ROOT / "docs" / "tools.md").read_text()
NAMES = ["calculator", "clock", "search_conversations"]


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


# A function becomes a tool --------------------------------------------------------------------------------------------


@pytest.fixture
def offer(monkeypatch):
    """`offer(function)` puts it into the registry under its name."""

    def put(function):
        monkeypatch.setattr(sys.modules[__name__], function.__name__, function, raising=False)
        monkeypatch.setitem(tools.REGISTRY, function.__name__, f"{__name__}.{function.__name__}")

    return put


async def use(name, arguments, context=tools.ANONYMOUS):
    async with tools.load([name], context) as toolbox:
        return await toolbox[name].use(arguments)


async def refusal(name, arguments, context=tools.ANONYMOUS):
    with pytest.raises(ToolError) as refused:
        await use(name, arguments, context)
    return str(refused.value)


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


# Time, threads and connections ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
async def test_slow_tool_times_out(offer, monkeypatch, caplog, is_async):
    monkeypatch.setattr(execution, "TOOL_TIMEOUT", 0.1)
    gate, closed = threading.Event(), []

    def overrun() -> str:
        """Wait."""
        gate.wait(10)
        return "late"

    async def aoverrun() -> str:
        """Wait."""
        try:
            await asyncio.sleep(10)
        finally:
            closed.append(True)

    function = aoverrun if is_async else overrun
    offer(function)
    try:
        assert await refusal(function.__name__, {}) == f"The tool “{function.__name__}” took longer than 0.1 seconds."
    finally:
        gate.set()
    assert "took longer" in caplog.text
    assert closed == ([True] if is_async else [])
    await wait_until(lambda: execution.pool.free == execution.MAX_THREADS)


async def test_coroutine_that_ignores_cancellation_is_left_behind(offer, monkeypatch):
    monkeypatch.setattr(execution, "TOOL_TIMEOUT", 0.05)
    monkeypatch.setattr(execution, "CANCEL_TIMEOUT", 0.05)
    gate = asyncio.Event()

    async def stubborn() -> str:
        """Wait, whatever happens."""
        while not gate.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                pass

    offer(stubborn)
    async with asyncio.timeout(5):
        assert "took longer" in await refusal("stubborn", {})
    gate.set()


@pytest.mark.parametrize("is_async", [False, True])
async def test_cancelled_run_stops_a_tool_that_can_be_stopped(offer, is_async):
    begun, gate, stopped = threading.Event(), threading.Event(), []

    def wait_here() -> str:
        """Wait."""
        begun.set()
        gate.wait(10)

    async def await_here() -> str:
        """Wait."""
        begun.set()
        try:
            await asyncio.sleep(10)
        finally:
            stopped.append(True)

    function = await_here if is_async else wait_here
    offer(function)
    run = asyncio.create_task(use(function.__name__, {}))
    try:
        await wait_until(begun.is_set)
        run.cancel()
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await run
        assert stopped == ([True] if is_async else [])
    finally:
        gate.set()
    await wait_until(lambda: execution.pool.free == execution.MAX_THREADS)


def test_threads_of_one_owner_leave_room_for_others():
    pool = DaemonPool("tool", 3, max_per_owner=2)
    gates = {owner: threading.Event() for owner in "abc"}
    began = []

    def enter(owner):
        began.append(owner)
        gates[owner].wait(10)

    calls = [pool.submit(partial(enter, owner), owner) for owner in "aaaabbbcc"]
    assert [call.running() for call in calls] == [True, True, False, False, True, False, False, False, False]
    gates["b"].set()
    calls[5].result(10)  # b's second one, as a has all that it may have
    gates["c"].set()
    for call in calls[4:]:
        call.result(10)
    assert began[2:] == ["b", "b", "c", "b", "c"]  # in turns
    assert not calls[2].running()
    calls[2].cancel()
    calls.append(pool.submit(partial(enter, "a"), "a"))
    assert sum(map(len, pool.queues.values())) == 2  # the cancelled one is gone
    gates["a"].set()
    calls[-1].result(10)
    assert began[7:] == ["a", "a"]


async def test_hanging_tools_of_one_user_leave_threads_to_others(offer, monkeypatch):
    gate = threading.Event()

    def hang(seconds: int = 0) -> str:
        """Wait, or not."""
        if seconds:
            gate.wait(10)
        return "done"

    offer(hang)
    async with tools.load(["hang"], Context(1)) as first, tools.load(["hang"], Context(2)) as second:
        uses = [asyncio.create_task(first["hang"].use({"seconds": 1})) for _ in range(2 * execution.MAX_THREADS)]
        await wait_until(lambda: execution.pool.threads_of[1] == execution.MAX_THREADS_PER_USER)
        assert await second["hang"].use({}) == "done"
        gate.set()
        await asyncio.gather(*uses)
    await wait_until(lambda: execution.pool.free == execution.MAX_THREADS)


async def test_threads_are_limited_and_further_calls_wait(offer, monkeypatch):
    pool = DaemonPool("tool", 2)
    monkeypatch.setattr(execution, "pool", pool)
    gate, inside = threading.Event(), []

    def enter(number: int) -> int:
        """Wait with the others."""
        inside.append(number)
        gate.wait(10)
        return number

    offer(enter)
    uses = [asyncio.create_task(use("enter", {"number": number})) for number in range(6)]
    try:
        await wait_until(lambda: sum(map(len, pool.queues.values())) == 4)
        assert len(inside) == 2
        assert not pool.free
        uses[5].cancel()
        await asyncio.wait([uses[5]])
    finally:
        gate.set()
    assert await asyncio.gather(*uses[:5]) == ["0", "1", "2", "3", "4"]
    await wait_until(lambda: pool.free == 2)
    assert 5 not in inside
    await wait_until(lambda: not [thread for thread in threading.enumerate() if thread.name == "tool"])


async def test_endless_thread_does_not_keep_the_process_alive(offer):
    script = (
        "import threading; from chat.executors import DaemonPool;"
        "begun = threading.Event();"
        "DaemonPool('tool', 1).submit(lambda: (begun.set(), threading.Event().wait()));"
        "begun.wait(); print('left')"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(20):
        output, _ = await process.communicate()
    assert (output, process.returncode) == (b"left\n", 0)


async def test_tool_closes_its_database_connection(offer, alice):
    used = []

    def count() -> int:
        """Count people."""
        mine = connections["default"]
        people = get_user_model().objects.count()
        assert mine.connection is not None
        used.append(mine)
        return people

    offer(count)
    assert await asyncio.gather(use("count", {}), use("count", {})) == ["1", "1"]
    assert len({id(wrapper) for wrapper in used} | {id(connections["default"])}) == 3  # each thread has its own
    assert [wrapper.connection for wrapper in used] == [None, None]


# The clock ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone, hours", [("UTC", 0), ("Asia/Tokyo", 9), ("Asia/Kolkata", 5.5)])
def test_clock_gives_the_time_to_the_second(zone, hours):
    clock = tools.get_tool("clock")
    before = datetime.now(UTC).replace(microsecond=0)
    output = datetime.fromisoformat(clock(zone))
    assert before <= output <= datetime.now(UTC)
    assert output.utcoffset() == timedelta(hours=hours)
    assert output.microsecond == 0


def test_clock_gives_utc_by_default():
    assert tools.get_tool("clock")().endswith("+00:00")


@pytest.mark.parametrize("arguments", [{}, {"time_zone": ""}, {"time_zone": None}])
async def test_clock_gives_the_users_own_time(arguments):
    assert (await use("clock", arguments, Context(time_zone="Asia/Tokyo"))).endswith("+09:00")
    assert (await use("clock", arguments, Context(time_zone=""))).endswith("+00:00")
    assert (await use("clock", arguments, Context(time_zone="Mars/Olympus"))).endswith("+00:00")


async def test_clock_gives_the_time_of_another_zone_when_asked():
    output = await use("clock", {"time_zone": "Asia/Kolkata"}, Context(time_zone="Asia/Tokyo"))
    assert output.endswith("+05:30")


@pytest.mark.parametrize(
    "zone",
    ["Mars/Olympus", "../../etc/passwd", "/etc/passwd", "America", "a\0b", "\ud800", "x" * 5000, None, 5, ["UTC"], {}],
)
def test_clock_refuses_an_unknown_time_zone(zone):
    with pytest.raises(ToolError, match="is not a time zone") as refused:
        tools.get_tool("clock")(zone)
    assert len(str(refused.value)) < 150


# The calculator -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "expression, result",
    [
        ("sqrt(71)", "8.426149773176359"),
        ("2 + 2", "4"),
        ("12 / 2", "6"),
        ("1 / 3", "0.3333333333333333"),
        ("0.1 + 0.2", "0.30000000000000004"),
        ("-7 // 2", "-4"),
        ("-7 % 3", "2"),
        ("+5", "5"),
        ("-0.0", "0"),
        ("2 ** -1", "0.5"),
        ("(-2) ** 3", "-8"),
        ("2 * 3 ^ 2", "18"),
        ("2^3^2", "512"),
        ("1_000 * 2", "2000"),
        ("0x10", "16"),
        ("1e16", "1e+16"),
        ("2 ** 100", "1267650600228229401496703205376"),
        ("pi", str(math.pi)),
        ("ln(e)", "1"),
        ("log(8, 2)", "3"),
        ("log10(1000)", "3"),
        ("log(10 ** 3000)", "6907.755278982137"),
        ("sin(pi / 2)", "1"),
        ("degrees(atan2(1, 1))", "45"),
        ("floor(2.7) + ceil(2.2) + trunc(-2.7)", "3"),
        ("round(2.567, 2)", "2.57"),
        ("round(2.5)", "2"),
        ("round(1234, -2)", "1200"),
        ("abs(-3) * sign(-2)", "-3"),
        ("max(1, 5, 3) - min([4, 2])", "3"),
        ("sum([1, 2, 3]) + sum(4, 5)", "15"),
        ("mean(1, 2)", "1.5"),
        ("median((1, 9, 2))", "2"),
        ("factorial(20)", str(math.factorial(20))),
        ("factorial(0)", "1"),
        ("comb(49, 6)", "13983816"),
        ("perm(5, 2)", "20"),
        ("gcd(12, 18) * lcm(4, 6)", "72"),
        ("17 * 23 > 390", "true"),
        ("1 < 2 < 2", "false"),
        ("1 == 1.0", "true"),
        # As people write
        ("3 × 4 ÷ 2 − 1", "5"),
        ("5² + 10¹²", "1000000000025"),
        ("√71", "8.426149773176359"),
        ("√(4) + √ 9", "5"),
        ("2 * π", str(math.tau)),
        ("（１＋２）＊３", "9"),
        ("1 +\n  2", "3"),
        (" 7 ", "7"),
        ("+".join(["1"] * 200), "200"),
    ],
)
def test_calculator_works_out_the_result(expression, result):
    output = calculator(expression)
    assert output == result or (expression.startswith("log(10 **") and output.startswith("6907.75527898213"))


LARGE = "The number is too large"
ONLY = "Only numbers, operators and mathematical functions are allowed."
REAL = "Only real numbers are supported."
DEEP = "nested too deeply"
NONE = "is not a valid expression"


@pytest.mark.parametrize(
    "expression, sentence",
    [
        ("9**9**9", LARGE),
        ("9^9^9", LARGE),
        ("2 ** 10_001", LARGE),
        ("10 ** 3000 * 10 ** 3000", LARGE),
        ("9.0 ** 9 ** 9", LARGE),
        ("2.5 ** 10_000", LARGE),
        ("1e308 * 10", LARGE),
        ("1e999", LARGE),
        ("1e999 - 1e999", LARGE),
        ("10 ** 400 / 3", LARGE),
        ("sqrt(10 ** 700)", LARGE),
        ("exp(1000)", LARGE),
        ("9" * 990 + "**9", LARGE),
        ("factorial(10 ** 9)", LARGE),
        ("factorial(factorial(20))", LARGE),
        ("factorial(10 ** 400)", LARGE),
        ("comb(10 ** 9, 5 * 10 ** 8)", LARGE),
        ("perm(10 ** 9, 10 ** 9)", LARGE),
        ("lcm(" + ",".join(f"10**3000+{number}" for number in range(70)) + ")", LARGE),
        ("sum(" + ",".join(["2**9999"] * 100) + ")", LARGE),
        ("mean(10 ** 3000, 0.5)", LARGE),
        ("round(5, -10 ** 9)", "Numbers cannot be rounded to that many digits."),
        ("1 << 10 ** 9", ONLY),
        ("1 >> 1", ONLY),
        ('"a" * 10 ** 9', REAL),
        ("'a'", REAL),
        ("b'a'", REAL),
        ("[0] * 10 ** 9", REAL),
        ("(1, 2) < (1, 3)", REAL),
        ("min([1], [2])", REAL),
        ("sum([[1]])", REAL),
        ("1j", REAL),
        ("(-8) ** 0.5", REAL),
        ("None", REAL),
        ("...", REAL),
        ("sqrt", REAL),
        ("sqrt + 1", REAL),
        ("max(sqrt)", REAL),
        ("[x for x in [1]]", ONLY),
        ("sum(x for x in [1])", ONLY),
        ("lambda: 1", ONLY),
        ("(1).__class__", ONLY),
        ("().__class__.__bases__[0].__subclasses__()", ONLY),
        ("math.sqrt(4)", ONLY),
        ("[1, 2][0]", ONLY),
        ("{1: 2}", ONLY),
        ("{1}", ONLY),
        ("f'{1}'", ONLY),
        ("abs(*[1])", ONLY),
        ("round(1.5, ndigits=1)", ONLY),
        ("(x := 1)", ONLY),
        ("1 if 1 else 2", ONLY),
        ("1 and 2", ONLY),
        ("not 1", ONLY),
        ("~1", ONLY),
        ("1 | 2", ONLY),
        ("1 in [1]", ONLY),
        ("1 is 1", ONLY),
        ("(1)(2)", ONLY),
        ("await x", ONLY),
        ("1, 2", "is a list"),
        ("1,234 * 2", "is a list"),
        ("[1]", "is a list"),
        ("1 / 0", "Division by zero"),
        ("5 % 0", "Division by zero"),
        ("0 ** -1", "Division by zero"),
        ("sqrt(-1)", "“sqrt” is not defined for these values."),
        ("log(0)", "“log” is not defined for these values."),
        ("factorial(5.5)", "“factorial” is not defined for these values."),
        ("factorial(-1)", "“factorial” is not defined for these values."),
        ("comb(5)", "“comb” is not defined for these values."),
        ("max()", "“max” is not defined for these values."),
        ("median([])", "“median” is not defined for these values."),
        ("round(1.5, 0.5)", "“round” is not defined for these values."),
        ("lcm(1.5)", "“lcm” is not defined for these values."),
        ("x", "“x” is not defined."),
        ("eval", "“eval” is not defined."),
        ("__import__('os')", "There is no function “__import__”."),
        ("eval('1')", "There is no function “eval”."),
        ("", NONE),
        ("   ", NONE),
        ("2 + 2 =", NONE),
        ("2pi", NONE),
        ("5!", NONE),
        ("50%", NONE),
        ("import os", NONE),
        ("1; 2", NONE),
        ("x = 1", NONE),
        ("\0", NONE),
        ("\ud800", NONE),
        ("(" * 400 + "1" + ")" * 400, NONE),
        ("-" * 990 + "1", DEEP),
        ("+".join(["1"] * 202), DEEP),
        ("abs(-" * 150 + "1" + ")" * 150, DEEP),
        ("1" * (MAX_LENGTH + 1), "too long"),
        ("1+" * 50_000 + "1", "too long"),
    ],
    ids=lambda value: value[:30].encode("ascii", "backslashreplace").decode().replace("\0", "0"),
)
def test_calculator_refuses_with_a_sentence_at_once(expression, sentence):
    begun = time.thread_time()
    with pytest.raises(ToolError) as refused:
        calculator(expression)
    assert time.thread_time() - begun < 0.25  # a thousand times what it takes; what it must not do takes years
    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 200


PIECES = [
    *"0123456789+-*/%^().,<>=![]{}'\"_:~|&@; \n²√πe",
    *(
        "**",
        "//",
        "<<",
        ">>",
        "==",
        "1e308",
        "9" * 40,
        "0x",
        "1j",
        ".5",
        "inf",
        "nan",
        "None",
        "True",
        " if ",
        " else ",
    ),
    *(" for x in ", " and ", " in ", "lambda:", "__class__", "pi", "tau", "10**3000", "2**9999"),
    *(f"{name}(" for name in "sqrt log exp round factorial comb perm gcd lcm sum mean median max abs hypot".split()),
]
NUMBERS = st.integers(-(10**40), 10**40) | st.floats() | st.integers(0, 12_000)
TERMS = st.recursive(
    NUMBERS.map(lambda number: f"({number})"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<"]), inner).map("".join),
        st.tuples(st.sampled_from("sqrt exp log floor round factorial sin abs sign".split()), inner).map(
            lambda call: f"{call[0]}({call[1]})"
        ),
        st.tuples(st.sampled_from("comb perm gcd lcm log hypot round max mean".split()), inner, inner).map(
            lambda call: f"{call[0]}({call[1]},{call[2]})"
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(TERMS, st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.text()))
@example("comb(10**3000,1)")
@example("factorial(1" + "0" * 300 + ".0)")
@example("round(10**3000,-400)")
def test_calculator_gives_only_a_value_or_a_sentence(expression):
    try:
        output = calculator(expression)
    except ToolError as error:
        assert str(error).endswith((".", "”"))
    else:
        assert output in ("true", "false") or math.isfinite(
            float(output) if len(output) < 300 else int(output) // 10**3000
        )


@settings(max_examples=200, deadline=None)
@given(TERMS)
def test_calculator_bounds_every_intermediate_number(expression):
    """The cost is the number of operations times the cost of each, and both are bounded."""
    seen = []

    def watch(frame, event, result):
        if event == "return" and frame.f_code.co_name == "_eval" and isinstance(result, int):
            seen.append(result.bit_length())

    sys.setprofile(watch)
    try:
        calculator(expression)
    except ToolError:
        pass
    finally:
        sys.setprofile(None)
    assert max(seen, default=0) <= MAX_BITS
    assert len(seen) <= sum(1 for _ in ast.walk(ast.parse(expression))) if seen else True


def test_calculator_docstring_names_all_it_can_do():
    output = calculator.__doc__
    from chat.tools.calculator import evaluator

    for name in (*evaluator.functions, *evaluator.names):
        assert name in output


# Search in conversations ----------------------------------------------------------------------------------------------


@pytest.fixture
def create_conversation(transactional_db):
    """`await create_conversation(alice, "Title", "a question", "an answer", …)`, each older than the one before."""
    made = []

    @sync_to_async
    def make(owner, title, *texts):
        conversation = Conversation.objects.create(owner=owner, title=title)
        made.append(conversation)
        time, parent = datetime(2026, 5, 20, 22, 0, tzinfo=UTC) - timedelta(days=len(made)), None
        for number, text in enumerate(texts):
            role = (Message.USER, Message.ASSISTANT)[number % 2]
            parent = Message.objects.create(
                conversation=conversation,
                parent=parent,
                role=role,
                text=text,
                created_at=time + timedelta(minutes=number),
            )
        return conversation

    return make


async def search(user, words, **context):
    return await use("search_conversations", {"words": words}, Context(user_id=user.pk, **context))


async def test_search_returns_messages_with_conversation_time_and_author(create_conversation, alice):
    soup = await create_conversation(alice, "Soup for two", "How do I cook leek soup?", "Wash the leek, then cut it.")
    assert await search(alice, "LEEK", time_zone="Asia/Tokyo") == (
        f"“Soup for two” (/c/{soup.pk}/), 2026-05-20 07:01, the assistant said:\nWash the leek, then cut it.\n\n"
        f"“Soup for two” (/c/{soup.pk}/), 2026-05-20 07:00, the user said:\nHow do I cook leek soup?"
    )


async def test_search_never_shows_another_users_messages(create_conversation, alice, charlie):
    await create_conversation(charlie, "The secret plan", "secret question", "secret answer")
    mine = await create_conversation(alice, "Mine", "no secret here")
    assert "no secret here" in await search(alice, "secret")
    output = await search(alice, "secret")
    assert "question" not in output and "answer" not in output and "plan" not in output
    assert str(mine.pk) in output
    assert "No results" in await search(alice, "plan")
    assert "secret question" in await search(charlie, "secret")


async def test_search_requires_all_words_in_one_message(create_conversation, alice):
    await create_conversation(alice, "Both", "leek and potato")
    await create_conversation(alice, "One", "leek alone", "potato alone")
    output = await search(alice, "potato  leek")
    assert "“Both”" in output
    assert "“One”" not in output


async def test_search_finds_japanese(create_conversation, alice):
    await create_conversation(alice, "料理", "長ねぎのスープの作り方を教えてください。")
    assert "長ねぎのスープ" in await search(alice, "スープ　作り方")  # with the wide space of a Japanese keyboard
    assert "No results" in await search(alice, "天気")


@pytest.mark.parametrize("word", ["100%", "a_b", "back\\slash", "it's", '"quoted"', "'; DROP TABLE chat_message; --"])
async def test_search_takes_characters_literally(create_conversation, alice, word):
    await create_conversation(alice, "Right", f"here is {word} in a text")
    await create_conversation(alice, "Wrong", "100x axb backslash its quoted DROP TABLE")
    output = await search(alice, word)
    assert "“Right”" in output
    assert "“Wrong”" not in output


async def test_search_leaves_out_the_conversation_it_is_asked_in(create_conversation, alice):
    here = await create_conversation(alice, "Leek here", "leek here")
    await create_conversation(alice, "Leek there", "leek there")
    output = await search(alice, "leek", conversation=str(here.pk))
    assert "there" in output
    assert "here\n" not in output and "“Leek here”" not in output


async def test_search_finds_a_title_that_a_user_gave(create_conversation, alice):
    await create_conversation(alice, "Holiday in Kyoto", "where to?", "to the temples")
    output = await search(alice, "kyoto holiday")
    assert "“Holiday in Kyoto”" in output
    assert output.endswith("only the title contains the words.")


async def test_search_shows_the_text_around_the_words(create_conversation, alice):
    await create_conversation(alice, "Long", "start " + "before " * 200 + "NEEDLE\n\n" + "after " * 200 + "end")
    output = (await search(alice, "needle")).partition("\n")[2]
    assert "before NEEDLE after" in output
    assert output.startswith("…") and output.endswith("…")
    assert "\n" not in output
    assert len(output) <= 302


async def test_search_shows_the_newest_of_many_and_a_few_of_each(create_conversation, alice):
    for number in range(12):
        await create_conversation(alice, f"Talk {number}", *[f"leek {number}.{part}" for part in range(6)])
    output = await search(alice, "leek")
    assert [f"“Talk {number}”" in output for number in range(12)] == [True] * 4 + [False] * 8
    assert output.count("leek") == 8


@pytest.mark.parametrize("words", ["", " \u3000 ", "\0", "\ud800", "a b c d e f g h i", "x" * 101, "x" * 100_000])
async def test_search_wants_a_few_words(alice, words):
    context = Context(user_id=alice.pk)
    assert await refusal("search_conversations", {"words": words}, context) == "Search for one to 8 words."


async def test_search_requires_a_logged_in_user(create_conversation, alice):
    await create_conversation(alice, "Soup", "leek")
    assert "No user is logged in" in await refusal("search_conversations", {"words": "leek"})


@pytest.mark.parametrize(
    "expression", ["1if 2else 3", "0x1for x in y", "1e-5or 2", "'\\d' + 1", '"\\d"', "1_0is 2", ".5and 1"]
)
def test_calculator_causes_no_python_warnings(expression, recwarn):
    with pytest.raises(ToolError):
        calculator(expression)
    assert not recwarn.list


def test_calculator_takes_functions_that_end_like_a_keyword():
    assert calculator("floor(2.5) + 2*sin(0)") == "2"
