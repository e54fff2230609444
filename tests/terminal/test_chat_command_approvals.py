"""`manage.py chat` asks before a tool is used."""

import signal
import sys

import pytest
from asgiref.sync import async_to_sync
from django.core.management import call_command

from chat.events import Approval, Finish, Text, ToolCallResult
from chat.models import Conversation, Run
from chat.tools import Tool
from tests import scripted
from tests.terminal.streams import LOOK, Interrupted, Stream

pytestmark = pytest.mark.slow


def waiting(request):
    """An agent that looks only when it may."""
    if not request.decisions:
        return [*LOOK, Approval("c1", "May it look?"), Finish("tool_calls")]
    assert request.turns[-1][0] == "assistant"
    yes = request.decisions["c1"]
    result = ToolCallResult("c1", "you") if yes else ToolCallResult("c1", "You said no.", metadata={"error": True})
    return [result, Text("I see you." if yes else "I see nothing."), Finish("stop")]


LOOK_TOOL = Tool(name="look", description="", schema={}, use=None)


def asking(request):
    """An agent whose tool can be allowed for the whole conversation."""
    if request.decisions:
        return [ToolCallResult("c1", "you"), Text("I see you."), Finish("stop")]
    return [*LOOK, Approval("c1", "May it look?", LOOK_TOOL.key, LOOK_TOOL.version), Finish("tool_calls")]


@pytest.mark.parametrize("user", [None, "alice"])
@pytest.mark.parametrize(
    ("line", "answer"), [("y\n", "I see you.\n"), ("\n", "I see nothing.\n"), ("", "I see nothing.\n")]
)
def test_approval_is_asked_for_at_the_terminal(write, chat, alice, user, line, answer):
    write("careful", waiting)
    code, out, err = chat("Hi", stdin=line, tty=True, user=user, assistant="careful", steps=True)
    assert (code, out) == (0, answer)
    assert 'May it look?\nlook {"at": "me"}\n[y/N] ' in err
    assert ("look → you" in err) == (line == "y\n")
    if user:
        assert [run.status for run in Run.objects.all()] == ["completed"] * 2


@pytest.mark.parametrize("user", [None, "alice"])
@pytest.mark.parametrize(("line", "is_allowed"), [("a\n", True), ("Always\n", True), ("y\n", False)])
def test_tool_can_always_be_allowed_at_the_terminal(write, chat, alice, user, line, is_allowed):
    write("careful", asking)
    code, out, err = chat("Hi", stdin=line, tty=True, user=user, assistant="careful")
    assert (code, out) == (0, "I see you.\n")
    assert "\n[y]es, [a]lways in this conversation, [N]o: " in err
    if user:
        assert Conversation.objects.get().allows_tool(LOOK_TOOL.key, LOOK_TOOL.version) == is_allowed
    else:
        assert async_to_sync(scripted.requests[-1].is_allowed)(LOOK_TOOL) == is_allowed


@pytest.mark.parametrize("user", [None, "alice"])
def test_approval_waits_if_there_is_no_terminal(write, chat, alice, user):
    write("careful", waiting)
    code, out, err = chat("Hi", user=user, assistant="careful")
    assert (code, out) == (3, "")
    assert 'May it look?\nlook {"at": "me"}\n' in err
    assert len(scripted.requests) == 1
    if user:
        assert Run.objects.get().interrupts


def test_approval_can_be_left_open(write, chat, monkeypatch, alice):
    write("careful", waiting)
    monkeypatch.setattr(sys, "stdin", Interrupted(signal.SIGINT))
    with pytest.raises(SystemExit) as end:
        call_command("chat", "Hi", user="alice", assistant="careful", stdout=Stream(), stderr=Stream(tty=True))
    assert end.value.code == 3
    assert Run.objects.get().interrupts


def test_approval_given_on_the_page_continues_here(write, chat, monkeypatch, alice):
    write("careful", waiting)

    def answer():
        run = Run.objects.get()
        async_to_sync(run.resume)({run.interrupts[0]["id"]: True})
        return "y\n"

    monkeypatch.setattr(sys, "stdin", Interrupted(answer))
    out = Stream()
    call_command("chat", "Hi", user="alice", assistant="careful", stdout=out, stderr=Stream(tty=True))
    assert out.getvalue() == "I see you.\n"
    assert Run.objects.count() == 2
