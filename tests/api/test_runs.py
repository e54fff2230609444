"""The API of runs: read, cancelled, limited."""

import uuid

from django.utils.dateparse import parse_datetime

from chat.events import Finish, Text, Usage
from chat.models import Assistant, Conversation, Message
from tests import scripted
from tests.api.answers import done
from tests.clients import messages_url
from tests.rows import all_rows
from tests.waiting import hang_timeout, wait_for_run, wait_for_text


async def test_get_run_has_every_field(client_of, alice, script, ask):
    run = await ask(await script("counted", Text("Hello"), Usage(1, 2, 3), Finish("stop")))
    await wait_for_run(run)
    answer = await client_of(alice).get(f"/api/runs/{run.pk}")
    assert answer.status_code == 200
    data = answer.json()
    times = [parse_datetime(data.pop(name)) for name in ("created_at", "started_at", "finished_at")]
    assert times == sorted(times)
    counts = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert data == {
        "id": str(run.pk),
        "conversation_id": str(run.conversation_id),
        "message_id": str(run.message_id),
        "status": "completed",
        "error": None,
        "finish_reason": "stop",
        "notice": None,
        "instruction": None,
        "interrupts": [],
        "assistant": "counted",
        "advice": None,
        "model": "scripted:counted",
        "usage": counts | {"reasoning_tokens": None, "cached_input_tokens": None},
    }


async def test_get_run_in_progress_has_no_end(client_of, alice, slow, ask):
    async with slow():
        run = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(run)
        data = (await client_of(alice).get(f"/api/runs/{run.pk}")).json()
        assert data["status"] == "in_progress"
        assert data["started_at"] and data["finished_at"] is None and data["usage"] is None


async def test_get_run_of_a_deleted_assistant(client_of, alice, finished_run):
    run = await finished_run("one")
    await Assistant.objects.filter(slug="words").adelete()
    client = client_of(alice)
    data = (await client.get(f"/api/runs/{run.pk}")).json()
    assert (data["assistant"], data["model"]) == (None, "scripted:words")
    assert (await client.get(messages_url(run.conversation))).json()["items"][1]["text"] == "one"
    assert (await client.get("/api/conversations")).json()["items"][0]["assistant"] is None


async def test_cancel_closes_the_upstream_and_keeps_the_text(client_of, alice, slow, ask):
    client = client_of(alice)
    async with slow():
        run = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(run)
        for _ in range(2):
            answer = await client.send("POST", f"/api/runs/{run.pk}/cancel")
            assert answer.status_code == 202
            assert answer.json()["id"] == str(run.pk)
        async with hang_timeout():
            events = await wait_for_run(run)
        assert scripted.closed == ["slow"]
    assert [event.type for _, event in events][-2:] == ["TEXT_MESSAGE_END", "RUN_FINISHED"]
    assert events[-1][1].outcome == {"type": "cancelled"}
    assert (run.status, run.error) == ("cancelled", None)
    assert (await Message.objects.aget(pk=run.message_id)).text == "one"
    again = await client.send("POST", f"/api/runs/{run.pk}/cancel")
    assert (again.status_code, again.json()["status"]) == (202, "cancelled")


async def test_cancel_of_a_queued_run_never_starts_it(client_of, alice, slow, words, ask, settings):
    settings.MAX_RUNS_PER_USER = 1
    client = client_of(alice)
    async with slow():
        first = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(first)
        waiting = await ask(words)
        assert (await client.get(f"/api/runs/{waiting.pk}")).json()["status"] == "queued"
        answer = await client.send("POST", f"/api/runs/{waiting.pk}/cancel")
        assert answer.status_code == 202
        assert answer.json()["status"] == "cancelled"
        assert [event.type for _, event in await wait_for_run(waiting)] == ["RUN_STARTED", "RUN_FINISHED"]
    await wait_for_run(first)
    assert first.status == "completed"
    assert [request.model for request in scripted.requests] == ["slow"]


async def test_cancel_of_an_ended_run_changes_nothing(client_of, alice, finished_run):
    run = await finished_run("one two")
    before = await all_rows()
    answer = await client_of(alice).send("POST", f"/api/runs/{run.pk}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (202, "completed")
    assert await all_rows() == before


async def test_run_limit_refuses_more_runs_and_changes_nothing(client_of, alice, charlie, slow, words, ask, settings):
    settings.MAX_RUNS_PER_USER = settings.MAX_WAITING_PER_USER = 1
    client = client_of(alice)
    async with slow():
        first = await ask(await Assistant.objects.aget(slug="slow"))
        await wait_for_text(first)
        waiting = await ask(words)
        before = await all_rows() | {"chat.RunEvent": ...}  # those of the first run go on
        for path in (messages_url(first.conversation), f"/api/messages/{first.message_id}/regenerate", "/api/chat"):
            answer = await client.send("POST", path, {"text": "One more", "assistant": "words"})
            assert answer.status_code == 429
            assert answer.json()["error"]["code"] == "too_many_runs"
            assert int(answer.headers["Retry-After"]) > 0
            assert await all_rows() | {"chat.RunEvent": ...} == before
        other = await Conversation.objects.acreate(owner=charlie, assistant=words)
        free = await client_of(charlie).send("POST", messages_url(other), {"text": "Hi"})
        assert free.status_code == 202
        await done(free)
    await wait_for_run(first)
    await wait_for_run(waiting)
    assert (await client.send("POST", messages_url(first.conversation), {"text": "Now"})).status_code == 202


async def test_unknown_ids_are_404(client_of, alice):
    client, unknown = client_of(alice), uuid.uuid4()
    for method, path in (
        ("GET", f"/api/conversations/{unknown}"),
        ("PATCH", f"/api/conversations/{unknown}"),
        ("DELETE", f"/api/conversations/{unknown}"),
        ("GET", f"/api/conversations/{unknown}/messages"),
        ("POST", f"/api/conversations/{unknown}/messages"),
        ("POST", f"/api/messages/{unknown}/regenerate"),
        ("GET", f"/api/runs/{unknown}"),
        ("POST", f"/api/runs/{unknown}/cancel"),
        ("GET", f"/api/runs/{unknown}/events"),
    ):
        answer = await client.send(method, path, None if method == "GET" else {"text": "Hi"})
        assert answer.status_code == 404, path
        assert answer.json()["error"]["code"] == "not_found"
