"""The SSE endpoint: its bytes, its headers, from where a reader goes on, and when it ends."""

import asyncio
import itertools
import json
from contextlib import nullcontext

import pytest
from django.contrib.sessions.models import Session

from chat import engine
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
from chat.live import session_check, sse
from chat.models import Message, Run, RunEvent
from chat.providers import ProviderError
from tests import scripted
from tests.assertions import assert_ag_ui
from tests.live.event_stream import parse_events, read_body, read_events
from tests.waiting import hang_timeout, wait_for_run, wait_for_text


async def until_delta(answer):
    """The answer, read up to the first words, and what was read."""
    body = b""
    async with hang_timeout():
        while b"delta" not in body:
            body += await anext(answer.streaming_content)
    return answer, body


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
    await wait_for_run(run)
    return run


# The bytes ------------------------------------------------------------------------------------------------------------


async def test_stream_bytes(client_of, alice, finished_run):
    run = await finished_run("Grüße 🤙")
    answer = await client_of(alice).get(run.events_url)
    thread, message = run.conversation_id, run.message_id
    assert (await read_body(answer)).decode("ascii") == (
        "retry: 1000\n"
        f'id: 1\ndata: {{"type":"RUN_STARTED","threadId":"{thread}","runId":"{run.pk}"}}\n\n'
        f'id: 2\ndata: {{"type":"TEXT_MESSAGE_START","messageId":"{message}","role":"assistant"}}\n\n'
        f'id: 4\ndata: {{"type":"TEXT_MESSAGE_CONTENT","messageId":"{message}",'
        '"delta":"Gr\\u00fc\\u00dfe \\ud83e\\udd19"}\n\n'
        f'id: 5\ndata: {{"type":"TEXT_MESSAGE_END","messageId":"{message}"}}\n\n'
        f'id: 6\ndata: {{"type":"RUN_FINISHED","threadId":"{thread}","runId":"{run.pk}",'
        '"outcome":{"type":"success"},"result":{"finishReason":"stop","notice":null}}\n\n'
    )


async def test_headers_prevent_buffering_by_proxies(client_of, alice, finished_run):
    answer = await client_of(alice).get((await finished_run("one")).events_url)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer["Cache-Control"] == "no-store, no-transform"
    assert answer["X-Accel-Buffering"] == "no"
    assert answer["Content-Encoding"] == "identity"
    assert "Content-Length" not in answer


async def test_events_are_ag_ui_events(client_of, alice, rich_run):
    frames = await read_events(client_of(alice), rich_run)
    for _, event in frames:
        assert_ag_ui(event)
    assert {event["type"] for _, event in frames} == {
        "RUN_STARTED",
        *(f"TEXT_MESSAGE_{step}" for step in ("START", "CONTENT", "END")),
        *("REASONING_START", "REASONING_END"),
        *(f"REASONING_MESSAGE_{step}" for step in ("START", "CONTENT", "END")),
        *(f"TOOL_CALL_{step}" for step in ("START", "ARGS", "END", "RESULT")),
        "RUN_FINISHED",
    }
    assert {event["threadId"] for _, event in frames if "threadId" in event} == {str(rich_run.conversation_id)}
    assert {event["runId"] for _, event in frames if "runId" in event} == {str(rich_run.pk)}


async def test_events_folded_are_the_stored_message(client_of, alice, rich_run):
    frames = await read_events(client_of(alice), rich_run)
    message = await Message.objects.aget(pk=rich_run.message_id)
    assert fold(from_json(json.dumps(event)) for _, event in frames) == message.parts
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
async def test_events_that_were_started_end_if_the_run_fails(client_of, alice, script, ask, steps):
    run = await ask(await script("broken", *steps))
    await wait_for_run(run)
    frames = [event for _, event in await read_events(client_of(alice), run)]
    assert assert_ag_ui(frames[-1]).code == run.error_code
    assert "secret" not in str(frames)
    assert assert_all_ended(frames)


def assert_all_ended(frames):
    for event in frames:
        assert_ag_ui(event)
    begun = [event["type"].removesuffix("_START") for event in frames if event["type"].endswith("_START")]
    ended = [event["type"].removesuffix("_END") for event in frames if event["type"].endswith("_END")]
    return sorted(begun) == sorted(ended)


async def test_events_that_were_started_end_if_the_run_is_cancelled(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Reasoning("hm"), gate.wait))
    reading = asyncio.create_task(read_events(client_of(alice), run))
    async with hang_timeout():
        async for _, event in engine.follow(run):
            if event and event.type == "REASONING_MESSAGE_CONTENT":
                await engine.cancel(run)
    frames = [event for _, event in await reading]
    assert frames[-1]["outcome"] == {"type": "cancelled"}
    assert assert_all_ended(frames)


# Going on -------------------------------------------------------------------------------------------------------------


async def test_position_continues_after_the_last_event(client_of, alice, finished_run):
    run, client = await finished_run("one two three"), client_of(alice)
    whole = await read_events(client, run)
    assert [number for number, _ in whole] == [1, 2, 5, 6, 7]
    for position in (1, 2, 5, 6):
        rest = [(number, event) for number, event in whole if number > position]
        assert await read_events(client, run, last_event_id=str(position)) == rest
        assert await read_events(client, run, f"?after={position}") == rest
    inside = await read_events(client, run, last_event_id="3")
    assert (inside[0][0], inside[0][1]["delta"]) == (5, " two three")


async def test_position_in_the_header_wins_over_the_query(client_of, alice, finished_run):
    run = await finished_run("one two three")
    frames = await read_events(client_of(alice), run, "?after=1", last_event_id="6")
    assert [event["type"] for _, event in frames] == ["RUN_FINISHED"]


async def test_position_zero_is_the_beginning(client_of, alice, finished_run):
    run, client = await finished_run("one two three"), client_of(alice)
    for query, headers in (("?after=0", {}), ("?after=", {}), ("", {"last_event_id": "0"})):
        assert (await read_events(client, run, query, **headers))[0][1]["type"] == "RUN_STARTED"


async def test_event_ids_have_no_gaps_in_a_running_answer(client_of, alice, script, ask):
    steps = asyncio.Queue()
    run = await ask(await script("typed", *itertools.chain(*((Text(c), steps.get) for c in "abcdef")), Finish("stop")))
    answer = await client_of(alice).get(run.events_url)
    body = b""
    async with hang_timeout():
        async for chunk in answer.streaming_content:
            body += chunk
            if b"TEXT_MESSAGE_CONTENT" in chunk:
                steps.put_nowait(None)
    frames = parse_events(body)
    assert [number for number, _ in frames] == list(range(1, 11))
    assert [event["delta"] for _, event in frames if "delta" in event] == list("abcdef")


async def test_position_of_the_last_event_is_204(client_of, alice, finished_run):
    run, client = await finished_run("one two three"), client_of(alice)
    for query, headers in (("?after=7", {}), ("", {"last_event_id": "7"}), ("?after=007", {})):
        answer = await client.send("GET", run.events_url + query, **headers)
        assert (answer.status_code, run.last_seq) == (204, 7)
        assert answer.content == b""


async def test_position_beyond_the_log_gets_a_snapshot_and_the_end(client_of, alice, finished_run):
    run, client = await finished_run("one two three"), client_of(alice)
    for position in ("8", "99", "2147483648", "9999999999"):
        frames = await read_events(client, run, last_event_id=position)
        assert [(number, event["type"]) for number, event in frames] == [
            (1, "RUN_STARTED"),
            (6, "MESSAGES_SNAPSHOT"),
            (7, "RUN_FINISHED"),
        ]
        messages = assert_ag_ui(frames[1][1]).messages
        assert [(message.role, message.content) for message in messages] == [
            ("user", "Hi"),
            ("assistant", "one two three"),
        ]


async def test_log_that_was_deleted_gives_a_snapshot(client_of, alice, rich_run):
    await RunEvent.objects.filter(run=rich_run).adelete()
    frames = await read_events(client_of(alice), rich_run)
    assert [event["type"] for _, event in frames] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED"]
    assert frames[-1][0] == rich_run.last_seq
    snapshot = assert_ag_ui(frames[1][1])
    assert [message.role for message in snapshot.messages] == ["user", "reasoning", "assistant", "tool", "tool"]
    assert snapshot.messages[-1].error == "no such zone"


NO_POSITIONS = ["-1", "+1", "1.5", "1e3", "abc", "１", "٣", "²", "1²", " 1", "1 2", "0x1", "9" * 50, "9" * 5000, "\0"]


async def test_position_that_is_not_a_number_is_refused(client_of, alice, finished_run, subtests):
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


async def test_keepalive_is_a_comment_without_an_id(client_of, alice, script, ask, monkeypatch):
    monkeypatch.setattr(sse, "KEEPALIVE_DELAY", 0.05)
    monkeypatch.setattr(runner, "READER_WAKE_INTERVAL", 0.02)
    gate = asyncio.Event()
    run = await ask(await script("silent", gate.wait, Text("one"), Finish("stop")))
    answer = await client_of(alice).get(run.events_url)
    comments, body = 0, b""
    async with hang_timeout():
        async for chunk in answer.streaming_content:
            body += chunk
            comments += chunk == b": still here\n\n"
            if comments == 3:
                gate.set()
    assert [event["type"] for _, event in parse_events(body)][-1] == "RUN_FINISHED"
    assert comments >= 3


def test_keepalive_is_sent_within_fifteen_seconds():
    assert sse.KEEPALIVE_DELAY + runner.READER_WAKE_INTERVAL < 15


async def test_stream_opens_with_get_only(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    for method in ("HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        answer = await client_of(alice).send(method, run.events_url)
        assert answer.status_code == 405
        assert answer["Allow"] == "GET"
        assert not answer.streaming
    assert not session_check.watchers.exists()


async def test_reader_that_disconnects_does_not_stop_the_run(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    answer, _ = await until_delta(await client_of(alice).get(run.events_url))
    await answer.streaming_content.aclose()
    assert scripted.closed == []
    gate.set()
    await wait_for_run(run)
    assert run.status == "completed"
    assert (await Message.objects.aget(pk=run.message_id)).text == "one two"


async def test_readers_all_get_the_same_events(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" two"), Finish("stop")))
    client = client_of(alice)
    begun = [await until_delta(await client.get(run.events_url)) for _ in range(100)]
    gate.set()
    ends = await asyncio.gather(*(read_body(answer) for answer, _ in begun))
    for (_, first), rest in zip(begun, ends, strict=True):
        frames = parse_events(first + rest)
        assert [event["delta"] for _, event in frames if "delta" in event] == ["one", " two"]
        assert frames[-1][1]["type"] == "RUN_FINISHED"


async def test_stream_ends_at_logout(client_of, alice, script, ask, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(runner, "READER_WAKE_INTERVAL", 0.02)
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Text(" secret"), Finish("stop")))
    await wait_for_text(run)
    here, elsewhere = client_of(alice), client_of(alice)
    answer, other = await here.get(run.events_url), await elsewhere.get(run.events_url)
    reading = asyncio.create_task(read_body(other))
    assert (await here.post("/accounts/logout/")).status_code == 302
    body = await read_body(answer)
    assert parse_events(body)[-1][1]["type"] == "TEXT_MESSAGE_CONTENT"
    assert not reading.done()
    gate.set()
    assert b" secret" in await reading
    assert b" secret" not in body


async def test_stream_ends_if_the_account_is_deactivated(client_of, alice, script, ask, monkeypatch):
    monkeypatch.setattr(session_check, "CHECK_INTERVAL", 0.02)
    monkeypatch.setattr(runner, "READER_WAKE_INTERVAL", 0.02)
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    answer = await client_of(alice).get(run.events_url)
    alice.is_active = False
    await alice.asave()
    assert b"RUN_FINISHED" not in await read_body(answer)


async def test_stream_ends_without_a_terminal_event_at_shutdown(client_of, alice, script, ask):
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    answer, body = await until_delta(await client_of(alice).get(run.events_url))
    reading = asyncio.create_task(read_body(answer))
    engine.current().begin_shutdown()
    async with hang_timeout():
        frames = parse_events(body + await reading)
    assert not TERMINAL & {event["type"] for _, event in frames}


async def test_stream_never_raises():
    async def broken():
        yield 1, RunStarted("t", "r")
        raise RuntimeError("nobody expected this")

    body = b"".join(
        [chunk async for chunk in sse.frames(broken(), nullcontext(session_check.SessionCheck(None, None)))]
    )
    assert body == b'retry: 1000\nid: 1\ndata: {"type":"RUN_STARTED","threadId":"t","runId":"r"}\n\n'


async def test_stream_ends_if_its_rows_are_damaged(client_of, alice, finished_run, caplog):
    run = await finished_run("one")
    await RunEvent.objects.filter(run=run).aupdate(data="not JSON")
    answer = await client_of(alice).get(run.events_url)
    assert await read_body(answer) == b"retry: 1000\n"
    assert [record.getMessage() for record in caplog.records if record.name == "chat.live.sse"] == [
        "An event stream failed"
    ]


async def test_stream_ends_if_its_run_is_deleted(client_of, alice, script, ask, settings):
    settings.UNDO_SECONDS = 0
    gate = asyncio.Event()
    run = await ask(await script("slow", Text("one"), gate.wait, Finish("stop")))
    client = client_of(alice)
    answer, _ = await until_delta(await client.get(run.events_url))
    reading = asyncio.create_task(read_body(answer))
    assert (await client.send("DELETE", f"/api/conversations/{run.conversation_id}")).status_code == 204
    async with hang_timeout():
        await reading
    assert not await Run.objects.aexists()


async def test_stream_needs_a_login(client_of, finished_run):
    run = await finished_run("one")
    answer = await client_of().get(run.events_url)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "not_authenticated"


async def test_stream_needs_a_session_that_has_not_ended(client_of, alice, finished_run):
    run, client = await finished_run("one"), client_of(alice)
    await client.get("/api/assistants")
    await Session.objects.all().adelete()
    assert (await client.get(run.events_url)).status_code == 401
