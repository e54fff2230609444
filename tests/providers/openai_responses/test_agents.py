"""Agents over `openai_responses:`: tool calls, and what the model wants back with their results."""

from contextlib import aclosing

import pytest

from chat import engine
from chat.events import Finish
from chat.providers import Request, agent, langchain
from chat.providers.langchain import responses
from chat.providers.openai_responses import connection
from chat.providers.openai_responses.input import function_tools, input_items, tool_choice
from tests import toolbox
from tests.providers.agent_runs import answered, assert_no_task_is_left, outcome_of, text_part, tool_call_part
from tests.providers.provider_runs import wait_until_closed, wait_until_shown
from tests.providers.responses_stream import (
    CREATED,
    USAGE,
    added,
    answer,
    call,
    call_item,
    completed,
    delta,
    done,
    message,
    message_item,
    reasoning,
    reasoning_item,
    started,
)
from tests.upstream import SILENCE, refusal, whole
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow

MODEL = "openai_responses:scripted"
ENCRYPTED = {"encrypted_content": "gAAAAB+/=="}
FINAL = (*answer(message("All is ", "done.")),)
REFUSED = {
    "error": {
        "message": "Encrypted content is not supported with this model.",
        "type": "invalid_request_error",
        "param": "include",
        "code": None,
    }
}


@pytest.fixture(autouse=True)
def no_model_is_known(monkeypatch):
    monkeypatch.setattr(connection, "_without_encryption", set())


def input_after_question(upstream, number=-1):
    items = upstream.requests[number].body["input"]
    return items[[item.get("role") for item in items].index("user") + 1 :]


def output(text, id="call_1"):
    return {"type": "function_call_output", "call_id": id, "output": text}


def call_sent(name, arguments, id="call_1"):
    return {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}


async def test_call_is_run_and_its_result_is_sent(agent_run, upstream):
    run = await agent_run(answer(call("echo", {"text": "a"})), FINAL, model=MODEL, system_prompt="Be brief.")
    assert await outcome_of(run) == (
        "completed",
        "",
        [tool_call_part("call_1", "echo", {"text": "a"}, "a!"), text_part("All is done.")],
    )
    assert run.finish_reason == "stop"
    assert [usage["total_tokens"] for usage in run.usage] == [12, 12]
    first, second = [request.body for request in upstream.requests]
    assert first["input"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    (tool,) = first["tools"]
    assert (tool["type"], tool["name"], tool["strict"]) == ("function", "echo", False)
    assert tool["parameters"]["required"] == ["text"]
    assert (first["store"], first["include"]) == (False, ["reasoning.encrypted_content"])
    assert second["input"][2:] == [call_sent("echo", '{"text": "a"}'), output("a!")]


async def test_calls_of_one_turn_run_at_once(agent_run, upstream):
    calls = [call("echo", {"text": id}, id=id, index=index) for index, id in enumerate("abc")]
    run = await agent_run(answer(*calls), FINAL, model=MODEL)
    status, _, parts = await outcome_of(run)
    assert (status, [part["result"] for part in parts[:-1]]) == ("completed", ["a!", "b!", "c!"])
    sent = [call_sent("echo", f'{{"text": "{id}"}}', id=id) for id in "abc"]
    assert input_after_question(upstream) == [*sent, *(output(f"{id}!", id=id) for id in "abc")]


async def test_call_that_ends_twice_runs_once(agent_run):
    item = call_item("echo", '{"text": "a"}')
    turn = [*started(), *call("echo", {"text": "a"}), done(item), done(item | {"id": "fc_9"}, 3), completed(item)]
    status, _, parts = await outcome_of(await agent_run(turn, FINAL, model=MODEL))
    assert (status, len(parts), toolbox.calls) == ("completed", 2, [("echo", "a")])


async def test_encrypted_reasoning_is_sent_back_with_the_result(agent_run, upstream):
    turn = answer(reasoning("hm", **ENCRYPTED), call("echo", {"text": "a"}, index=1))
    again = answer(reasoning(index=0, id="rs_9", **ENCRYPTED), call("echo", {"text": "b"}, id="call_2", index=1))
    run = await agent_run(turn, again, FINAL, model=MODEL)
    status, _, parts = await outcome_of(run)
    assert (status, parts[0]) == ("completed", {"type": "reasoning", "text": "hm"})
    assert input_after_question(upstream) == [
        reasoning_item("hm", **ENCRYPTED),
        call_sent("echo", '{"text": "a"}'),
        output("a!"),
        reasoning_item(id="rs_9", **ENCRYPTED),
        call_sent("echo", '{"text": "b"}', id="call_2"),
        output("b!", id="call_2"),
    ]


async def test_items_go_back_in_their_order(agent_run, upstream):
    turn = answer(
        reasoning(**ENCRYPTED),
        message("Let me see.", index=1, phase="commentary"),
        reasoning(index=2, **ENCRYPTED),
        call("echo", {"text": "a"}, index=3),
    )
    status, _, parts = await outcome_of(await agent_run(turn, FINAL, model=MODEL))
    assert (status, parts[0]) == ("completed", {"type": "reasoning", "text": "Let me see."})
    sent = input_after_question(upstream)
    assert [item["type"] for item in sent] == [
        "reasoning",
        "message",
        "reasoning",
        "function_call",
        "function_call_output",
    ]
    assert (sent[1]["phase"], sent[1]["content"][0]["text"]) == ("commentary", "Let me see.")


async def test_encrypted_reasoning_is_kept_through_an_approval(agent_run, upstream):
    turn = answer(reasoning(**ENCRYPTED), call("transfer", {"amount": 5}, index=1))
    run = await agent_run(turn, FINAL, model=MODEL, tools=["transfer"])
    await wait_for_run(run)
    after = await answered(run, True)
    status, _, parts = await outcome_of(after)
    assert (status, parts[-1]) == ("completed", text_part("All is done."))
    assert input_after_question(upstream) == [
        reasoning_item(**ENCRYPTED),
        call_sent("transfer", '{"amount": 5}'),
        output("5 moved"),
    ]


async def test_reasoning_does_not_go_back_with_the_next_question(agent_run, upstream):
    turn = answer(reasoning("hm", **ENCRYPTED), call("echo", {"text": "a"}, index=1))
    run = await agent_run(turn, FINAL, model=MODEL)
    await wait_for_run(run)
    again = await run.conversation.ask("And now?")
    await engine.start(again)
    await wait_for_run(again)
    assert [item.get("type") or item["role"] for item in upstream.requests[-1].body["input"]] == [
        "user",
        "function_call",
        "function_call_output",
        "assistant",
        "user",
    ]


async def test_reasoning_that_nobody_can_read_is_not_sent_back(agent_run, upstream):
    turn = answer(reasoning("hm"), call("echo", {"text": "a"}, index=1))
    await outcome_of(await agent_run(turn, FINAL, model=MODEL))
    assert input_after_question(upstream) == [call_sent("echo", '{"text": "a"}'), output("a!")]


async def test_thoughts_in_full_go_back(agent_run, upstream):
    item = {"id": "rs_0", "type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}], "status": None}
    turn = [*started(), done(item), *call("echo", {"text": "a"}, index=1), completed()]
    await outcome_of(await agent_run(turn, FINAL, model=MODEL))
    assert input_after_question(upstream)[0] == {name: item[name] for name in ("id", "type", "content")}


async def test_invalid_items_are_not_sent_back(agent_run, upstream):
    odd = {"type": "new_call", "id": "n", "status": "completed", "data": None}
    turn = [*started(), done(None), done({}), done(odd), *call("echo", {"text": "a"}, index=1), completed()]
    assert (await outcome_of(await agent_run(turn, FINAL, model=MODEL)))[0] == "completed"
    assert input_after_question(upstream) == [odd, call_sent("echo", '{"text": "a"}'), output("a!")]


async def test_items_without_end_fail_the_answer(agent_run, upstream, monkeypatch):
    monkeypatch.setattr(responses, "MAX_OUTPUT_SIZE", 100_000)
    turn = [*started(), *[done({"type": "new_call", "id": "n", "data": "x" * 10_000})] * 20, SILENCE]
    status, code, _ = await outcome_of(await agent_run(turn, model=MODEL))
    assert (status, code) == ("failed", "malformed")
    await wait_until_closed(upstream.requests[0])


async def test_model_that_cannot_encrypt_is_asked_without_encryption_from_then_on(agent_run, upstream):
    turns = [refusal(400, REFUSED), answer(call("echo", {"text": "a"})), FINAL]
    assert (await outcome_of(await agent_run(*turns, model=MODEL)))[0] == "completed"
    assert ["include" in request.body for request in upstream.requests] == [True, False, False]


async def test_other_refusals_are_not_asked_again(agent_run, upstream):
    error = {"error": {"message": "Bad tool.", "type": "invalid_request_error", "param": "tools"}}
    status, code, _ = await outcome_of(await agent_run(refusal(400, error), model=MODEL))
    assert (status, code, len(upstream.requests)) == ("failed", "refused", 1)


async def test_params_tools_and_includes_are_added_to_the_agents(agent_run, upstream):
    params = {"tools": [{"type": "web_search"}], "include": ["web_search_call.action.sources"], "temperature": 0.5}
    search = {"id": "ws_0", "type": "web_search_call", "status": "completed", "action": {"query": "x"}}
    turn = [
        *started(),
        added(search | {"status": "in_progress"}),
        done(search),
        *call("echo", {"text": "a"}, index=1),
        completed(),
    ]
    run = await agent_run(turn, FINAL, model=MODEL, params=params)
    status, _, parts = await outcome_of(run)
    assert (status, parts[:2]) == (
        "completed",
        [
            tool_call_part("ws_0", "web_search", {"query": "x"}, "completed"),
            tool_call_part("call_1", "echo", {"text": "a"}, "a!"),
        ],
    )
    assert toolbox.calls == [("echo", "a")]
    body = upstream.requests[0].body
    assert [tool.get("name", tool["type"]) for tool in body["tools"]] == ["echo", "web_search"]
    assert body["include"] == ["web_search_call.action.sources", "reasoning.encrypted_content"]
    assert body["temperature"] == 0.5
    assert [item["type"] for item in input_after_question(upstream)] == [
        "web_search_call",
        "function_call",
        "function_call_output",
    ]


async def test_last_call_of_the_model_offers_no_tools(agent_run, upstream):
    run = await agent_run(answer(call("echo", {"text": "a"})), FINAL, model=MODEL, max_model_calls=1)
    assert (await outcome_of(run))[0] == "completed"
    assert ["tools" in request.body for request in upstream.requests] == [True, False]


async def test_invalid_arguments_are_reported_to_the_model(agent_run, upstream):
    status, _, parts = await outcome_of(await agent_run(answer(call("echo", "{oh")), FINAL, model=MODEL))
    assert (status, parts[0]["result"]) == ("completed", None)
    sent, result = input_after_question(upstream)
    assert sent == call_sent("echo", "{}")
    assert "not valid JSON" in result["output"]


async def test_text_before_a_call_is_a_step_and_is_sent_back(agent_run, upstream):
    turn = answer(message("Let me see."), call("echo", {"text": "a"}, index=1))
    _, _, parts = await outcome_of(await agent_run(turn, FINAL, model=MODEL))
    assert parts[0] == {"type": "reasoning", "text": "Let me see."}
    assert input_after_question(upstream)[0]["content"][0]["text"] == "Let me see."


async def test_agent_sees_images(upstream, monkeypatch):
    toolbox.offer(monkeypatch)
    upstream.answers(*FINAL)
    parts = [{"type": "image", "media_type": "image/png", "data": "QUJD"}, {"type": "text", "text": "What is it?"}]
    request = Request(
        "scripted", [("user", parts)], "openai_responses", params={"base_url": upstream.base_url}, tools=["echo"]
    )
    async with aclosing(agent.reply(request)) as pieces:
        assert [piece async for piece in pieces][-1] == Finish("stop")
    (question,) = upstream.requests[0].body["input"]
    assert question["content"] == [
        {"type": "input_image", "image_url": "data:image/png;base64,QUJD"},
        {"type": "input_text", "text": "What is it?"},
    ]


async def test_thoughts_in_the_text_are_read_and_go_back_as_they_were(agent_run, upstream):
    turn = answer(message("<think>", "hm</think>"), call("echo", {"text": "a"}, index=1))
    _, _, parts = await outcome_of(await agent_run(turn, FINAL, model=MODEL))
    assert parts == [
        {"type": "reasoning", "text": "hm"},
        tool_call_part("call_1", "echo", {"text": "a"}, "a!"),
        text_part("All is done."),
    ]
    assert input_after_question(upstream)[0]["content"][0]["text"] == "<think>hm</think>"


async def test_long_answer_arrives_complete(agent_run):
    deltas = [f"word {number} " for number in range(1_000)]
    run = await agent_run(answer(message(*deltas)), model=MODEL)
    assert await outcome_of(run) == ("completed", "", [text_part("".join(deltas))])


async def test_error_of_the_server_has_its_sentence(agent_run):
    turn = [*started(), completed(status="failed", error={"code": "insufficient_quota", "message": "x"})]
    status, code, _ = await outcome_of(await agent_run(turn, model=MODEL))
    assert (status, code) == ("failed", "quota")


async def test_stop_closes_the_connection(agent_run, upstream):
    run = await agent_run([*started(), *(delta("word " * 20) for _ in range(10)), SILENCE], model=MODEL)
    await wait_until_shown(run, "word")
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert (await outcome_of(run))[0] == "cancelled"
    await assert_no_task_is_left()


async def test_middleware_may_use_the_model_as_any_of_langchains(upstream):
    upstream.answers(*answer(reasoning("hm"), message("Hel", "lo", index=1), call("f", "{}", index=2)))
    upstream.answers(whole(CREATED | {"status": "completed", "output": [message_item("Hello")], "usage": USAGE}))
    request = Request("scripted", [], "openai_responses", params={"base_url": upstream.base_url})
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    async with langchain.chat_model(request) as model:
        streamed = None
        async for chunk in model.bind_tools([tool], tool_choice="f").astream("Hi"):
            streamed = chunk if streamed is None else streamed + chunk
        assert (streamed.text, streamed.tool_calls[0]["name"]) == ("Hello", "f")
        assert streamed.usage_metadata["total_tokens"] == 12
        assert (await model.ainvoke("Hi")).text == "Hello"
    assert upstream.requests[0].body["tool_choice"] == {"type": "function", "name": "f"}


# What is sent ---------------------------------------------------------------------------------------------------------

CHAT_CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ITEMS = {  # name -> (a message, its items)
    "text": ({"role": "user", "content": "Hi"}, [{"role": "user", "content": "Hi"}]),
    "nothing": ({"role": "user", "content": ""}, []),
    "no content": ({"role": "assistant", "content": None}, []),
    "parts": (
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": "https://x", "detail": "low"}},
                {"type": "file", "file": {"file_id": "f"}},
                {"type": "input_text", "text": "a"},
                "b",
            ],
        },
        [
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "https://x", "detail": "low"},
                    {"type": "input_file", "file_id": "f"},
                    {"type": "input_text", "text": "a"},
                    {"type": "input_text", "text": "b"},
                ],
            }
        ],
    ),
    "a call": (
        {"role": "assistant", "content": "Hm.", "tool_calls": [CHAT_CALL]},
        [{"role": "assistant", "content": "Hm."}, call_sent("f", "{}", id="a")],
    ),
    "a result in parts": (
        {
            "role": "tool",
            "tool_call_id": "a",
            "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}],
        },
        [output("xy", id="a")],
    ),
    "a text that was changed": (
        {
            "role": "assistant",
            "content": "[removed]",
            "tool_calls": [CHAT_CALL],
            "output_items": [reasoning_item(**ENCRYPTED), message_item("secret"), call_item("f", "{}", id="a")],
        },
        [reasoning_item(**ENCRYPTED), {"role": "assistant", "content": "[removed]"}, call_sent("f", "{}", id="a")],
    ),
    "a text that was removed": (
        {"role": "assistant", "content": "", "output_items": [message_item("secret")]},
        [],
    ),
    "a text that was added": (
        {"role": "assistant", "content": "more", "output_items": [reasoning_item(**ENCRYPTED)]},
        [reasoning_item(**ENCRYPTED), {"role": "assistant", "content": "more"}],
    ),
    "a call that was removed": (
        {"role": "assistant", "content": "", "output_items": [call_item("f", "{}", id="a")]},
        [],
    ),
    "a call that was added": (
        {"role": "assistant", "content": "", "tool_calls": [CHAT_CALL], "output_items": [reasoning_item(**ENCRYPTED)]},
        [reasoning_item(**ENCRYPTED), call_sent("f", "{}", id="a")],
    ),
}


@pytest.mark.parametrize("name", ITEMS)
def test_messages_become_input_items(name):
    given, items = ITEMS[name]
    assert input_items([given]) == items


def test_tools_become_those_of_a_response():
    chat_tool = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}
    assert function_tools([chat_tool, {"type": "web_search"}]) == [
        {"type": "function", "name": "f", "parameters": {}, "strict": True},
        {"type": "web_search"},
    ]
    assert tool_choice({"type": "function", "function": {"name": "f"}}) == {"type": "function", "name": "f"}
    assert tool_choice("required") == "required"
