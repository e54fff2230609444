"""A real server process that is killed, stopped and started again, and readers that come and go."""

import contextlib
import itertools
import random
import time

import httpx
import pytest

from chat.events import TERMINAL, fold, text_of
from tests.server_process import Site, Upstream, poll_until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def upstream():
    upstream = Upstream()
    yield upstream
    upstream.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, upstream):
    site = Site(
        tmp_path_factory.mktemp("site"),
        SHUTDOWN_GRACE="1",
        OPENAI_BASE_URL=upstream.base_url,
        OPENAI_API_KEY="sk-test",
        OPENAI_MODEL="scripted",
    )
    site.assistant("silent", "openai:silent")
    yield site.start()
    site.close()


@pytest.fixture
def alice(site):
    with contextlib.closing(site.login("alice")) as alice:
        yield alice


def requests_for(upstream, model):
    return [request for request in upstream.requests() if request["body"]["model"] == model]


def read_until(events, enough):
    """Read events until `enough(event)` and stop there, as a reader does that loses its connection."""
    seen = []
    with contextlib.closing(events):
        for seq, event, at in events:
            seen.append((seq, event, at))
            if enough(event):
                break
    return seen


def test_kill_loses_at_most_a_tick_of_the_answer(site, alice):
    run = alice.ask(assistant="demo")
    seen, lost_connection = [], None
    with contextlib.suppress(httpx.TransportError):
        for seq, event, at in alice.events(run):
            seen.append((seq, event, at))
            if seq == 100:
                site.kill()
                lost_connection = time.monotonic()
    assert lost_connection

    site.start()
    reply = alice.wait_for_end(run, seconds=max(5, site.start_seconds))
    assert reply["status"] == "interrupted"
    assert reply["error"]["code"] == "interrupted"
    assert text_of(fold(event for _, event, _ in seen)).startswith(reply["text"])
    kept = list(alice.events(run))
    assert kept[-1][1].type == "RUN_ERROR"
    assert fold(event for _, event, _ in kept) == reply["parts"]
    # The tick itself is 0.1 s; a commit takes a little longer, and more on a machine on which events come late.
    longest_pause = max(after[2] - before[2] for before, after in itertools.pairwise(seen))
    safe = [seq for seq, _, at in seen if at < lost_connection - 0.5 - 3 * longest_pause]
    assert kept[-3][0] >= safe[-1]

    journaled = kept[-3][0]
    for position in (journaled + 1, journaled + 2, seen[-1][0] + 50):
        ahead = [event for _, event, _ in alice.events(run, after=position)]
        assert [event.type for event in ahead] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_ERROR"]
        assert [m["content"] for m in ahead[1].messages if m["id"] == run["reply_id"]] == [reply["text"]]
    assert alice.get(run["events_url"], params={"after": kept[-1][0]}).status_code == 204


def test_kill_restarts_a_run_that_had_shown_nothing(site, alice, upstream):
    run = alice.ask(assistant="silent")
    poll_until(lambda: requests_for(upstream, "silent"))
    site.kill()
    site.start()
    poll_until(lambda: len(requests_for(upstream, "silent")) == 2)
    status = alice.get(f"/api/runs/{run['run_id']}").json()["status"]
    assert status == "in_progress"
    assert [event.type for _, event, _ in read_until(alice.events(run), lambda event: True)] == ["RUN_STARTED"]
    alice.post(f"/api/runs/{run['run_id']}/cancel")
    assert alice.wait_for_end(run)["status"] == "cancelled"


def test_server_stop_finishes_live_runs_and_releases_readers(site, alice):
    run = alice.ask(assistant="demo")
    seen = read_until(alice.events(run), lambda event: event.type == "TEXT_MESSAGE_CONTENT")
    assert site.stop() < max(10, site.start_seconds)
    site.start()
    reply = alice.reply(run)
    assert reply["status"] == "interrupted"
    assert reply["text"].startswith(text_of(fold(event for _, event, _ in seen)))


def test_readers_that_reconnect_fifty_times_read_what_is_stored(alice):
    chance = random.Random(7)
    for _ in range(5):
        run, seen, position = alice.ask(assistant="demo"), [], None
        for _ in range(10):
            pause = time.monotonic() + chance.uniform(0, 0.4)
            read = read_until(alice.events(run, position), lambda event, pause=pause: time.monotonic() > pause)
            seen += read
            position = seen[-1][0]
            if seen[-1][1].type in TERMINAL:
                break
        if seen[-1][1].type not in TERMINAL:
            seen += alice.events(run, position)
        assert fold(event for _, event, _ in seen) == alice.wait_for_end(run)["parts"]
        assert [seq for seq, _, _ in seen] == sorted({seq for seq, _, _ in seen})


def test_cancel_ends_the_run_and_keeps_the_text(alice):
    run = alice.ask(assistant="demo")
    seen = read_until(alice.events(run), lambda event: event.type == "TEXT_MESSAGE_CONTENT")
    assert alice.post(f"/api/runs/{run['run_id']}/cancel").status_code == 202
    reply = alice.wait_for_end(run)
    assert reply["status"] == "cancelled"
    assert reply["text"].startswith(text_of(fold(event for _, event, _ in seen)))
    assert alice.post(f"/api/runs/{run['run_id']}/cancel").status_code == 202
    *_, (_, last, _) = alice.events(run)
    assert last.outcome == {"type": "cancelled"}


def test_cancel_closes_the_upstream_connection_within_a_second(alice, upstream):
    def cancel():
        """Returns after how many seconds the connection is closed."""
        before = len(requests_for(upstream, "silent"))
        run = alice.ask(assistant="silent")
        poll_until(lambda: len(requests_for(upstream, "silent")) > before)
        assert requests_for(upstream, "silent")[-1]["closed_at"] is None
        stopped = time.time()
        alice.post(f"/api/runs/{run['run_id']}/cancel")
        return poll_until(lambda: requests_for(upstream, "silent")[-1]["closed_at"]) - stopped

    assert any(cancel() < 1 for _ in range(3))  # the machine may have other things to do


def test_openai_compatible_server_streams_through(alice, upstream):
    run = alice.ask(assistant="openai")
    seen = list(alice.events(run))
    assert seen[-1][1].outcome == {"type": "success"}
    assert alice.reply(run)["parts"] == fold(event for _, event, _ in seen)
    assert alice.reply(run)["text"].startswith("## An answer")
    assert alice.reply(run)["usage"]["output_tokens"] > 10
    assert len(seen) > 30
    assert requests_for(upstream, "scripted")[-1]["headers"]["authorization"] == "Bearer sk-test"


def test_frames_are_valid_ag_ui(alice):
    from ag_ui.core import Event
    from pydantic import TypeAdapter

    run = alice.ask(assistant="demo")
    alice.wait_for_end(run)
    for frame in alice.event_json(run):
        TypeAdapter(Event).validate_python(frame)


def test_idempotency_key_sent_twice_makes_one_run(alice):
    first = alice.ask(key="once")
    again = alice.ask(key="once", conversation=first["conversation_id"])
    assert again == first
    assert len(alice.get(f"/api/conversations/{first['conversation_id']}/messages").json()["items"]) == 2


def test_temporary_conversation_of_a_killed_server_is_deleted_soon_after_the_restart(site, alice):
    conversation = alice.post("/api/conversations", json={"is_temporary": True}).json()["id"]
    alice.ask(conversation=conversation, assistant="silent")
    site.kill()
    site.start()
    poll_until(lambda: alice.get(f"/api/conversations/{conversation}").status_code == 404)
