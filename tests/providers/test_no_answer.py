"""Replies without an answer: the API and the readers say so, and it can be asked for."""

import pytest

from chat import engine
from chat.events import (
    Approval,
    Finish,
    Reasoning,
    Text,
    ToolCallArgs,
    ToolCallEnd,
    ToolCallResult,
    ToolCallStart,
    Usage,
    Withdraw,
)
from tests import scripted
from tests.providers.agent_runs import FINAL_ANSWER
from tests.upstream import CALLS, END, call, chunk
from tests.waiting import wait_for_run

NOTICE = "The model finished without giving an answer."
CALL = (ToolCallStart("c", "clock"), ToolCallArgs("c", "{}"), ToolCallEnd("c"))
STOP = Finish("stop")
WITHOUT = {
    "thoughts alone": [Reasoning("Hm."), STOP],
    "thoughts and white space": [Reasoning("Hm."), Text("\n\n"), STOP],
    "thoughts and a null character": [Reasoning("Hm."), Text("\0"), STOP],
    "thoughts in two parts": [Reasoning("Hm."), Text("\n"), Reasoning("Hm again."), Usage(1, 2, 3), STOP],
    "a tool's result alone": [*CALL, ToolCallResult("c", "now"), STOP],
    "a thought after a result": [*CALL, ToolCallResult("c", "now"), Reasoning("Hm."), STOP],
    "a text that was a thought": [Text("Hm."), Withdraw("text"), Reasoning("Hm."), STOP],
    "nothing": [STOP],
    "white space": [Text(" "), STOP],
    "thoughts and another word for the end": [Reasoning("Hm."), Finish("eot")],
}
WITH = {  # -> the finish reason and the notice
    "an answer": ([Reasoning("Hm."), Text("\n\n"), Text("Yes."), STOP], "stop", None),
    "an answer before thoughts": ([Text("Yes."), Reasoning("Hm."), STOP], "stop", None),
    "thoughts up to the limit": (
        [Reasoning("Hm."), Finish("length")],
        "length",
        "The answer reached its length limit.",
    ),
    "a filtered answer": (
        [Reasoning("Hm."), Finish("content_filter")],
        "content_filter",
        "The provider's content filter cut the answer short.",
    ),
    "calls that nobody runs": ([*CALL, Finish("tool_calls")], "tool_calls", None),
    "a call that waits": ([*CALL, Approval("c", "Allow?"), STOP], "stop", None),
}


@pytest.mark.parametrize("name", WITHOUT)
async def test_reply_without_an_answer_says_so_everywhere(script, ask, client_of, alice, name):
    run = await ask(await script("plain", *WITHOUT[name]))
    *_, (_, terminal) = await wait_for_run(run)
    assert (run.status, run.finish_reason, run.error_code) == ("completed", "no_answer", "")
    assert terminal.result == {"finishReason": "no_answer", "notice": NOTICE}
    client = client_of(alice)
    shown = [(await client.get(f"/api/runs/{run.pk}")).json()]
    shown += (await client.get(f"/api/conversations/{run.conversation_id}/messages")).json()["items"][1:]
    assert [(item["status"], item["finish_reason"], item["notice"]) for item in shown] == [
        ("completed", "no_answer", NOTICE)
    ] * 2


@pytest.mark.parametrize("name", WITH)
async def test_other_replies_have_their_own_notice(script, ask, name):
    steps, reason, notice = WITH[name]
    run = await ask(await script("plain", *steps))
    await wait_for_run(run)
    assert (run.status, run.finish_reason, run.notice) == ("completed", reason, notice)


async def test_notice_about_a_missing_answer_is_in_the_language_of_the_user(script, client_of, alice):
    await script("plain", *WITHOUT["thoughts alone"], is_default=True)
    answer = await client_of(alice).send("POST", "/api/chat", {"text": "Hi"}, **{"Accept-Language": "ja"})
    run = (await client_of(alice).get(f"/api/runs/{answer.json()['run_id']}", **{"Accept-Language": "ja"})).json()
    assert run["notice"] == "モデルは返答せずに終了しました。"


async def test_missing_answer_can_be_continued(script, ask, client_of, alice):
    run = await ask(await script("plain", *WITHOUT["thoughts alone"]), "Why?")
    await wait_for_run(run)
    await script("plain", Text("Because."), STOP)
    data = (await client_of(alice).send("POST", f"/api/messages/{run.message_id}/continue")).json()
    again = await type(run).objects.select_related("message", "conversation").aget(pk=data["run_id"])
    await wait_for_run(again)
    assert (again.status, again.finish_reason, again.message.text) == ("completed", "stop", "Because.")
    [message] = scripted.requests[-1].messages
    assert message["content"].startswith("Why?")
    assert "Answer now." in message["content"]
    follow_up = await again.conversation.ask("And?")
    await engine.start(follow_up)
    await wait_for_run(follow_up)
    assert [message["role"] for message in scripted.requests[-1].messages] == ["user", "assistant", "user"]


@pytest.mark.slow
async def test_missing_answer_of_an_agent_can_be_continued(agent_run, upstream, client_of, alice):
    used = (*call("echo", {"text": "a"}), *CALLS)
    run = await agent_run(used, (chunk({"reasoning_content": "Hm."}), *END), FINAL_ANSWER)
    await wait_for_run(run)
    assert (run.status, run.finish_reason) == ("completed", "no_answer")
    data = (await client_of(alice).send("POST", f"/api/messages/{run.message_id}/continue")).json()
    again = await type(run).objects.select_related("message", "conversation").aget(pk=data["run_id"])
    await wait_for_run(again)
    assert again.message.text == "All is done."
