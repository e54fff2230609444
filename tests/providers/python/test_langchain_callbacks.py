"""LangChain chains that call back."""

import asyncio
import subprocess
import sys
import threading

import pytest

from chat import engine
from chat.events import Reasoning, Text, ToolCallArgs, ToolCallResult, ToolCallStart, Usage
from chat.providers import bridge as bridge_module
from chat.providers.python import Bridge
from scripts.environment import ROOT
from tests.providers.python.functions import all_threads_are_free, chain_of, read_pieces
from tests.waiting import wait_for_run, wait_until

pytestmark = pytest.mark.slow


def handler(send, **kwargs):
    from chat.providers.langchain_callbacks import Callbacks

    return {"callbacks": [Callbacks(send, **kwargs)]}


@pytest.mark.parametrize("how", ["ainvoke", "astream", "invoke", "stream"])
async def test_chain_streams_however_it_is_called(start_run, how):
    async def reply(messages, send):
        question = {"question": messages[-1]["content"]}
        if how == "ainvoke":
            await chain_of("Hello there you").ainvoke(question, handler(send))
        else:
            async for _ in chain_of("Hello there you").astream(question, handler(send)):
                pass

    def in_thread(messages, send):
        question = {"question": messages[-1]["content"]}
        if how == "invoke":
            chain_of("Hello there you").invoke(question, handler(send))
        else:
            list(chain_of("Hello there you").stream(question, handler(send)))

    run = await start_run(reply if how.startswith("a") else in_thread)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "Hello there you")
    assert run.last_seq == 2 + 5 + 2  # five deltas


async def sent(work, **kwargs):
    """What the callbacks send while `work(config)` runs."""
    bridge = Bridge()

    async def produce():
        try:
            await work(handler(bridge.send, **kwargs))
        finally:
            bridge.close()

    task = asyncio.create_task(produce())
    pieces = [piece async for piece in read_pieces(bridge)]
    await asyncio.wait([task])
    return pieces, task.exception()


async def test_models_on_the_way_to_the_answer_are_reasoning():
    first = chain_of("the question again")
    last = chain_of("the answer").with_config(tags=["final"])

    async def work(config):
        await (first | (lambda message: {"question": message.text}) | last).ainvoke({"question": "?"}, config)

    pieces, _ = await sent(work, answer="final")
    assert "".join(piece.delta for piece in pieces if type(piece) is Reasoning) == "the question again"
    assert "".join(piece.delta for piece in pieces if type(piece) is Text) == "the answer"


async def test_model_that_does_not_stream_answers_in_one_piece_with_its_usage():
    from langchain_core.language_models import FakeMessagesListChatModel
    from langchain_core.messages import AIMessage

    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    details = {"output_token_details": {"reasoning": 1}, "input_token_details": {"cache_read": 2}}
    content = [
        {"type": "reasoning", "reasoning": "hm"},
        {"type": "text", "text": "Hello"},
        {"type": "image", "url": "x"},
    ]
    model = FakeMessagesListChatModel(responses=[AIMessage(content, usage_metadata=usage | details)])
    pieces, error = await sent(lambda config: model.ainvoke("?", config))
    assert error is None
    assert pieces == [Reasoning("hm"), Text("Hello"), Usage(3, 2, 5, 1, 2)]


async def test_malformed_model_output_is_an_error():
    from langchain_core.language_models import FakeMessagesListChatModel
    from langchain_core.messages import AIMessage

    model = FakeMessagesListChatModel(responses=[AIMessage([{"type": "text", "text": 5}])])
    pieces, error = await sent(lambda config: model.ainvoke("?", config))
    assert pieces == []
    assert error


async def test_completion_model_is_supported():
    from langchain_core.language_models import FakeListLLM
    from langchain_core.outputs import Generation, LLMResult

    pieces, _ = await sent(lambda config: FakeListLLM(responses=["Hello"]).ainvoke("?", config))
    assert pieces == [Text("Hello")]

    async def by_hand(config):  # what older vendors' packages tell
        callbacks = config["callbacks"][0]
        await callbacks.on_llm_new_token("old", run_id=1)
        used = {"token_usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
        await callbacks.on_llm_end(LLMResult(generations=[[Generation(text="old")], []], llm_output=used), run_id=1)

    assert (await sent(by_hand))[0] == [Text("old"), Usage(3, 2, 5)]


async def test_tools_are_steps_with_their_results():
    from langchain_core.tools import ToolException, tool

    @tool
    async def dice(sides: int) -> str:
        """Throw a die."""
        if sides < 1:
            raise ToolException("A die has sides.")
        return str(5 // (sides - 2))

    async def use(config):
        for sides in (6, 0, 2):
            try:
                await dice.ainvoke({"sides": sides}, config)
            except Exception:
                continue
        call = {"type": "tool_call", "id": "x", "name": "dice", "args": {"sides": 0}}
        dice.handle_tool_error = True
        await dice.ainvoke(call, config)

    pieces, error = await sent(use)
    assert error is None
    assert [piece.tool_call_name for piece in pieces if type(piece) is ToolCallStart] == ["dice"] * 4
    arguments = [piece.delta for piece in pieces if type(piece) is ToolCallArgs]
    assert arguments == ['{"sides": 6}', '{"sides": 0}', '{"sides": 2}', '{"sides": 0}']
    results = [(piece.content, piece.metadata) for piece in pieces if type(piece) is ToolCallResult]
    failed = {"error": True}
    assert results == [
        ("1", None),
        ("A die has sides.", failed),
        ("The tool failed.", failed),
        ("A die has sides.", failed),
    ]
    assert len({piece.tool_call_id for piece in pieces}) == 4


async def test_tool_of_the_old_kind_is_a_step():
    async def by_hand(config):
        await config["callbacks"][0].on_tool_start({"name": "search"}, "weather", run_id=1)
        await config["callbacks"][0].on_tool_start(None, "weather", run_id=2)

    pieces, _ = await sent(by_hand)
    assert pieces[:2] == [ToolCallStart("1", "search"), ToolCallArgs("1", '{"input": "weather"}')]
    assert pieces[3] == ToolCallStart("2", "tool")


async def test_model_error_ends_the_function_and_keeps_the_text(start_run, caplog):
    from langchain_core.language_models import FakeListChatModel

    model = FakeListChatModel(responses=["Hello there"], error_on_chunk_number=5)

    async def reply(messages, send):
        await model.ainvoke("?", handler(send))

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("failed", "Hello")
    assert "FakeListChatModelError" in caplog.text


@pytest.mark.parametrize("is_async", [True, False])
async def test_chain_stops_when_its_run_is_stopped(start_run, is_async):
    ended = threading.Event()

    def endless():
        from langchain_core.language_models import FakeListChatModel

        return FakeListChatModel(responses=["so far " * 100_000], sleep=0.001)

    async def reply(messages, send):
        try:
            await endless().ainvoke("?", handler(send))
        finally:
            ended.set()

    def in_thread(messages, send):
        try:
            endless().invoke("?", handler(send))
        finally:
            ended.set()

    run = await start_run(reply if is_async else in_thread)
    await wait_until(lambda: run.pk in engine.current().live and len(engine.current().live[run.pk].log.events) > 9)
    await engine.cancel(run)
    await wait_for_run(run)
    assert run.status == "cancelled"
    assert "so far".startswith(run.message.text[:6])
    await wait_until(lambda: ended.is_set() and all_threads_are_free())


async def test_chain_that_blocks_the_loop_fails_and_frees_it(start_run, monkeypatch, caplog):
    monkeypatch.setattr(bridge_module, "MAX_UNREAD", 2)
    monkeypatch.setattr(bridge_module, "READER_TIMEOUT", 0.05)

    async def reply(messages, send):
        chain_of("one two three").invoke({"question": "?"}, handler(send))

    run = await start_run(reply)
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("failed", "one two")  # as far as it may be ahead
    assert "is blocked" in caplog.text


def test_langchain_is_not_loaded_for_a_function():
    code = (
        "import django, sys; django.setup(); import chat.providers.python\n"
        "print([name for name in sys.modules if name.startswith('langchain')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
