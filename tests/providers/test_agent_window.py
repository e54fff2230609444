"""An agent whose tools fill its model's context window: the reply goes on with less."""

import pytest

from chat import engine
from chat.providers.agent.excerpt import LEFT_OUT, MAX_ATTEMPTS
from tests.providers.agent_runs import FINAL_ANSWER, messages_after_question, outcome_of
from tests.upstream import CALLS, Answer, call, refusal

pytestmark = pytest.mark.slow

LONG = "word " * 2_000


def size(messages):
    return sum(len(str(message["content"] or "")) for message in messages)


@pytest.fixture
def small_model(upstream):
    """`small_model(limit)`: the model of `agent_run` refuses requests of more than so many characters."""

    def limit(characters):
        def answer(request):
            messages = request.body["messages"]
            if size(messages) > characters:
                error = {"type": "exceed_context_size_error", "n_ctx": 2048, "n_prompt_tokens": 5000, "message": "m"}
                return refusal(400, {"error": error})
            if messages[-1]["role"] == "tool":
                return Answer(list(FINAL_ANSWER))
            return Answer([*call("echo", {"text": LONG}), *CALLS])

        upstream.answer = answer

    return limit


async def test_result_that_is_too_long_is_cut_and_the_reply_completed(agent_run, small_model, upstream):
    small_model(4_000)
    run = await agent_run()
    status, code, parts = await outcome_of(run)
    assert (status, code, run.message.text) == ("completed", "", "All is done.")
    assert [part["type"] for part in parts] == ["tool_call", "text"]  # nothing of the conversation was left out
    assert parts[0]["result"] == f"{LONG}!"  # the user sees all of it
    *_, result = messages_after_question(upstream)
    assert result["content"].startswith("word word")
    assert result["content"].endswith(LEFT_OUT)
    assert 1_000 < len(result["content"]) < 4_000


async def test_earlier_turns_are_left_out_before_a_result_is_cut(agent_run, small_model, upstream):
    small_model(11_500)
    run = await agent_run(system_prompt="Be brief.", max_model_calls=5)
    await outcome_of(run)
    run = await run.conversation.ask("And again?")
    await engine.start(run)
    status, _, parts = await outcome_of(run)
    assert status == "completed"
    assert {"type": "context_trimmed", "kept": 1} in parts
    messages = upstream.requests[-1].body["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool"]
    assert messages[1]["content"] == "And again?"
    assert messages[-1]["content"] == f"{LONG}!"


async def test_reply_that_stays_too_long_fails_and_the_next_message_works(agent_run, small_model, upstream):
    small_model(100)
    run = await agent_run()
    status, code, _ = await outcome_of(run)
    assert (status, code) == ("failed", "context_length")
    assert len(upstream.requests) <= 2 + MAX_ATTEMPTS
    small_model(4_000)
    run = await run.conversation.ask("Again?")
    await engine.start(run)
    assert (await outcome_of(run))[0] == "completed"


async def test_overflow_after_text_keeps_it_and_fails(agent_run, upstream):
    error = {"error": {"code": 500, "message": "Context size has been exceeded.", "type": "server_error"}}
    run = await agent_run((*call("echo", {"text": "a"}), *CALLS), ("A long text that is written. " * 10, error))
    status, code, parts = await outcome_of(run)
    assert (status, code) == ("failed", "context_length")
    assert parts[-1]["text"].startswith("A long text")
    assert len(upstream.requests) == 2
