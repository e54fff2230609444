"""What goes back to the model beside its tool calls: its thoughts and signatures, as its server sent them."""

import copy
import json

import pytest

from chat import engine
from chat.models import Assistant, Run
from chat.providers import ProviderError
from chat.providers.agent import turn as turn_module
from chat.providers.langchain import round_trip
from chat.providers.langchain.round_trip import RoundTrip, restore
from tests.providers.agent_runs import FINAL_ANSWER, answered, messages_after_question, outcome_of
from tests.providers.vendor_turns import anthropic, google, named, tool_use
from tests.upstream import CALLS, call, chunk
from tests.waiting import wait_for_run

SIGNATURE = {"google": {"thought_signature": "c2lnbmF0dXJl+/=="}}
ENCRYPTED = {
    "type": "reasoning.encrypted",
    "data": "b3BhcXVl",
    "format": "openai-responses-v1",
    "id": "rs_1",
    "index": 1,
}
SUMMARY = {"type": "reasoning.summary", "summary": "Hm. ", "format": "openai-responses-v1", "index": 0}
SIGNED = {
    "type": "reasoning.text",
    "text": "Hm. Well.",
    "signature": "sig",
    "format": "anthropic-claude-v1",
    "index": 0,
}
BLOCKS = [{"type": "thinking", "thinking": "Hm. Well.", "signature": "sig"}, {"type": "redacted_thinking", "data": "x"}]


def deltas(name, *values):
    return [{name: value} for value in values]


MESSAGES = {  # server -> (the deltas before the call, the fields of the message that goes back)
    "deepseek": (deltas("reasoning_content", "Hm. ", "Well."), {"reasoning_content": "Hm. Well."}),
    "deepseek, beside the content": (
        [{"content": None, "reasoning_content": "Hm."}, {"content": "", "reasoning_content": None}],
        {"reasoning_content": "Hm."},
    ),
    "kimi, without a thought": ([{"content": "", "reasoning_content": ""}], {"reasoning_content": ""}),
    "mistral, as a list": (
        deltas("reasoning_content", [{"text": "Hm. "}, "Well."]),
        {"reasoning_content": "Hm. Well."},
    ),
    "vllm": (deltas("reasoning", "Hm. ", "Well."), {"reasoning": "Hm. Well."}),
    "openrouter": (
        [
            {"reasoning": "Hm. ", "reasoning_details": [SUMMARY]},
            {"reasoning": "Well.", "reasoning_details": [SUMMARY | {"summary": "Well."}]},
            {"reasoning_details": [ENCRYPTED]},
        ],
        {"reasoning": "Hm. Well.", "reasoning_details": [SUMMARY | {"summary": "Hm. Well."}, ENCRYPTED]},
    ),
    "openrouter, signed in the end": (
        deltas(
            "reasoning_details",
            [SIGNED | {"text": "Hm. ", "signature": None}],
            [SIGNED | {"text": "Well.", "signature": None}],
            [{"type": "reasoning.text", "signature": "sig", "index": 0}],
        ),
        {"reasoning_details": [SIGNED]},
    ),
    "openrouter, two thoughts": (
        deltas("reasoning_details", [SIGNED, SIGNED | {"index": 1}], [SIGNED | {"index": 2}]),
        {"reasoning_details": [SIGNED, SIGNED | {"index": 1}, SIGNED | {"index": 2}]},
    ),
    "openrouter, whole": (
        deltas("reasoning_details", [{"type": "reasoning.text", "text": "a"}, {"type": "reasoning.text", "text": "b"}]),
        {"reasoning_details": [{"type": "reasoning.text", "text": "a"}, {"type": "reasoning.text", "text": "b"}]},
    ),
    "minimax": (
        deltas(
            "reasoning_details", [{"type": "reasoning.text", "text": "a"}], [{"type": "reasoning.text", "text": "b"}]
        ),
        {"reasoning_details": [{"type": "reasoning.text", "text": "ab"}]},
    ),
    "litellm": (
        deltas(
            "thinking_blocks",
            [{"type": "thinking", "thinking": "Hm. ", "signature": None}],
            [{"type": "thinking", "thinking": "Well.", "signature": ""}],
            [{"type": "thinking", "thinking": "", "signature": "sig"}],
            [BLOCKS[1]],
        ),
        {"thinking_blocks": BLOCKS},
    ),
    "gemini, beside the text": ([{"content": "", "extra_content": SIGNATURE}], {"extra_content": SIGNATURE}),
    "odd": (
        [
            {"reasoning_details": "x", "extra_content": ["x"]},
            {"reasoning_details": ["x", None]},
            {"thinking_blocks": {}},
        ],
        {},
    ),
    "openai": ([{"role": "assistant", "content": None, "refusal": None}], {}),
}
CALL_FIELDS = {  # server -> the field of a tool call
    "gemini": {"extra_content": SIGNATURE},
    "litellm": {"provider_specific_fields": {"thought_signature": "c2ln"}},
    "openai": {},
}


def call_with(fields, **how):
    """The chunks of a call of `echo`; the first has these fields beside the call."""
    first, *others = call("echo", {"text": how.pop("text", "a")}, **how)
    first = copy.deepcopy(first)
    first["choices"][0]["delta"]["tool_calls"][0] |= fields
    return first, *others


@pytest.mark.parametrize("name", MESSAGES)
def test_fields_of_a_message_are_collected(name):
    given, expected = MESSAGES[name]
    fields = RoundTrip()
    for delta in given:
        fields.read(delta)
    message = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    restored = copy.deepcopy(message)
    if taken := fields.take():
        restore(restored, json.loads(json.dumps(taken["round_trip"])))
    assert restored == message | expected
    assert fields.take() == {}


def test_message_without_a_call_is_unchanged():
    message = {"role": "assistant", "content": "Hello"}
    restore(message, {"message": {"reasoning_content": "Hm."}, "calls": {}})
    assert message == {"role": "assistant", "content": "Hello"}


@pytest.mark.parametrize("delta", [{"reasoning_details": [ENCRYPTED]}, {"extra_content": SIGNATURE}])
def test_fields_without_end_fail_the_answer(monkeypatch, delta):
    monkeypatch.setattr(round_trip, "MAX_LENGTH", 1_000)
    fields = RoundTrip()
    with pytest.raises(ProviderError, match="too long"):
        for _ in range(100):
            fields.read(delta)


# Through the site -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", MESSAGES)
async def test_fields_of_a_message_go_back_with_its_calls(agent_run, upstream, name):
    given, expected = MESSAGES[name]
    turn = (*map(chunk, given), *call("echo", {"text": "a"}), *CALLS)
    status, _, _ = await outcome_of(await agent_run(turn, turn, FINAL_ANSWER))
    assert status == "completed"
    made = [message for message in messages_after_question(upstream) if message["role"] == "assistant"]
    assert len(made) == 2
    for message in made:
        assert {key: message[key] for key in message.keys() - {"role", "content", "tool_calls"}} == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", CALL_FIELDS)
async def test_fields_of_a_call_go_back_with_it(agent_run, upstream, name):
    fields = CALL_FIELDS[name]
    turn = (*call_with(fields, id="a", index=0), *call_with({}, id="b", index=1), *CALLS)
    other = (*call_with({}, id="c", index=0), *call_with(fields, id="d", index=1), *CALLS)
    await outcome_of(await agent_run(turn, other, FINAL_ANSWER))
    first, second = [message for message in messages_after_question(upstream) if message["role"] == "assistant"]
    sent = [{key: call[key] for key in call.keys() - {"id", "type", "function"}} for call in first["tool_calls"]]
    assert sent == [fields, {}]
    sent = [{key: call[key] for key in call.keys() - {"id", "type", "function"}} for call in second["tool_calls"]]
    assert sent == [{}, fields]


@pytest.mark.slow
async def test_fields_do_not_go_back_with_the_next_question(agent_run, upstream):
    turn = (chunk({"reasoning_content": "Hm."}), *call_with(CALL_FIELDS["gemini"]), *CALLS)
    run = await agent_run(turn, FINAL_ANSWER)
    await wait_for_run(run)
    again = await run.conversation.ask("And now?")
    await engine.start(again)
    await wait_for_run(again)
    sent = json.dumps(upstream.requests[-1].body["messages"])
    assert "reasoning_content" not in sent
    assert "extra_content" not in sent


# Across an approval ---------------------------------------------------------------------------------------------------

TRANSFER = {"amount": 5}


async def resumed(run, answer=True):
    """Lets the run wait, answers in another process, as it were, and returns the run that continues, at its end."""
    await wait_for_run(run)
    assert run.interrupts
    await engine.shut_down()
    run = await Run.objects.select_related("conversation", "message").aget(pk=run.pk)
    after = await answered(run, answer)
    await wait_for_run(after)
    assert after.status == "completed"
    return after


def assistant_messages(upstream):
    return [message for message in messages_after_question(upstream) if message["role"] == "assistant"]


@pytest.mark.slow
@pytest.mark.parametrize("answer", [True, False])
@pytest.mark.parametrize("name", MESSAGES)
async def test_fields_go_back_after_an_approval(agent_run, upstream, name, answer):
    given, expected = MESSAGES[name]
    first = (*map(chunk, given), *call_with(CALL_FIELDS["gemini"], text="a"), *CALLS)
    second = ("Let me see.", *map(chunk, given), *call("transfer", TRANSFER, id="call_2"), *CALLS)
    await resumed(await agent_run(first, second, FINAL_ANSWER, tools=["echo", "transfer"]), answer)
    made = assistant_messages(upstream)
    assert [message["content"] for message in made] == [None, "Let me see."]
    for message in made:
        assert {key: message[key] for key in message.keys() - {"role", "content", "tool_calls"}} == expected
    assert made[0]["tool_calls"][0]["extra_content"] == SIGNATURE
    assert [call["id"] for message in made for call in message["tool_calls"]] == ["call_1", "call_2"]
    # What the model had seen before the approval is the beginning of what it sees after it.
    before, after = (request.body["messages"] for request in upstream.requests[-2:])
    assert after[: len(before)] == before


@pytest.mark.slow
async def test_fields_go_back_after_each_of_two_approvals(agent_run, upstream):
    turns = [
        (chunk({"reasoning_content": f"Thought {number}"}), *call("transfer", TRANSFER, id=f"c{number}"), *CALLS)
        for number in range(2)
    ]
    run = await resumed(await agent_run(*turns, FINAL_ANSWER, tools=["transfer"]))
    await resumed(run)
    assert [message["reasoning_content"] for message in assistant_messages(upstream)] == ["Thought 0", "Thought 1"]


@pytest.mark.slow
async def test_fields_do_not_go_to_another_model_after_an_approval(agent_run, upstream):
    turn = (chunk({"reasoning_content": "Hm."}), *call("transfer", TRANSFER), *CALLS)
    run = await agent_run(turn, FINAL_ANSWER, tools=["transfer"])
    await wait_for_run(run)
    await Assistant.objects.aupdate(model="openai:another")
    await resumed(run)
    assert upstream.requests[-1].body["model"] == "another"
    assert "reasoning_content" not in assistant_messages(upstream)[0]


@pytest.mark.slow
async def test_fields_of_a_waiting_run_are_for_the_server_alone(agent_run, client_of, alice):
    turn = (chunk({"reasoning_details": [ENCRYPTED]}), *call("transfer", TRANSFER), *CALLS)
    run = await agent_run(turn, tools=["transfer"])
    events = await wait_for_run(run)
    assert ENCRYPTED["data"] in json.dumps(run.resume_state)
    assert ENCRYPTED["data"] not in repr(events)
    for path in (f"/api/runs/{run.pk}", f"/api/conversations/{run.conversation_id}/messages"):
        assert ENCRYPTED["data"] not in (await client_of(alice).get(path)).text
    export = await client_of(alice).get("/api/export")
    assert ENCRYPTED["data"].encode() not in b"".join([part async for part in export.streaming_content])


@pytest.mark.slow
async def test_fields_with_characters_that_no_database_takes_are_kept_without_them(agent_run, upstream):
    turn = (chunk({"reasoning_content": "H\0m\ud83d."}), *call("transfer", TRANSFER), *CALLS)
    await resumed(await agent_run(turn, FINAL_ANSWER, tools=["transfer"]))
    assert assistant_messages(upstream)[0]["reasoning_content"] == "Hm\ufffd."


@pytest.mark.slow
async def test_fields_that_are_too_long_are_not_kept(agent_run, upstream, monkeypatch, caplog):
    monkeypatch.setattr(turn_module, "MAX_RESUME_STATE_LENGTH", 1_000)
    turn = (chunk({"reasoning_content": "Hm." * 1_000}), *call("transfer", TRANSFER), *CALLS)
    await resumed(await agent_run(turn, FINAL_ANSWER, tools=["transfer"]))
    assert "reasoning_content" not in assistant_messages(upstream)[0]
    assert "too long" in caplog.text


@pytest.mark.slow
async def test_fields_that_are_not_json_are_dropped(agent_run, upstream, monkeypatch, caplog):
    merge = turn_module._merge

    def merge_with_object(chunks):
        whole = merge(chunks)
        whole.additional_kwargs["odd"] = object()
        return whole

    monkeypatch.setattr(turn_module, "_merge", merge_with_object)
    turn = (*call("transfer", TRANSFER), *CALLS)
    await resumed(await agent_run(turn, FINAL_ANSWER, tools=["transfer"]))
    assert "cannot be stored" in caplog.text


@pytest.mark.slow
async def test_anthropic_receives_its_thinking_after_an_approval(agent_run, upstream):
    thinking = (
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "Hm."},
        {"type": "signature_delta", "signature": "c2ln"},
    )
    redacted = ({"type": "redacted_thinking", "data": "xyz"},)
    remark = ({"type": "text", "text": ""}, {"type": "text_delta", "text": "I pay."})
    words = ({"type": "text", "text": ""}, {"type": "text_delta", "text": "All is done."})
    run = await agent_run(
        named(anthropic(thinking, redacted, remark, tool_use("toolu_1", "transfer", '{"amount": 5}'))),
        named(anthropic(words, stop="end_turn")),
        model="anthropic:scripted",
        params={"base_url": upstream.base_url.removesuffix("/v1"), "api_key": "k"},
        tools=["transfer"],
    )
    await resumed(run)
    _, made, result = upstream.requests[-1].body["messages"]
    assert made["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "xyz"},
        {"type": "text", "text": "I pay."},
        {"type": "tool_use", "id": "toolu_1", "name": "transfer", "input": {"amount": 5}},
    ]
    assert result["content"][0]["tool_use_id"] == "toolu_1"


@pytest.mark.slow
async def test_google_receives_its_thought_signatures_after_an_approval(agent_run, upstream):
    wanted = {"functionCall": {"name": "transfer", "args": TRANSFER}, "thoughtSignature": "c2ln"}
    run = await agent_run(
        [f"data: {json.dumps(google(wanted, reason='STOP'))}\n\n".encode()],
        [f"data: {json.dumps(google({'text': 'All is done.'}, reason='STOP'))}\n\n".encode()],
        model="google_genai:gemini-3-pro",
        params={"base_url": upstream.base_url.removesuffix("/v1"), "api_key": "k"},
        tools=["transfer"],
    )
    await resumed(run)
    _, made, result = upstream.requests[-1].body["contents"]
    assert made["parts"][0]["thoughtSignature"] == "c2ln"
    assert result["parts"][0]["functionResponse"]["name"] == "transfer"
