"""What a model may send in one answer, and what it may cost the others."""

import asyncio
import json
import time
import tracemalloc
from contextlib import aclosing
from functools import partial

import pytest

from chat import engine, providers
from chat.events import EventBuilder, LimitExceeded, Limits, Reasoning, Text, ToolCallArgs, ToolCallStart, Usage
from chat.providers.langchain.completions import NormalizedChunks
from chat.providers.openai.chunks import Chunks
from tests.providers import misbehaviours
from tests.providers.agent_runs import outcome_of, tool_call_part
from tests.providers.provider_runs import ProviderReply
from tests.toolbox import calls
from tests.upstream import CALLS, END, Answer, call, chunk, event
from tests.waiting import count_turns, wait_for_run


async def test_answer_ends_at_the_limit_of_calls_in_a_turn_before_a_tool_runs(agent_run, settings):
    settings.MAX_TOOL_CALLS_PER_TURN = 3
    run = await agent_run(misbehaviours.many_calls(20))
    status, code, parts = await outcome_of(run)
    assert (status, code) == ("interrupted", "too_long")
    assert "more than 3 tool calls at once (MAX_TOOL_CALLS_PER_TURN)" in run.error_message
    assert parts == [
        tool_call_part(f"call_{number}", "echo", {"text": "a"}) for number in range(3)
    ]  # what came is kept
    assert not calls


async def test_answer_ends_at_the_limit_of_its_calls(agent_run, settings):
    settings.MAX_TOOL_CALLS = 3
    run = await agent_run(misbehaviours.many_calls(2), max_model_calls=5)
    status, code, parts = await outcome_of(run)
    assert (status, code) == ("interrupted", "too_long")
    assert "more than 3 tool calls (MAX_TOOL_CALLS)" in run.error_message
    assert [part["result"] for part in parts] == ["a!", "a!", None]


async def test_answer_ends_at_the_limit_of_arguments(agent_run, settings):
    settings.MAX_TOOL_ARGUMENTS_LENGTH = 1000
    run = await agent_run(misbehaviours.long_arguments(100_000))
    status, code, parts = await outcome_of(run)
    assert (status, code) == ("interrupted", "too_long")
    assert "more than 1,000 characters (MAX_TOOL_ARGUMENTS_LENGTH)" in run.error_message
    assert 900 < len(parts[0]["arguments"]) <= 1000
    assert not calls


@pytest.mark.parametrize(
    "attack",
    [
        partial(misbehaviours.many_calls, 20_000),
        partial(misbehaviours.many_calls_in_one_chunk, 5_000),
        partial(misbehaviours.long_arguments, 4_000_000),
        partial(misbehaviours.long_arguments, 4_000_000, delta_length=1_000_000),
    ],
    ids=["calls", "calls in one chunk", "arguments", "arguments in large deltas"],
)
async def test_endless_turn_ends_soon_and_delays_no_other_stream(agent_run, upstream, attack):
    """Compares the loop's longest pause with the time that it takes only to parse some megabytes."""
    for attempt in range(3):  # a measurement can only be too long
        run = await agent_run(attack(), slug=f"agent-{attempt}")
        pauses = []
        watch = asyncio.create_task(record_pauses(pauses))
        await wait_for_run(run)
        watch.cancel()
        assert run.error_code == "too_long"
        if max(pauses) < 5 * parsing_time(misbehaviours.many_calls(20_000)):
            return
    pytest.fail(f"The loop stood still for {max(pauses)} s.")


def parsing_time(answer):
    """Returns the seconds that Python's own parser takes for all chunks of this answer."""
    packets = [step if isinstance(step, bytes) else event(step) for step in answer.steps]
    start = time.thread_time()
    for line in b"".join(packets).splitlines():
        if line.startswith(b"data: {"):
            json.loads(line[6:])
    return time.thread_time() - start


async def record_pauses(pauses):
    while True:
        start = time.thread_time()  # unlike the clock, it does not count what other processes do
        await asyncio.sleep(0)
        pauses.append(time.thread_time() - start)


async def test_long_tool_call_id_is_not_repeated_in_each_event(agent_run):
    run = await agent_run(misbehaviours.long_id(100_000), misbehaviours.tiny_chunks(2))
    await wait_for_run(run)
    assert run.status == "completed"
    assert len(run.message.parts[0]["id"]) < 100
    assert run.message.parts[0]["result"] == "a" * 800 + "!"


async def test_large_packet_lets_the_loop_go_in_between(upstream):
    upstream.answers(misbehaviours.tiny_chunks(10_000))
    async with count_turns() as turns:
        reply = await ProviderReply().read({"base_url": upstream.base_url})
    assert len(reply.text) == 10_000
    assert len(turns) > 50  # of some two megabytes


async def test_leading_spaces_are_read_once(upstream):
    upstream.answers(misbehaviours.leading_space(9_000_000))
    reply = await ProviderReply().read({"base_url": upstream.base_url})
    assert reply.error.code == "malformed"


@pytest.mark.parametrize(
    ("setting", "pieces"),
    [
        ("MAX_REPLY_PARTS", [piece for _ in range(6) for piece in (Reasoning("a"), Text("b"))]),
        ("MAX_TOOL_CALLS", [ToolCallStart(str(number), "echo") for number in range(5)]),
        ("MAX_TOOL_ARGUMENTS_LENGTH", [ToolCallStart("1", "echo"), *[ToolCallArgs("1", "aaaa")] * 5]),
    ],
)
def test_builder_stops_at_its_limits(setting, pieces):
    builder = EventBuilder("m", limits=Limits(tool_calls=4, arguments_length=16, parts=10))
    *within, over = pieces
    with pytest.raises(LimitExceeded) as raised:
        for piece in [*within, over, over]:
            builder.feed(piece)
    assert raised.value.setting == setting


async def test_run_ends_at_the_limit_of_parts(script, ask, settings):
    settings.MAX_REPLY_PARTS = 4
    run = await ask(await script("turns", *[piece for _ in range(5) for piece in (Reasoning("a"), Text("b"))]))
    await wait_for_run(run)
    assert (run.status, run.error_code) == ("interrupted", "too_long")
    assert [part["text"] for part in run.message.parts] == ["a", "b", "a", "b"]
    await engine.shut_down()


async def test_endless_line_is_malformed(upstream):
    upstream.answers(misbehaviours.endless_line(10_000_000))
    reply = await ProviderReply().read({"base_url": upstream.base_url})
    assert reply.error.code == "malformed"
    assert "too long" in str(reply.error)


@pytest.mark.parametrize("status", [400, 500])
async def test_huge_error_is_shortened(upstream, status, caplog):
    upstream.answers(misbehaviours.huge_error(1_000_000, status))
    reply = await ProviderReply().read({"base_url": upstream.base_url})
    assert len(str(reply.error)) < 500
    assert len(reply.error.code) <= 50
    assert max(map(len, caplog.messages)) < 1000


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama"])
async def test_redirect_to_another_host_gets_neither_key_nor_conversation(upstream, provider):
    elsewhere = upstream.base_url.replace("127.0.0.1", "localhost")
    upstream.answers(Answer([b""], 307, {"location": f"{elsewhere}/elsewhere"}, 0))
    reply, _ = providers.resolve(f"{provider}:m")
    key = {} if provider == "ollama" else {"api_key": "sk-0123456789"}
    turns = [("user", [{"type": "text", "text": "Hi"}])]
    request = providers.Request("m", turns, provider, params={"base_url": upstream.base_url} | key)
    with pytest.raises(providers.ProviderError) as raised:
        async with aclosing(reply(request)) as pieces:
            async for _ in pieces:
                pass
    assert raised.value.code == "redirected"
    assert len(upstream.requests) == 1


async def test_redirect_on_the_same_host_is_followed(upstream):
    upstream.answers(Answer([b""], 307, {"location": "/v1/chat/completions?"}, 0))
    upstream.answers("Hello", *END)
    reply = await ProviderReply().read({"base_url": upstream.base_url})
    assert reply.text == "Hello"


CHUNKS = {
    "many keys and choices": misbehaviours.many_keys_and_choices(90),
    "a long text": chunk("a" * 500_000),
    "a long text of quotation marks": chunk('"' * 250_000),
    "many empty parts": chunk({"content": [{}] * 10_000}),
    "many calls without a name": chunk({"tool_calls": [{}] * 10_000}),
    "many details of an error": {"error": {"details": [{"reason": "a"}] * 10_000}},
}


@pytest.mark.parametrize("chunks", [Chunks, NormalizedChunks])
@pytest.mark.parametrize("sent", CHUNKS.values(), ids=CHUNKS)
def test_chunk_takes_memory_in_proportion_to_its_size(sent, chunks):
    """A Python object of each of the smallest values takes about fifty times the bytes of its JSON."""
    data = json.dumps(sent).encode()
    reader = chunks()
    list(reader.feed(json.dumps(chunk("a")).encode()))
    tracemalloc.start()
    try:
        list(reader.feed(data))
    except providers.ProviderError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 50 * len(data) + 50_000


@pytest.mark.parametrize(
    "sent", [chunk({"content": [{}] * 60_000}), {"choices": [{}] * 200}, {"choices": [], "a": [[]] * 60_000}]
)
async def test_chunk_with_too_many_values_is_malformed(upstream, sent):
    upstream.answers(sent, *END)
    reply = await ProviderReply().read({"base_url": upstream.base_url})
    assert reply.error.code == "malformed"


async def test_event_of_many_pieces_lets_other_tasks_run_in_between(upstream):
    upstream.answers(chunk({"content": ["a"] * 20_000}), *END)
    async with count_turns() as turns:
        reply = await ProviderReply().read({"base_url": upstream.base_url})
    assert len(reply.text) == 20_000
    assert len(turns) > 35


VENDORS = pytest.mark.parametrize("provider", ["openai", "langchain:openai", "anthropic", "google_genai", "ollama"])


async def failure(upstream, provider):
    """Returns the ProviderError with which this provider's answer ends."""
    provider, _, vendor = provider.partition(":")
    model = f"{vendor}:m" if vendor else "m"
    reply, _ = providers.resolve(f"{provider}:{model}")
    params = {"base_url": upstream.base_url.removesuffix("/v1" if provider != "openai" and not vendor else "")}
    if provider != "ollama":
        params["api_key"] = "sk-0123456789"
    turns = [("user", [{"type": "text", "text": "Hi"}])]
    with pytest.raises(providers.ProviderError) as raised:
        async with aclosing(reply(providers.Request(model, turns, provider, params=params))) as pieces:
            async for _ in pieces:
                pass
    await providers.close()
    return raised.value


@VENDORS
async def test_endless_error_is_not_read_to_its_end(upstream, provider):
    answer = misbehaviours.endless_error(100_000_000)
    sent = 0

    async def count():
        nonlocal sent
        sent += 1

    answer.steps = [step for packet in answer.steps for step in (packet, count)]
    upstream.answers(answer)
    assert (await failure(upstream, provider)).code == "overloaded"
    assert sent < 200  # of some 1,500; the sockets hold a few


@VENDORS
@pytest.mark.parametrize("status", [200, 500])
async def test_compressed_body_takes_no_memory(upstream, provider, status):
    upstream.answers(misbehaviours.compressed(20_000_000, "gzip", status))
    await failure(upstream, provider)  # imports what it needs
    tracemalloc.start()
    error = await failure(upstream, provider)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.code == "malformed" if status == 200 else "overloaded"
    assert peak < 30_000_000


@VENDORS
async def test_unusual_compression_is_refused(upstream, provider):
    upstream.answers(misbehaviours.compressed(1_000, "zstd"))
    assert (await failure(upstream, provider)).code == "malformed"


@VENDORS
@pytest.mark.parametrize("packet", [b"data: [\n" * 5_000, b"a" * 50_000], ids=["values", "bytes"])
async def test_endless_event_is_malformed(upstream, provider, packet):
    kind = {"content-type": "application/x-ndjson"} if provider == "ollama" else {}
    if kind:
        packet = packet.replace(b"\n", b" ")
    upstream.answers(Answer([packet] * 1_000, headers=kind))
    error = await failure(upstream, provider)
    assert (error.code, "too long" in str(error)) == ("malformed", True)


async def test_text_after_a_tool_call_counts_as_part_of_the_answer(agent_run, settings):
    settings.MAX_REPLY_LENGTH = 1_000
    run = await agent_run([*call("echo", {"text": "a"}), *["b" * 100] * 100, *CALLS])
    await wait_for_run(run)
    assert (run.status, run.finish_reason) == ("completed", "length")
    assert not calls


def test_builder_keeps_valid_counts_of_a_limited_number_of_model_calls():
    builder = EventBuilder("m", limits=Limits(parts=10))
    for _ in range(20):
        builder.feed(Usage(10**400, -1, True, 3, 0))
    assert builder.usage == [Usage(None, None, None, 3, 0)] * 10
