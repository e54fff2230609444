"""A run that waits for the user's yes, and the run that goes on with the answer."""

import asyncio
import dataclasses
import json
import uuid
from datetime import datetime, timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat import engine
from chat.engine import recovery
from chat.errors import Refused
from chat.events import (
    Approval,
    Finish,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    fold,
    to_json,
)
from chat.models import Assistant, Conversation, Message, Run
from chat.models.allowed_tools import MAX_ALLOWED_TOOLS
from tests import scripted
from tests.assertions import AG_UI, assert_error, without_seconds
from tests.rows import all_rows
from tests.waiting import wait_for_run, wait_until


def call(id, name="pay"):
    question = Approval(id, f"May {name} run?", f"bank/{name}", f"version of {name}")
    return [ToolCallStart(id, name), ToolCallArgs(id, '{"sum": 5}'), ToolCallEnd(id), question]


def as_told(request):
    """What an agent does: first what the user answered, then the answer itself."""
    for id, answer in request.decisions.items():
        if type(answer) is dict:
            failed = {"error": True} if answer["error"] else None
            yield ToolCallResult(id, answer["result"] or answer["error"], metadata=failed)
        else:
            yield ToolCallResult(id, "Paid." if answer else "No.", metadata=None if answer else {"error": True})
    yield Text("Done.")
    yield Finish("stop")


@pytest.fixture
def waiting(script, ask):
    """`await waiting("a", "b")`: a run that waits for a yes to these calls."""

    async def wait(*ids):
        def pieces(request):
            if request.decisions:
                return as_told(request)
            return [piece for id in ids for piece in call(id)] + [Finish("tool_calls")]

        run = await ask(await script("payer", pieces, is_default=True))
        await wait_for_run(run)
        return run

    return wait


def answers(run, *yes):
    entries = zip(run.interrupts, yes, strict=True)
    return {"resume": [{"interruptId": i["id"], "status": "resolved", "payload": {"approved": y}} for i, y in entries]}


def resume(client, run, body):
    return client.send("POST", f"/api/runs/{run.pk}/resume", body)


async def test_waiting_run_ends_as_ag_ui_describes(waiting, client_of, alice):
    before = timezone.now()
    run = await waiting("a")
    assert (run.status, run.finish_reason, run.error) == ("completed", "tool_calls", None)
    *_, (_, end) = await wait_for_run(run)
    event = json.loads(to_json(end))
    AG_UI.validate_python(event)
    interrupt = event["outcome"]["interrupts"][0]
    assert event["outcome"] == {"type": "interrupt", "interrupts": [interrupt]}
    assert (interrupt["reason"], interrupt["toolCallId"]) == ("tool_call", "a")
    assert interrupt["message"] == "May pay run?"
    assert interrupt["responseSchema"]["required"] == ["approved"]
    assert interrupt["metadata"] == {"toolKey": "bank/pay", "toolVersion": "version of pay"}
    assert before + timedelta(days=6) < datetime.fromisoformat(interrupt["expiresAt"]) < before + timedelta(days=8)
    path = f"/api/conversations/{run.conversation_id}/messages"
    reply = (await client_of(alice).get(path)).json()["items"][1]
    assert reply["interrupts"] == run.interrupts == [interrupt]
    assert without_seconds(reply["parts"]) == [
        {"type": "tool_call", "id": "a", "name": "pay", "arguments": '{"sum": 5}', "result": None, "error": None}
    ]


@pytest.mark.parametrize(("yes", "result", "error"), [(True, "Paid.", None), (False, None, "No.")])
async def test_resume_starts_a_run_that_continues(waiting, client_of, alice, yes, result, error):
    run = await waiting("a")
    answer = await resume(client_of(alice), run, answers(run, yes))
    assert answer.status_code == 202
    data = answer.json()
    assert data["message_id"] == str(run.message_id)
    assert data["events_url"] == f"/api/runs/{data['run_id']}/events"
    after = await Run.objects.select_related("message", "conversation").aget(pk=data["run_id"])
    seen = [event for _, event in await wait_for_run(after)]
    assert [event.type for event in seen[:2]] == ["RUN_STARTED", "TOOL_CALL_RESULT"]
    assert scripted.requests[-1].decisions == {"a": yes}
    assert after.message.parts == fold(seen)
    assert after.message.parts == [
        {"type": "tool_result", "id": "a", "result": result, "error": error},
        {"type": "text", "text": "Done."},
    ]
    assert (after.message.parent_id, after.resumes_id, after.status) == (run.message_id, run.pk, "completed")


async def test_resume_answers_several_calls_together(waiting, client_of, alice):
    run = await waiting("a", "b")
    client, before = client_of(alice), await all_rows()
    one = {"resume": answers(run, True, False)["resume"][:1]}
    assert assert_error(await resume(client, run, one)) == "not_all_answered"
    assert await all_rows() == before
    assert (await resume(client, run, answers(run, True, False))).status_code == 202
    await wait_for_run(await run.resumed_by.select_related("message", "conversation").aget())
    assert scripted.requests[-1].decisions == {"a": True, "b": False}


async def test_resume_with_cancelled_refuses_the_call(waiting, client_of, alice):
    run = await waiting("a")
    body = {"resume": [{"interruptId": run.interrupts[0]["id"], "status": "cancelled"}]}
    assert (await resume(client_of(alice), run, body)).status_code == 202
    await wait_for_run(await run.resumed_by.select_related("message", "conversation").aget())
    assert scripted.requests[-1].decisions == {"a": False}


async def test_resume_twice_makes_one_run(waiting, client_of, alice):
    run = await waiting("a")
    client = client_of(alice)
    first, second = [await resume(client, run, answers(run, True)) for _ in range(2)]
    assert first.json() == second.json()
    assert await Run.objects.acount() == 2
    await wait_for_run(await run.resumed_by.select_related("message", "conversation").aget())
    assert len(scripted.requests) == 2
    assert assert_error(await resume(client, run, answers(run, False)), 409) == "already_answered"


async def test_resume_concurrently_makes_one_run(waiting, alice):
    run = await waiting("a")
    id = run.interrupts[0]["id"]
    both = await asyncio.gather(run.resume({id: True}), run.resume({id: False}), return_exceptions=True)
    won = [result for result in both if isinstance(result, Run)]
    lost = [result for result in both if isinstance(result, Refused)]
    assert (len(won), [error.code for error in lost]) == (1, ["already_answered"])


NO_ANSWERS = {
    "nothing": {},
    "no list": {"resume": {}},
    "an empty list": {"resume": []},
    "a word": {"resume": ["yes"]},
    "no id": {"resume": [{"status": "cancelled"}]},
    "another id": {"resume": [{"interruptId": "x", "status": "cancelled"}]},
    "another status": {"resume": [{"interruptId": "ID", "status": "yes"}]},
    "no payload": {"resume": [{"interruptId": "ID", "status": "resolved"}]},
    "an empty payload": {"resume": [{"interruptId": "ID", "status": "resolved", "payload": {}}]},
    "a yes that is a word": {"resume": [{"interruptId": "ID", "status": "resolved", "payload": {"approved": "yes"}}]},
    "a yes that is a number": {"resume": [{"interruptId": "ID", "status": "resolved", "payload": {"approved": 1}}]},
    "twice": {"resume": [{"interruptId": "ID", "status": "cancelled"}] * 2},
    "an always that is a word": {
        "resume": [{"interruptId": "ID", "status": "resolved", "payload": {"approved": True, "always": "yes"}}]
    },
    "NUL": {"resume": [{"interruptId": "\0", "status": "cancelled"}]},
    "one too many": {
        "resume": [{"interruptId": "ID", "status": "cancelled"}, {"interruptId": "x", "status": "cancelled"}]
    },
}


async def test_resume_with_invalid_answers_changes_nothing(waiting, client_of, alice, subtests):
    run = await waiting("a")
    client, before = client_of(alice), await all_rows()
    for name, body in NO_ANSWERS.items():
        with subtests.test(name):
            body = json.loads(json.dumps(body).replace('"ID"', json.dumps(run.interrupts[0]["id"])))
            assert_error(await resume(client, run, body))
            assert await all_rows() == before


async def test_resume_is_refused_if_no_run_is_waiting(finished_run, client_of, alice):
    run = await finished_run("one")
    before = await all_rows()
    body = {"resume": [{"interruptId": "x", "status": "cancelled"}]}
    assert assert_error(await resume(client_of(alice), run, body), 409) == "not_waiting"
    assert await all_rows() == before


async def test_resume_is_refused_when_too_late(waiting, client_of, alice, settings):
    settings.APPROVAL_SECONDS = -1
    run = await waiting("a")
    before = await all_rows()
    assert assert_error(await resume(client_of(alice), run, answers(run, True)), 410) == "expired"
    assert await all_rows() == before


async def test_resume_is_refused_after_another_message(waiting, client_of, alice):
    run = await waiting("a")
    other = await run.conversation.ask("Never mind")
    await engine.start(other)
    await wait_for_run(other)
    assert without_seconds(scripted.requests[-1].turns[1][1])[0]["result"] is None
    before = await all_rows()
    assert assert_error(await resume(client_of(alice), run, answers(run, True)), 409) == "superseded"
    assert await all_rows() == before


async def test_resume_is_refused_without_the_assistant(waiting, client_of, alice):
    run = await waiting("a")
    await Assistant.objects.aupdate(is_enabled=False)
    before = await all_rows()
    assert assert_error(await resume(client_of(alice), run, answers(run, True)), 409) == "no_assistant"
    assert await all_rows() == before


async def test_resume_is_refused_without_the_conversation(waiting):
    run = await waiting("a")
    await run.conversation.adelete()
    with pytest.raises(Refused) as refused:
        await run.resume({run.interrupts[0]["id"]: True})
    assert refused.value.status == 404


def always(run, approved=True):
    body = answers(run, *[approved for _ in run.interrupts])
    for entry in body["resume"]:
        entry["payload"]["always"] = True
    return body


async def allowed_tools(run):
    return (await Conversation.objects.aget(pk=run.conversation_id)).allowed_tools


@pytest.mark.parametrize("wire", ["http", "websocket"])
async def test_resume_allows_the_tool_for_the_conversation(waiting, client_of, socket_of, alice, wire):
    run = await waiting("a")
    if wire == "http":
        assert (await resume(client_of(alice), run, always(run))).status_code == 202
    else:
        async with socket_of(alice, run.conversation_id) as socket:
            await socket.send_json_to({"type": "run.resume", "run_id": str(run.pk), **always(run)})
            assert (await socket.receive_json_from())["type"] == "run.created"
    await wait_for_run(await run.resumed_by.select_related("message", "conversation").aget())
    assert await allowed_tools(run) == {"bank/pay": "version of pay"}
    row = (await client_of(alice).get(f"/api/conversations/{run.conversation_id}")).json()
    assert row["allowed_tools"] == ["bank/pay"]
    assert await scripted.requests[-1].is_allowed(Tool("version of pay"))
    assert not await scripted.requests[-1].is_allowed(Tool("another version"))
    await Conversation.objects.filter(pk=run.conversation_id).aupdate(deleted_at=timezone.now())
    assert not await scripted.requests[-1].is_allowed(Tool("version of pay"))


@dataclasses.dataclass
class Tool:
    """What a run is asked about."""

    version: str
    key: str = "bank/pay"


async def test_resume_allows_nothing_for_a_refused_call(waiting, client_of, alice):
    run = await waiting("a")
    assert (await resume(client_of(alice), run, always(run, approved=False))).status_code == 202
    assert await allowed_tools(run) == {}


async def test_repeated_resume_allows_nothing_more(waiting, client_of, alice):
    """The owner may have taken it back meanwhile."""
    run = await waiting("a")
    client = client_of(alice)
    first = await resume(client, run, always(run))
    await client.send("PATCH", f"/api/conversations/{run.conversation_id}", {"allowed_tools": []})
    assert (await resume(client, run, always(run))).json() == first.json()
    assert await allowed_tools(run) == {}


async def test_resume_by_a_stranger_allows_nothing(waiting, client_of, charlie):
    run = await waiting("a")
    assert (await resume(client_of(charlie), run, always(run))).status_code == 404
    assert await allowed_tools(run) == {}


async def test_resume_is_refused_if_too_many_tools_are_allowed(waiting, client_of, alice):
    run = await waiting("a")
    many = {f"server/{number}": "1" for number in range(MAX_ALLOWED_TOOLS)}
    await Conversation.objects.filter(pk=run.conversation_id).aupdate(allowed_tools=many)
    before = await all_rows()
    assert assert_error(await resume(client_of(alice), run, always(run)), 409) == "too_many_allowed_tools"
    assert await all_rows() == before


async def test_regenerate_does_not_run_the_tool_again(waiting, client_of, alice):
    run = await waiting("a", "b")
    first = await run.resume(dict(zip([i["id"] for i in run.interrupts], [True, False], strict=True)))
    await engine.start(first)
    await wait_for_run(first)
    answer = await client_of(alice).send("POST", f"/api/messages/{first.message_id}/regenerate")
    assert answer.status_code == 202
    second = await Run.objects.select_related("message", "conversation").aget(pk=answer.json()["run_id"])
    await wait_for_run(second)
    assert scripted.requests[-1].decisions == {
        "a": {"result": "Paid.", "error": None},
        "b": {"result": None, "error": "No."},
    }
    assert second.message.parts == first.message.parts
    assert second.message.parent_id == run.message_id


async def test_recovery_does_not_run_an_allowed_tool_again(waiting):
    """Its process may have died after the tool ran and before anything was stored."""
    run = await waiting("a")
    resumed = await run.resume({run.interrupts[0]["id"]: True})
    gone = uuid.uuid4()
    await Run.objects.filter(pk=resumed.pk).aupdate(status="in_progress", process_id=gone, attempts=1)
    await sync_to_async(recovery.recover)({gone: None})
    await resumed.arefresh_from_db()
    assert (resumed.status, resumed.error_code) == ("interrupted", "interrupted")


async def test_chat_call_returns_the_interrupts_it_waits_for(waiting, client_of, alice):
    await waiting("a")
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Pay"})
    assert answer.status_code == 202
    data = answer.json()
    run = await Run.objects.aget(pk=data["run_id"])
    assert data["interrupts"] == run.interrupts != []
    assert data["output"] == ""


async def test_resume_works_over_the_websocket(waiting, socket_of, alice):
    run = await waiting("a")
    async with socket_of(alice, run.conversation_id) as socket:
        await socket.send_json_to({"type": "run.resume", "run_id": str(run.pk), "resume": []})
        assert (await socket.receive_json_from())["type"] == "error"
        await socket.send_json_to({"type": "run.resume", "run_id": str(run.pk), **answers(run, True)})
        data = await socket.receive_json_from()
        assert (data["type"], data["message_id"]) == ("run.created", str(run.message_id))
    await wait_until(lambda: Run.objects.filter(pk=data["run_id"], status="completed").aexists())
    assert (await Message.objects.aget(pk=data["reply_id"])).text == "Done."


async def test_stream_without_steps_is_the_answer_alone(waiting, client_of, alice):
    run = await waiting("a")
    resumed = await run.resume({run.interrupts[0]["id"]: True})
    await engine.start(resumed)
    await wait_for_run(resumed)
    answer = await client_of(alice).get(f"{resumed.events_url}?steps=0")
    body = b"".join([chunk async for chunk in answer.streaming_content]).decode()
    sent = [json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in sent] == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    ids = [int(line.removeprefix("id: ")) for line in body.splitlines() if line.startswith("id: ")]
    assert ids == [1, 3, 4, 5, 6]  # their own numbers, so that a reader may come back with either view


async def test_time_zone_reaches_the_tools(script, client_of, alice):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    body = {"text": "Hi", "time_zone": "Asia/Tokyo"}
    assert (await client_of(alice).send("POST", "/api/chat", body)).status_code == 200
    context = scripted.requests[-1].context
    run = await Run.objects.aget()
    assert (context.user_id, context.time_zone) == (alice.pk, "Asia/Tokyo")
    assert context.conversation == str(run.conversation_id)
    before = await all_rows()
    for wrong in (5, "a b", "Asia/Tokyo\0", "x" * 65):
        assert_error(await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "time_zone": wrong}))
    assert await all_rows() == before
    body["time_zone"] = "Mars/Olympus"  # a browser may know of a new one
    assert (await client_of(alice).send("POST", "/api/chat", body)).status_code == 200
    assert scripted.requests[-1].context.zone.key == "UTC"
