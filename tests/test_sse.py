"""The SSE door: its bytes, its headers, from where a reader goes on, and when it ends."""

import asyncio
import itertools
import json
import re
from contextlib import aclosing, nullcontext

import pytest
from ag_ui.core import Event
from django.contrib.sessions.models import Session
from pydantic import TypeAdapter

from chat import access, engine, sse
from chat.engine import runner
from chat.events import (
    TERMINAL,
    Finish,
    Reasoning,
    RunStarted,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    Usage,
    fold,
    from_json,
)
from chat.models import Message, Run, RunEvent
from chat.providers import ProviderError

from . import scripted
from .conftest import over

AG_UI = TypeAdapter(Event)


def ag_ui(told):
    """The event of this JSON object, which must be AG-UI's to the letter: nothing missing, nothing of our own."""
    event = AG_UI.validate_python(told, by_alias=True)
    assert not event.model_extra
    assert event.model_dump(mode="json", by_alias=True, exclude_unset=True) == told
    return event


async def body_of(answer):
    async with asyncio.timeout(10), aclosing(answer.streaming_content) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def until_delta(answer):
    """The answer, read up to the first words, and what was read."""
    body = b""
    async with asyncio.timeout(10):
        while b"delta" not in body:
            body += await anext(answer.streaming_content)
    return answer, body


def frames_of(body):
    """(id, JSON object) of each frame. Reads as strictly as a frame is promised to be."""
    assert body.isascii()
    text = body.decode()
    assert text.startswith("retry: 1000\n")
    assert text.endswith("\n\n")
    frames = []
    for block in text.removeprefix("retry: 1000\n").removesuffix("\n\n").split("\n\n"):
        if block.startswith(":"):
            assert block == ": still here"
            continue
        first, second = block.split("\n")
        assert re.fullmatch(r"id: [1-9]\d*", first)
        assert second.startswith("data: {")
        frames.append((int(first[4:]), json.loads(second[6:])))
    return frames


async def read(client, run, query="", **headers):
    """All frames that this reader gets."""
    answer = await client.send("GET", run.events_url + query, **headers)
    assert answer.status_code == 200
    return frames_of(await body_of(answer))


@pytest.fixture
async def rich_run(script, ask):
    """A run in which everything happens that can happen in a good one, and is over."""
    run = await ask(
        await script(
            "rich",
            Reasoning("hm"),
            Reasoning("…\n"),
            ToolCallStart("c1", "clock"),
            ToolCallArgs("c1", '{"time_zone": "UTC"}'),
            ToolCallEnd("c1"),
            ToolCallResult("c1", "noon"),
            ToolCallStart("c2", "clock"),
            ToolCallEnd("c2"),
            ToolCallResult("c2", "no such zone", metadata={"error": True}),
            Text("正午です。\r\n\u2028"),
            Text("👩‍👩‍👧\x85 \x1c\x0b\x0cend"),
            Usage(1, 2, 3, 0, 1),
            Finish("stop"),
        )
    )
    await over(run)
    return run


# The bytes ------------------------------------------------------------------------------------------------------------


async def test_the_stream_is_these_bytes(client_of, alice, finished_run):
    run = await finished_run("Grüße 🤙")
    answer = await client_of(alice).get(run.events_url)
    thread, message = run.conversation_id, run.message_id
    assert (await body_of(answer)).decode("ascii") == (
        "retry: 1000\n"
        f'id: 1\ndata: {{"type":"RUN_STARTED","threadId":"{thread}","runId":"{run.pk}"}}\n\n'
        f'id: 2\ndata: {{"type":"TEXT_MESSAGE_START","messageId":"{message}","role":"assistant"}}\n\n'
        f'id: 4\ndata: {{"type":"TEXT_MESSAGE_CONTENT","messageId":"{message}",'
        '"delta":"Gr\\u00fc\\u00dfe \\ud83e\\udd19"}\n\n'
        f'id: 5\ndata: {{"type":"TEXT_MESSAGE_END","messageId":"{message}"}}\n\n'
        f'id: 6\ndata: {{"type":"RUN_FINISHED","threadId":"{thread}","runId":"{run.pk}",'
        '"outcome":{"type":"success"},"result":{"finishReason":"stop","notice":null}}\n\n'
    )


async def test_the_headers_keep_every_proxy_from_holding_it_back(client_of, alice, finished_run):
    answer = await client_of(alice).get((await finished_run("one")).events_url)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer["Cache-Control"] == "no-store, no-transform"
    assert answer["X-Accel-Buffering"] == "no"
    assert answer["Content-Encoding"] == "identity"
    assert "Content-Length" not in answer


async def test_every_frame_is_an_ag_ui_event(client_of, alice, rich_run):
    frames = await read(client_of(alice), rich_run)
    for _, told in frames:
        ag_ui(told)
    assert {told["type"] for _, told in frames} == {
        "RUN_STARTED",
        *(f"TEXT_MESSAGE_{step}" for step in ("START", "CONTENT", "END")),
        *("REASONING_START", "REASONING_END"),
        *(f"REASONING_MESSAGE_{step}" for step in ("START", "CONTENT", "END")),
        *(f"TOOL_CALL_{step}" for step in ("START", "ARGS", "END", "RESULT")),
        "RUN_FINISHED",
    }
    assert {told["threadId"] for _, told in frames if "threadId" in told} == {str(rich_run.conversation_id)}
    assert {told["runId"] for _, told in frames if "runId" in told} == {str(rich_run.pk)}


async def test_the_frames_folded_are_the_stored_message(client_of, alice, rich_run):
    frames = await read(client_of(alice), rich_run)
    message = await Message.objects.aget(pk=rich_run.message_id)
    assert fold(from_json(json.dumps(told)) for _, told in frames) == message.parts
    assert message.text == "正午です。\r\n\u2028👩‍👩‍👧\x85 \x1c\x0b\x0cend"


@pytest.mark.parametrize(
    "steps",
    [
        (Text("so far"), ProviderError("The model is overloaded.", "overloaded")),
        (ProviderError("No key.", "not_configured"),),
        (ToolCallStart("c1", "clock"), ToolCallArgs("c1", "{"), RuntimeError("a secret")),
        (Reasoning("hm"), Usage(1, 2, 3), ProviderError("Broken off.", "broken_off", broken_off=True)),
    ],
)
async def test_whatever_was_begun_is_ended_when_it_fails(client_of, alice, script, ask, steps):
    run = await ask(await script("broken", *steps))
    await over(run)
    frames = [told for _, told in await read(client_of(alice), run)]
    assert ag_ui(frames[-1]).code == run.error_code
    assert "secret" not in str(frames)
    assert all_ended(frames)


def all_ended(frames):
    for told in frames:
        ag_ui(told)
    begun = [told["type"].removesuffix("_START") for told in frames if told["type"].endswith("_START")]
    ended = [told["type"].removesuffix("_END") for told in frames if told["type"].endswith("_END")]
    return sorted(begun) == sorted(ended)


async def test_whatever_was_begun_is_ended_when_it_is_stopped(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Reasoning("hm"), gate.wait))
    reading = asyncio.create_task(read(client_of(alice), run))
    async with asyncio.timeout(5):
        async for _, event in engine.follow(run):
            if event and event.type == "REASONING_MESSAGE_CONTENT":
                await engine.cancel(run)
    frames = [told for _, told in await reading]
    assert frames[-1]["outcome"] == {"type": "cancelled"}
    assert all_ended(frames)


# Going on -------------------------------------------------------------------------------------------------------------


async def test_a_reader_goes_on_behind_its_last_event(client_of, alice, finished_run):
    run, client = await finished_run("one two three"), client_of(alice)
    whole = await read(client, run)
    assert [number for number, _ in whole] == [1, 2, 5, 6, 7]
    for position in (1, 2, 5, 6):
        rest = [(number, told) for number, told in whole if number > position]
        assert await read(client, run, last_event_id=str(position)) == rest
        assert await read(client, run, f"?after={position}") == rest
    inside = await read(client, run, last_event_id="3")
    assert (inside[0][0], inside[0][1]["delta"]) == (5, " two three")


async def test_the_header_counts_where_both_tell_a_position(client_of, alice, finished_run):
    run = await finished_run("one two three")
    frames = await read(client_of(alice), run, "?after=1", last_event_id="6")
    assert [told["type"] for _, told in frames] == ["RUN_FINISHED"]


async def test_position_nought_is_the_beginning(client_of, alice, finished_run):
    run, client = await finished_run("one two three"), client_of(alice)
    for query, headers in (("?after=0", {}), ("?after=", {}), ("", {"last_event_id": "0"})):
        assert (await read(client, run, query, **headers))[0][1]["type"] == "RUN_STARTED"


async def test_the_numbers_have_no_gaps_while_it_is_written(client_of, alice, script, ask):
    steps = asyncio.Queue()
    run = await ask(await script("typed", *itertools.chain(*((Text(c), steps.get) for c in "abcdef")), Finish("stop")))
    answer = await client_of(alice).get(run.events_url)
    body = b""
    async with asyncio.timeout(10):
        async for chunk in answer.streaming_content:
            body += chunk
            if b"TEXT_MESSAGE_CONTENT" in chunk:
                steps.put_nowait(None)
    frames = frames_of(body)
    assert [number for number, _ in frames] == list(range(1, 11))
    assert [told["delta"] for _, told in frames if "delta" in told] == list("abcdef")


async def test_behind_the_last_event_there_is_nothing(client_of, alice, finished_run):
    run, client = await finished_run("one two three"), client_of(alice)
    for query, headers in (("?after=7", {}), ("", {"last_event_id": "7"}), ("?after=007", {})):
        answer = await client.send("GET", run.events_url + query, **headers)
        assert (answer.status_code, run.last_seq) == (204, 7)
        assert answer.content == b""


async def test_a_position_beyond_the_log_gets_a_snapshot_and_the_end(client_of, alice, finished_run):
    run, client = await finished_run("one two three"), client_of(alice)
    for position in ("8", "99", "2147483648", "9999999999"):
        frames = await read(client, run, last_event_id=position)
        assert [(number, told["type"]) for number, told in frames] == [
            (1, "RUN_STARTED"),
            (6, "MESSAGES_SNAPSHOT"),
            (7, "RUN_FINISHED"),
        ]
        messages = ag_ui(frames[1][1]).messages
        assert [(one.role, one.content) for one in messages] == [("user", "Hi"), ("assistant", "one two three")]


async def test_a_log_that_is_gone_gives_a_snapshot_of_all_that_was_said(client_of, alice, rich_run):
    await RunEvent.objects.filter(run=rich_run).adelete()
    frames = await read(client_of(alice), rich_run)
    assert [told["type"] for _, told in frames] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]
    assert frames[-1][0] == rich_run.last_seq
    snapshot = ag_ui(frames[1][1])
    assert [message.role for message in snapshot.messages] == ["user", "reasoning", "assistant", "tool", "tool"]
    assert snapshot.messages[-1].error == "no such zone"


NO_POSITIONS = ["-1", "+1", "1.5", "1e3", "abc", "１", "٣", "²", "1²", " 1", "1 2", "0x1", "9" * 50, "9" * 5000, "\0"]


async def test_a_position_that_is_no_plain_number_is_refused(client_of, alice, finished_run, subtests):
    run, client = await finished_run("one"), client_of(alice)
    for position in NO_POSITIONS:
        with subtests.test(position[:60]):
            answers = [await client.get(run.events_url, {"after": position})]
            if max(position) <= "\xff" and position.strip() == position:  # what a header can carry
                answers.append(await client.send("GET", run.events_url, last_event_id=position))
                answers.append(await client.send("GET", run.events_url + "?after=1", last_event_id=position))
            for answer in answers:
                assert answer.status_code == 400
                assert answer.json()["error"]["code"] == "bad_position"


# Who reads, and how long ----------------------------------------------------------------------------------------------


async def test_silence_is_broken_by_comments_without_a_number(client_of, alice, script, ask, monkeypatch):
    monkeypatch.setattr(sse, "SILENCE", 0.05)
    monkeypatch.setattr(runner, "LOOK_AROUND", 0.02)
    gate = asyncio.Event()
    run = await ask(await script("silent", gate.wait, Text("one"), Finish("stop")))
    answer = await client_of(alice).get(run.events_url)
    comments, body = 0, b""
    async with asyncio.timeout(10):
        async for chunk in answer.streaming_content:
            body += chunk
            comments += chunk == b": still here\n\n"
            if comments == 3:
                gate.set()
    assert [told["type"] for _, told in frames_of(body)][-1] == "RUN_FINISHED"
    assert comments >= 3


def test_silence_never_lasts_fifteen_seconds():
    assert sse.SILENCE + runner.LOOK_AROUND < 15


async def test_only_get_opens_it(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = await client_of(alice).send(method, run.events_url)
        assert answer.status_code == 405
        assert answer["Allow"] == "GET"
        assert not answer.streaming
    assert asyncio.get_running_loop() not in access._books


async def test_a_reader_that_leaves_does_not_stop_the_run(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    answer, _ = await until_delta(await client_of(alice).get(run.events_url))
    await answer.streaming_content.aclose()
    assert scripted.closed == []
    gate.set()
    await over(run)
    assert run.status == "completed"
    assert (await Message.objects.aget(pk=run.message_id)).text == "one two"


async def test_a_hundred_readers_read_the_same(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    client = client_of(alice)
    begun = [await until_delta(await client.get(run.events_url)) for _ in range(100)]
    gate.set()
    ends = await asyncio.gather(*(body_of(answer) for answer, _ in begun))
    for (_, first), rest in zip(begun, ends, strict=True):
        frames = frames_of(first + rest)
        assert [told["delta"] for _, told in frames if "delta" in told] == ["one", " two"]
        assert frames[-1][1]["type"] == "RUN_FINISHED"


async def test_a_reader_that_logs_out_reads_no_more(client_of, alice, script, ask, monkeypatch):
    monkeypatch.setattr(access, "EVERY", 0.02)
    monkeypatch.setattr(runner, "LOOK_AROUND", 0.02)
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" secret"), Finish("stop")))
    here, elsewhere = client_of(alice), client_of(alice)
    answer, other = await here.get(run.events_url), await elsewhere.get(run.events_url)
    reading = asyncio.create_task(body_of(other))
    assert (await here.post("/accounts/logout/")).status_code == 302
    body = await body_of(answer)
    assert frames_of(body)[-1][1]["type"] == "TEXT_MESSAGE_CONTENT"
    assert not reading.done()
    gate.set()
    assert b" secret" in await reading
    assert b" secret" not in body


async def test_a_person_who_is_shut_out_reads_no_more(client_of, alice, script, ask, monkeypatch):
    monkeypatch.setattr(access, "EVERY", 0.02)
    monkeypatch.setattr(runner, "LOOK_AROUND", 0.02)
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    answer = await client_of(alice).get(run.events_url)
    alice.is_active = False
    await alice.asave()
    assert b"RUN_FINISHED" not in await body_of(answer)


async def test_a_server_that_leaves_lets_its_readers_go(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    answer, body = await until_delta(await client_of(alice).get(run.events_url))
    reading = asyncio.create_task(body_of(answer))
    engine.here().say_goodbye()
    frames = frames_of(body + await asyncio.wait_for(reading, 2))
    assert not TERMINAL & {told["type"] for _, told in frames}


async def test_a_stream_never_raises():
    async def broken():
        yield 1, RunStarted("t", "r")
        raise RuntimeError("nobody expected this")

    body = b"".join([chunk async for chunk in sse.frames(broken(), nullcontext(access.Pass(None, None)))])
    assert body == b'retry: 1000\nid: 1\ndata: {"type":"RUN_STARTED","threadId":"t","runId":"r"}\n\n'


async def test_a_stream_whose_rows_are_broken_ends(client_of, alice, finished_run, caplog):
    run = await finished_run("one")
    await RunEvent.objects.filter(run=run).aupdate(data="not JSON")
    answer = await client_of(alice).get(run.events_url)
    assert await body_of(answer) == b"retry: 1000\n"
    assert [record.getMessage() for record in caplog.records if record.name == "chat.sse"] == ["A stream broke off"]


async def test_the_stream_of_a_deleted_run_ends(client_of, alice, script, ask, settings):
    settings.UNDO_SECONDS = 0
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    client = client_of(alice)
    answer, _ = await until_delta(await client.get(run.events_url))
    reading = asyncio.create_task(body_of(answer))
    assert (await client.send("DELETE", f"/api/conversations/{run.conversation_id}")).status_code == 204
    await asyncio.wait_for(reading, 5)
    assert not await Run.objects.aexists()


async def test_nobody_reads_without_a_login(client_of, finished_run):
    run = await finished_run("one")
    answer = await client_of().get(run.events_url)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"


async def test_a_session_that_ended_reads_nothing(client_of, alice, finished_run):
    run, client = await finished_run("one"), client_of(alice)
    await client.get("/api/assistants")
    await Session.objects.all().adelete()
    assert (await client.get(run.events_url)).status_code == 401
