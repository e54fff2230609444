"""A team's own LangChain tools and middleware: docs/tools.md's examples, and each hook."""

import asyncio
import re
import sys
import types
from pathlib import Path

import pytest
from langchain.agents.middleware import AgentMiddleware, hook_config
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from chat import engine, tools
from tests.providers.agent_runs import FINAL_ANSWER, messages_after_question, outcome_of, text_part, tool_call_part
from tests.upstream import CALLS, END, call, tokens
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

DOCS = (Path(__file__).resolve().parents[2] / "docs" / "tools.md").read_text()
ECHO = (*call("echo", {"text": "a"}), *CALLS)


@pytest.fixture
def example(monkeypatch):
    """`example(path)`: the module that docs/tools.md writes at that path."""

    def load(path):
        block = re.search(rf"`{re.escape(path)}`:\n\n```python\n(.*?)```", DOCS, re.S)[1]
        module = types.ModuleType(path.removesuffix(".py").replace("/", "."))
        module.__package__ = module.__name__.rpartition(".")[0]
        exec(block, module.__dict__)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return module

    return load


@pytest.fixture
def middleware(settings, monkeypatch):
    """`middleware(*objects)`: plugs them in, the first as the outermost."""

    def plug_in(*objects):
        module = types.ModuleType(f"middleware_of_a_test_{id(objects)}")
        for number, value in enumerate(objects):
            setattr(module, f"middleware_{number}", value)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        settings.AGENT_MIDDLEWARE = [f"{module.__name__}.middleware_{number}" for number in range(len(objects))]

    return plug_in


async def test_langchain_tool_in_the_docs_is_used_like_a_function(agent_run, example, monkeypatch):
    module = example("chat/tools/tides.py")
    monkeypatch.setitem(tools.REGISTRY, "tides", f"{module.__name__}.tides")
    run = await agent_run(
        (*call("tides", {"harbor": "Cuxhaven"}), *CALLS),
        (*call("tides", {"harbor": "Bern"}, id="call_2"), *CALLS),
        (*call("tides", {"port": 1}, id="call_3"), *CALLS),
        FINAL_ANSWER,
        tools=["tides"],
    )
    status, _, parts = await outcome_of(run)
    assert status == "completed"
    assert parts[0]["result"] == "03:12 and 15:40 (UTC)"
    assert parts[1]["error"] == "There is no tide table for Bern."
    assert parts[2]["error"].startswith("Invalid arguments for the tool “tides”: harbor: ")


@pytest.mark.parametrize("asks_first", [True, False])
async def test_langchain_tool_that_is_not_async_runs_in_a_thread(monkeypatch, asks_first):
    @tool
    def add(a: int, b: int = 1) -> int:
        """Adds."""
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return a + b

    add.metadata = {"asks_first": asks_first}
    monkeypatch.setattr(sys.modules[__name__], "add", add, raising=False)
    monkeypatch.setitem(tools.REGISTRY, "add", f"{__name__}.add")
    async with tools.load(["add"]) as toolbox:
        assert toolbox["add"].asks_first is asks_first
        assert toolbox["add"].description == "Adds."
        assert await toolbox["add"].use({"a": 2}) == "3"


async def test_middleware_in_the_docs_changes_prompt_and_result(agent_run, upstream, example, settings):
    module = example("myteam/middleware.py")
    settings.AGENT_MIDDLEWARE = [f"{module.__name__}.House"]
    run = await agent_run(ECHO, FINAL_ANSWER, system_prompt="Be kind.")
    assert await outcome_of(run) == (
        "completed",
        "",
        [tool_call_part("call_1", "echo", {"text": "a"}, "a! (checked)"), text_part("All is done.")],
    )
    for request in upstream.requests:
        assert request.body["messages"][0] == {"role": "system", "content": "Be kind.\nAnswer in one sentence."}
    assert messages_after_question(upstream)[-1]["content"] == "a! (checked)"


async def test_tokens_stream_through_middleware(agent_run, middleware):
    class PassThrough(AgentMiddleware):
        async def awrap_model_call(self, request, handler):
            return await handler(request)

    middleware(PassThrough)
    gate = asyncio.Event()
    run = await agent_run((*tokens("a" * 200), gate.wait, *tokens("b"), *END))
    live = engine.current().live
    await wait_until(lambda: run.pk in live and "aaa" in str(live[run.pk].log.events))
    gate.set()
    assert await outcome_of(run) == ("completed", "", [text_part("a" * 200 + "b")])


async def test_hooks_run_in_order(agent_run, middleware):
    hooks = []

    class Recorder(AgentMiddleware):
        def __init__(self, label):
            super().__init__()
            self.label = label

        @property
        def name(self):
            return self.label

        def record(self, hook):
            hooks.append(f"{self.label} {hook}")

        async def abefore_agent(self, state, runtime):
            self.record("before agent")

        async def abefore_model(self, state, runtime):
            self.record("before model")

        async def awrap_model_call(self, request, handler):
            self.record("model")
            return await handler(request)

        async def awrap_tool_call(self, request, handler):
            self.record(f"tool {request.tool_call['name']}")
            return await handler(request)

        async def aafter_model(self, state, runtime):
            self.record(f"after model: {state['messages'][-1].text!r}")

        async def aafter_agent(self, state, runtime):
            self.record("after agent")

    middleware(Recorder("outer"), Recorder("inner"))
    run = await agent_run(ECHO, FINAL_ANSWER)
    assert (await outcome_of(run))[0] == "completed"
    turn = ["outer before model", "inner before model", "outer model", "inner model"]
    assert hooks == [
        "outer before agent",
        "inner before agent",
        *turn,
        "inner after model: ''",
        "outer after model: ''",
        "outer tool echo",
        "inner tool echo",
        *turn,
        "inner after model: 'All is done.'",
        "outer after model: 'All is done.'",
        "inner after agent",
        "outer after agent",
    ]


async def test_middleware_answers_in_place_of_the_model(agent_run, upstream, middleware):
    class Answer(AgentMiddleware):
        async def awrap_model_call(self, request, handler):
            return AIMessage("Not today.")

    middleware(Answer)
    assert await outcome_of(await agent_run()) == ("completed", "", [text_part("Not today.")])
    assert upstream.requests == []


async def test_middleware_ends_the_agent_before_the_model(agent_run, upstream, middleware):
    class Closed(AgentMiddleware):
        @hook_config(can_jump_to=["end"])
        async def abefore_model(self, state, runtime):
            return {"messages": [AIMessage("We are closed.")], "jump_to": "end"}

    middleware(Closed)
    assert await outcome_of(await agent_run()) == ("completed", "", [text_part("We are closed.")])
    assert upstream.requests == []


async def test_middleware_changes_arguments_and_refuses_calls(agent_run, middleware):
    class Guard(AgentMiddleware):
        async def awrap_tool_call(self, request, handler):
            arguments = {"text": request.tool_call["args"]["text"].upper()}
            return await handler(request.override(tool_call=request.tool_call | {"args": arguments}))

    middleware(Guard())
    run = await agent_run(ECHO, FINAL_ANSWER)
    assert (await outcome_of(run))[2][0]["result"] == "A!"


async def test_middleware_adds_a_tool(agent_run, upstream, middleware):
    @tool
    async def dial(number: str) -> str:
        """Dials a number."""
        return f"{number} is busy"

    class Phone(AgentMiddleware):
        tools = [dial]

    middleware(Phone)
    run = await agent_run((*call("dial", {"number": "110"}), *CALLS), FINAL_ANSWER)
    assert (await outcome_of(run))[2][0] == tool_call_part("call_1", "dial", {"number": "110"}, "110 is busy")
    offered = [offer["function"]["name"] for offer in upstream.requests[0].body["tools"]]
    assert offered == ["echo", "dial"]
