"""What a model is sent alternates between user and assistant, whatever became of the answers before."""

import itertools
import json

import pytest

from chat import engine
from chat.engine.reply import CONTINUE_PROMPT, build_request
from chat.events import Finish, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart
from chat.models import Assistant
from chat.providers import ProviderError, Request, alternating, langchain
from chat.providers.langchain.messages import UNFINISHED
from tests import scripted
from tests.providers.agent_runs import text_part, tool_call_part
from tests.providers.provider_runs import wait_until_shown
from tests.upstream import CALLS, END, RESET, call, chunk, refusal
from tests.waiting import wait_for_run

THOUGHT = {"type": "reasoning", "text": "Hm."}
IMAGE = {"type": "image", "id": "1", "media_type": "image/png", "data": "aGVsbG8="}
CALL = tool_call_part("a", "f", {}, "one")
CUT_CALL = tool_call_part("b", "f", '{"x": ')
RESULT = {"type": "tool_result", "id": "b", "result": "two", "error": None}


def user(*parts):
    return "user", [text_part(part) if isinstance(part, str) else part for part in parts]


def assistant(*parts):
    return "assistant", user(*parts)[1]


CONVERSATIONS = {  # what happened -> turns
    "an answer": [user("a"), assistant("b"), user("c")],
    "a failed answer": [user("a"), assistant(), user("c")],
    "an empty answer": [user("a"), assistant(""), user("c")],
    "an answer of white space": [user("a"), assistant("\n\n"), user("c")],
    "a thought alone": [user("a"), assistant(THOUGHT), user("c")],
    "several failed answers": [
        user("a"),
        assistant(),
        user("b"),
        assistant(THOUGHT),
        user("c"),
        assistant(""),
        user("d"),
    ],
    "a failed answer to an image": [user(IMAGE, ""), assistant(), user("c")],
    "a failed answer to an image with text": [user(IMAGE, "a"), assistant(), user(IMAGE, "c")],
    "a call without an answer": [user("a"), assistant(CALL), user("c")],
    "a cut call": [user("a"), assistant("b", CUT_CALL), user("c")],
    "a thought and a cut call": [user("a"), assistant(THOUGHT, CUT_CALL), user("c"), assistant(), user("d")],
    "a resumed call that failed": [user("a"), assistant(CUT_CALL), assistant(RESULT), user("c")],
    "a resumed call": [user("a"), assistant(CUT_CALL), assistant(RESULT, "b"), user("c")],
    "a continued answer": [user("a"), assistant("b"), assistant("c"), user("d")],
    "an answer that was continued in vain": [user("a"), assistant("b"), assistant(), assistant(THOUGHT), user("d")],
    "a greeting": [assistant("Hello!"), user("c")],
    "a failed greeting": [assistant(), user("c")],
    "no question": [assistant(THOUGHT)],
    "nothing": [],
}
QUESTIONS = {
    name: [part for role, parts in turns if role == "user" for part in parts] for name, turns in CONVERSATIONS.items()
}


def assert_alternates(messages):
    """Checks OpenAI's messages as the strictest do: Mistral's server, and the templates of Mistral, Gemma and Phi."""
    messages = [message for message in messages if message["role"] != "system"]
    for message, following in itertools.pairwise(messages):
        if message["role"] == "tool":
            assert following["role"] in ("tool", "assistant")
        if message.get("tool_calls"):
            assert following["role"] == "tool"
    roles = [message["role"] for message in messages if message["role"] != "tool" and not message.get("tool_calls")]
    assert roles == ["user" if index % 2 == 0 else "assistant" for index in range(len(roles))]
    assert all(message.get("content") or message.get("tool_calls") for message in messages)


def as_openai(messages):
    """Returns LangChain's messages as OpenAI's."""
    from langchain_core.messages import convert_to_openai_messages

    return convert_to_openai_messages(messages)


def assert_holds(sent, parts):
    """Checks that these parts of the user are in what is sent."""
    sent = json.dumps(sent)
    for part in parts:
        assert json.dumps(part.get("text") or "")[1:-1] in sent
        assert part.get("data", "") in sent


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_turns_alternate_and_hold_all_questions(name):
    turns = alternating(CONVERSATIONS[name])
    assert [role for role, _ in turns] == ["user" if index % 2 == 0 else "assistant" for index in range(len(turns))]
    assert_holds(turns, QUESTIONS[name])
    assert alternating(turns) == turns


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_messages_alternate_and_hold_all_questions(name):
    messages = Request("x", CONVERSATIONS[name], system_prompt="Be brief.").messages
    assert_alternates(messages)
    assert_holds(messages, QUESTIONS[name])


@pytest.mark.slow
@pytest.mark.parametrize("with_calls", [True, False])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_langchain_messages_alternate_and_hold_all_questions(name, with_calls):
    request = Request("x", CONVERSATIONS[name], "anthropic", system_prompt="Be brief.", tools=["f"])
    messages = as_openai(langchain.messages(request, with_calls=with_calls))
    assert_alternates(messages)
    assert_holds(messages, QUESTIONS[name])


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_request_ends_in_a_question_whatever_is_continued(name):
    turns = CONVERSATIONS[name]
    request = build_request(Assistant(), "openai:x", [*turns, assistant("Once upon")])
    assert request.turns[-1] == user(CONTINUE_PROMPT)
    for end in ([], [THOUGHT], [text_part("")]):
        request = build_request(Assistant(), "openai:x", [*turns, ("assistant", end)])
        assert request.turns[-1][0] == "user"
        assert_alternates(request.messages)


def test_questions_without_an_answer_have_an_empty_line_between_them():
    turns = [user("a"), assistant(), user(IMAGE, "b"), assistant(THOUGHT), user("c")]
    assert alternating(turns) == [user("a\n\n", IMAGE, "b\n\n", "c")]
    assert Request("x", turns).messages[0]["content"][1]["text"] == "a\n\nb\n\nc"


def test_answer_and_what_continues_it_are_one_turn():
    turns = [user("a"), assistant("Once up"), assistant("on a time"), user("b")]
    assert Request("x", turns).messages[1] == {"role": "assistant", "content": "Once upon a time"}


def test_continue_after_a_thought_alone_asks_for_the_answer():
    request = build_request(Assistant(), "openai:x", [user("Why?"), assistant(THOUGHT)])
    [message] = request.messages
    assert message["content"].startswith("Why?\n\nYou have thought about this")
    assert THOUGHT["text"] in message["content"]


def test_continue_after_nothing_asks_the_question_again():
    assert build_request(Assistant(), "openai:x", [user("Why?"), assistant()]).turns == [user("Why?")]
    turns = [user("Why?"), assistant("Because"), assistant()]
    assert build_request(Assistant(), "openai:x", turns).turns == [*turns[:2], user(CONTINUE_PROMPT)]


@pytest.mark.slow
def test_results_without_an_answer_are_followed_by_one():
    turns = [user("a"), assistant(CALL), user("b")]
    messages = langchain.messages(Request("x", turns, "openai", tools=["f"]))
    assert [(message.type, message.content) for message in messages][2:] == [
        ("tool", "one"),
        ("ai", UNFINISHED),
        ("human", "b"),
    ]


# Through the site -----------------------------------------------------------------------------------------------------

CALL_PIECES = (ToolCallStart("c", "clock"), ToolCallArgs("c", "{}"), ToolCallEnd("c"))
BAD_ANSWERS = {
    "failed": [ProviderError("No.")],
    "failed after a thought": [Reasoning("Hm."), ProviderError("No.")],
    "empty": [Finish("stop")],
    "a thought alone": [Reasoning("Hm."), Finish("stop")],
    "cut in a thought": [Reasoning("Hm.")],
    "cut in a call": [*CALL_PIECES[:2]],
    "cut after a call": [*CALL_PIECES, ToolCallResult("c", "now")],
    "at the limit in a thought": [Reasoning("Hm."), Finish("length")],
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_questions_after_a_bad_answer_are_sent_in_alternation(script, ask, name):
    run = await ask(await script("plain", *BAD_ANSWERS[name]), "first")
    await wait_for_run(run)
    for question in ("second", "third"):
        run = await run.conversation.ask(question)
        await engine.start(run)
        await wait_for_run(run)
    for request in scripted.requests:
        assert_alternates(request.messages)
    assert scripted.requests[-1].messages == [{"role": "user", "content": "first\n\nsecond\n\nthird"}]


async def test_question_after_a_stopped_answer_is_sent_in_alternation(script, slow, ask):
    async with slow("stopped"):
        run = await ask(await script("stopped", Reasoning("Hm."), *scripted.scripts["stopped"][1:]), "first")
        await wait_until_shown(run, "Hm.")
        await engine.cancel(run)
        await wait_for_run(run)
        assert run.status == "cancelled"
        again = await run.message.continue_reply()
        await script("stopped", Text("Yes."), Finish("stop"))
        await engine.start(again)
        await wait_for_run(again)
    [message] = scripted.requests[-1].messages
    assert message["content"].startswith("first\n\nYou have thought")


@pytest.mark.slow
@pytest.mark.parametrize(
    "turn",
    [
        ("Let me see.", RESET),
        (*list(call("echo", {"text": "a"}))[:2], RESET),
        (chunk({"reasoning_content": "Hm."}), RESET),
        refusal(400, {"error": {"message": "No."}}),
        END,
    ],
    ids=["text", "call", "thought", "refusal", "nothing"],
)
async def test_agent_is_sent_turns_in_alternation_after_a_bad_answer(agent_run, upstream, turn):
    used = (*call("echo", {"text": "a"}), *CALLS)
    run = await agent_run(used, turn, ("Well.", *END))
    await wait_for_run(run)
    for question in ("second", "third"):
        run = await run.conversation.ask(question)
        await engine.start(run)
        await wait_for_run(run)
        assert run.status == "completed"
    for request in upstream.requests:
        assert_alternates(request.body["messages"])
    assert_holds(upstream.requests[-1].body["messages"], [text_part("second"), text_part("third")])
