"""A run that waits for the person's yes, and the run that goes on with the answer."""

import asyncio
import json
import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from chat import engine
from chat.engine import journal
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
from chat.models import Assistant, Message, Refused, Run

from . import scripted
from .conftest import over, until, untimed
from .test_bad_input import refusal, rows
from .test_events import agui_event
from .test_websocket import socket_of  # noqa: F401


def call(id, name="pay"):
    return [ToolCallStart(id, name), ToolCallArgs(id, '{"sum": 5}'), ToolCallEnd(id), Approval(id, f"May {name} run?")]


def as_told(request):
    """What an agent does: first what the person answered, then the answer itself."""
    for id, told in request.answers.items():
        if type(told) is dict:
            failed = {"error": True} if told["error"] else None
            yield ToolCallResult(id, told["result"] or told["error"], metadata=failed)
        else:
            yield ToolCallResult(id, "Paid." if told else "No.", metadata=None if told else {"error": True})
    yield Text("Done.")
    yield Finish("stop")


@pytest.fixture
def waiting(script, ask):
    """`await waiting("a", "b")`: a run that waits for a yes to these calls."""

    async def wait(*ids):
        def pieces(request):
            if request.answers:
                return as_told(request)
            return [piece for id in ids for piece in call(id)] + [Finish("tool_calls")]

        run = await ask(await script("payer", pieces, is_default=True))
        await over(run)
        return run

    return wait


def answers(run, *yes):
    entries = zip(run.interrupts, yes, strict=True)
    return {"resume": [{"interruptId": i["id"], "status": "resolved", "payload": {"approved": y}} for i, y in entries]}


def resume(client, run, body):
    return client.send("POST", f"/api/runs/{run.pk}/resume", body)


async def test_it_ends_as_ag_ui_describes(waiting, client_of, alice):
    before = timezone.now()
    run = await waiting("a")
    assert (run.status, run.finish_reason, run.error) == ("completed", "tool_calls", None)
    *_, (_, end) = await over(run)
    told = json.loads(to_json(end))
    agui_event.validate_python(told)
    interrupt = told["outcome"]["interrupts"][0]
    assert told["outcome"] == {"type": "interrupt", "interrupts": [interrupt]}
    assert (interrupt["reason"], interrupt["toolCallId"]) == ("tool_call", "a")
    assert interrupt["message"] == "May pay run?"
    assert interrupt["responseSchema"]["required"] == ["approved"]
    assert before + timedelta(days=6) < datetime.fromisoformat(interrupt["expiresAt"]) < before + timedelta(days=8)
    path = f"/api/conversations/{run.conversation_id}/messages"
    reply = (await client_of(alice).get(path)).json()["items"][1]
    assert reply["interrupts"] == run.interrupts == [interrupt]
    assert untimed(reply["parts"]) == [
        {"type": "tool_call", "id": "a", "name": "pay", "arguments": '{"sum": 5}', "result": None, "error": None}
    ]


@pytest.mark.parametrize(("yes", "result", "error"), [(True, "Paid.", None), (False, None, "No.")])
async def test_the_answer_starts_the_run_that_goes_on(waiting, client_of, alice, yes, result, error):
    run = await waiting("a")
    answer = await resume(client_of(alice), run, answers(run, yes))
    assert answer.status_code == 202
    told = answer.json()
    assert told["message_id"] == str(run.message_id)
    assert told["events_url"] == f"/api/runs/{told['run_id']}/events"
    after = await Run.objects.select_related("message", "conversation").aget(pk=told["run_id"])
    seen = [event for _, event in await over(after)]
    assert [event.type for event in seen[:2]] == ["RUN_STARTED", "TOOL_CALL_RESULT"]
    assert scripted.asked[-1].answers == {"a": yes}
    assert after.message.parts == fold(seen)
    assert after.message.parts == [
        {"type": "tool_result", "id": "a", "result": result, "error": error},
        {"type": "text", "text": "Done."},
    ]
    assert (after.message.parent_id, after.resumes_id, after.status) == (run.message_id, run.pk, "completed")


async def test_several_calls_are_answered_together(waiting, client_of, alice):
    run = await waiting("a", "b")
    client, before = client_of(alice), await rows()
    one = {"resume": answers(run, True, False)["resume"][:1]}
    assert refusal(await resume(client, run, one)) == "not_all_answered"
    assert await rows() == before
    assert (await resume(client, run, answers(run, True, False))).status_code == 202
    await over(await run.resumed_by.select_related("message", "conversation").aget())
    assert scripted.asked[-1].answers == {"a": True, "b": False}


async def test_who_cancels_says_no(waiting, client_of, alice):
    run = await waiting("a")
    body = {"resume": [{"interruptId": run.interrupts[0]["id"], "status": "cancelled"}]}
    assert (await resume(client_of(alice), run, body)).status_code == 202
    await over(await run.resumed_by.select_related("message", "conversation").aget())
    assert scripted.asked[-1].answers == {"a": False}


async def test_the_same_answer_twice_makes_one_run(waiting, client_of, alice):
    run = await waiting("a")
    client = client_of(alice)
    first, second = [await resume(client, run, answers(run, True)) for _ in range(2)]
    assert first.json() == second.json()
    assert await Run.objects.acount() == 2
    await over(await run.resumed_by.select_related("message", "conversation").aget())
    assert len(scripted.asked) == 2
    assert refusal(await resume(client, run, answers(run, False)), 409) == "already_answered"


async def test_who_answers_at_once_makes_one_run(waiting, alice):
    run = await waiting("a")
    id = run.interrupts[0]["id"]
    both = await asyncio.gather(run.resume({id: True}), run.resume({id: False}), return_exceptions=True)
    won = [one for one in both if isinstance(one, Run)]
    lost = [one for one in both if isinstance(one, Refused)]
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
    "NUL": {"resume": [{"interruptId": "\0", "status": "cancelled"}]},
    "one too many": {
        "resume": [{"interruptId": "ID", "status": "cancelled"}, {"interruptId": "x", "status": "cancelled"}]
    },
}


async def test_what_is_no_answer_changes_nothing(waiting, client_of, alice, subtests):
    run = await waiting("a")
    client, before = client_of(alice), await rows()
    for name, body in NO_ANSWERS.items():
        with subtests.test(name):
            body = json.loads(json.dumps(body).replace('"ID"', json.dumps(run.interrupts[0]["id"])))
            refusal(await resume(client, run, body))
            assert await rows() == before


async def test_a_run_that_does_not_wait_takes_no_answer(finished_run, client_of, alice):
    run = await finished_run("one")
    before = await rows()
    body = {"resume": [{"interruptId": "x", "status": "cancelled"}]}
    assert refusal(await resume(client_of(alice), run, body), 409) == "not_waiting"
    assert await rows() == before


async def test_an_answer_that_comes_too_late_is_refused(waiting, client_of, alice, settings):
    settings.APPROVAL_SECONDS = -1
    run = await waiting("a")
    before = await rows()
    assert refusal(await resume(client_of(alice), run, answers(run, True)), 410) == "expired"
    assert await rows() == before


async def test_who_goes_on_writing_has_said_no(waiting, client_of, alice):
    run = await waiting("a")
    other = await run.conversation.ask("Never mind")
    await engine.start(other)
    await over(other)
    assert untimed(scripted.asked[-1].turns[1][1])[0]["result"] is None
    before = await rows()
    assert refusal(await resume(client_of(alice), run, answers(run, True)), 409) == "superseded"
    assert await rows() == before


async def test_an_assistant_that_is_gone_does_not_go_on(waiting, client_of, alice):
    run = await waiting("a")
    await Assistant.objects.aupdate(is_enabled=False)
    before = await rows()
    assert refusal(await resume(client_of(alice), run, answers(run, True)), 409) == "no_assistant"
    assert await rows() == before


async def test_a_conversation_that_is_gone_does_not_go_on(waiting):
    run = await waiting("a")
    await run.conversation.adelete()
    with pytest.raises(Refused) as refused:
        await run.resume({run.interrupts[0]["id"]: True})
    assert refused.value.status == 404


async def test_a_second_answer_does_not_use_the_tool_again(waiting, client_of, alice):
    run = await waiting("a", "b")
    first = await run.resume(dict(zip([i["id"] for i in run.interrupts], [True, False], strict=True)))
    await engine.start(first)
    await over(first)
    answer = await client_of(alice).send("POST", f"/api/messages/{first.message_id}/regenerate")
    assert answer.status_code == 202
    second = await Run.objects.select_related("message", "conversation").aget(pk=answer.json()["run_id"])
    await over(second)
    assert scripted.asked[-1].answers == {
        "a": {"result": "Paid.", "error": None},
        "b": {"result": None, "error": "No."},
    }
    assert second.message.parts == first.message.parts
    assert second.message.parent_id == run.message_id


async def test_a_tool_that_was_allowed_does_not_run_again_after_a_crash(waiting):
    """Its process may have died after the tool ran and before anything was told."""
    run = await waiting("a")
    resumed = await run.resume({run.interrupts[0]["id"]: True})
    gone = uuid.uuid4()
    await Run.objects.filter(pk=resumed.pk).aupdate(status="in_progress", worker_id=gone, attempts=1)
    await engine.here().desk(0, journal.recover, [gone])
    await resumed.arefresh_from_db()
    assert (resumed.status, resumed.error_code) == ("interrupted", "interrupted")


async def test_one_call_for_scripts_tells_what_it_waits_for(waiting, client_of, alice):
    await waiting("a")
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Pay"})
    assert answer.status_code == 202
    told = answer.json()
    run = await Run.objects.aget(pk=told["run_id"])
    assert told["interrupts"] == run.interrupts != []
    assert told["output"] == ""


async def test_it_is_answered_over_the_socket(waiting, socket_of, alice):  # noqa: F811
    run = await waiting("a")
    async with socket_of(alice, run.conversation_id) as socket:
        await socket.send_json_to({"type": "run.resume", "run_id": str(run.pk), "resume": []})
        assert (await socket.receive_json_from())["type"] == "error"
        await socket.send_json_to({"type": "run.resume", "run_id": str(run.pk), **answers(run, True)})
        told = await socket.receive_json_from()
        assert (told["type"], told["message_id"]) == ("run.created", str(run.message_id))
    await until(lambda: Run.objects.filter(pk=told["run_id"], status="completed").aexists())
    assert (await Message.objects.aget(pk=told["reply_id"])).text == "Done."


async def test_without_steps_there_is_the_answer_alone(waiting, client_of, alice):
    run = await waiting("a")
    resumed = await run.resume({run.interrupts[0]["id"]: True})
    await engine.start(resumed)
    await over(resumed)
    answer = await client_of(alice).get(f"{resumed.events_url}?steps=0")
    body = b"".join([chunk async for chunk in answer.streaming_content]).decode()
    told = [json.loads(line.removeprefix("data: ")) for line in body.splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in told] == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    ids = [int(line.removeprefix("id: ")) for line in body.splitlines() if line.startswith("id: ")]
    assert ids == [1, 3, 4, 5, 6]  # their own numbers, so that a reader may come back with either view


async def test_the_time_zone_reaches_the_tools(script, client_of, alice):
    await script("plain", Text("Hello"), Finish("stop"), is_default=True)
    body = {"text": "Hi", "time_zone": "Asia/Tokyo"}
    assert (await client_of(alice).send("POST", "/api/chat", body)).status_code == 200
    context = scripted.asked[-1].context
    run = await Run.objects.aget()
    assert (context.person, context.time_zone) == (alice.pk, "Asia/Tokyo")
    assert context.conversation == str(run.conversation_id)
    before = await rows()
    for wrong in (5, "a b", "Asia/Tokyo\0", "x" * 65):
        refusal(await client_of(alice).send("POST", "/api/chat", {"text": "Hi", "time_zone": wrong}))
    assert await rows() == before
    body["time_zone"] = "Mars/Olympus"  # a browser may know of a new one
    assert (await client_of(alice).send("POST", "/api/chat", body)).status_code == 200
    assert scripted.asked[-1].context.zone.key == "UTC"
