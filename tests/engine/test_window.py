"""A conversation that outgrows its model goes on: the oldest turns are left out, and the readers are told."""

import itertools
import json

import pytest

from chat import engine, events
from chat.engine import window
from chat.engine.reply import CONTINUE_PROMPT, build_prompt
from chat.engine.window import Prompt, estimate_tokens, window_of
from chat.events import Approval, Finish, Text, ToolCallArgs, ToolCallEnd, ToolCallStart, Usage
from chat.models import Assistant
from chat.providers import ContextOverflow, ProviderError, Request
from tests import scripted
from tests.waiting import wait_for_run

TOO_LONG = "The conversation is too long for this model."
LONG = "word " * 100
JAPANESE = "長い会話は続けられます。" * 20


def count(request):
    """Returns the tokens of a request as a server counts them: one for three characters, and some for each message."""
    return sum(len(str(message["content"]).encode()) // 3 + 8 for message in request.messages)


def model(size, tells=lambda tokens: (None, None), answer="yes"):
    """A model with a window of so many tokens. `tells(tokens)` gives the sizes in the report of an overflow."""

    def reply(request):
        tokens = count(request)
        if tokens > size:
            return [ContextOverflow(TOO_LONG, *tells(tokens))]
        return [Text(answer), Usage(tokens, 1, tokens + 1), Finish("stop")]

    return reply


REPORTS = {  # what a server of a window of 1,000 tokens tells
    "nothing": lambda tokens: (None, None),
    "the window": lambda tokens: (1000, None),
    "both sizes": lambda tokens: (1000, tokens),
    "the input alone": lambda tokens: (None, tokens),
    "a window that is too large": lambda tokens: (128_000, None),
    "a window that is far too small": lambda tokens: (16, tokens),
}


async def talk(run, questions):
    """Asks these questions one after the other, and returns the runs."""
    runs = []
    for question in questions:
        run = await run.conversation.ask(question)
        await engine.start(run)
        await wait_for_run(run)
        runs.append(run)
    return runs


def texts(request):
    return ["".join(part["text"] for part in parts if part["type"] == "text") for _, parts in request.turns]


@pytest.mark.parametrize("report", REPORTS)
async def test_conversation_longer_than_its_window_continues(script, ask, report):
    run = await ask(await script("small", model(1000, REPORTS[report])), "first")
    await wait_for_run(run)
    runs = await talk(run, [f"{number} {text}" for number, text in enumerate([LONG, JAPANESE] * 5)])
    assert [run.status for run in runs] == ["completed"] * 10
    for request in scripted.requests:
        assert request.turns[0][0] == "user"
    assert texts(scripted.requests[-1])[-1] == f"9 {JAPANESE}"
    # A few refusals until the size is known, and never more than the attempts of one run.
    assert len(scripted.requests) <= 11 + 2 * window.MAX_ATTEMPTS


async def test_refusal_is_learned_from_by_all_conversations_of_the_model(script, ask):
    assistant = await script("small", model(1000, REPORTS["both sizes"]))
    runs = [await ask(assistant, "first"), await ask(assistant, "another")]
    for run in runs:
        await wait_for_run(run)
    await talk(runs[0], [LONG] * 8)
    before = len(scripted.requests)
    await talk(runs[1], [LONG] * 8)
    assert len(scripted.requests) == before + 8


async def test_window_of_the_assistant_is_kept_without_a_refusal(script, ask):
    run = await ask(await script("set", model(1000), context_window=1000), "first")
    await wait_for_run(run)
    runs = await talk(run, [f"{number} {LONG}" for number in range(10)])
    assert len(scripted.requests) == 11
    assert [run.status for run in runs] == ["completed"] * 10
    assert all(count(request) <= 1000 for request in scripted.requests)


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({"context_window": 2000}, 2000),
        ({"params": {"num_ctx": 2000}}, 2000),  # Ollama's, which says nothing and leaves out what it likes
        ({"context_window": 8000, "params": {"num_ctx": 2000}}, 2000),
        ({"context_window": 2000, "params": {"num_ctx": 8000}}, 2000),
        ({"context_window": 2000, "params": {"max_tokens": 900}}, 2000),
        ({"context_window": 2000, "params": {"max_tokens": 10**9}}, 2000),
        ({"context_window": 2000, "params": {"num_ctx": "many", "max_tokens": True}}, 2000),
    ],
)
async def test_known_window_is_used_and_has_room_for_the_answer(fields, size):
    turns = [("user", [{"type": "text", "text": LONG}])] * 100
    prompt = build_prompt(Assistant(**fields), "openai:x", turns)
    prompt.fit()
    tokens = sum(estimate_tokens(text) for text in texts(prompt.request))
    wanted = fields.get("params", {}).get("max_tokens")
    room = min(wanted, size / 2) if type(wanted) is int else size / 4
    assert (size - room) / 2 < tokens <= size - room
    assert prompt.kept == len(prompt.turns) - prompt.start


async def test_nothing_is_left_out_while_the_window_is_unknown():
    turns = [("user", [{"type": "text", "text": LONG}])] * 100
    prompt = build_prompt(Assistant(), "openai:x", turns)
    prompt.fit()
    assert (prompt.start, prompt.kept) == (0, None)


async def test_question_that_is_too_long_alone_fails_and_the_next_one_works(script, ask):
    for report in REPORTS.values():
        run = await ask(await script("small", model(1000, report)), "first")
        await wait_for_run(run)
        huge, following = await talk(run, ["word " * 2000, "and a short one?"])
        assert (huge.status, huge.error_code, huge.error_message) == ("failed", "context_length", TOO_LONG)
        assert following.status == "completed"


async def test_first_question_that_is_too_long_is_asked_once(script, ask):
    run = await ask(await script("small", model(1000)), "word " * 2000)
    await wait_for_run(run)
    assert (run.status, run.error_code, len(scripted.requests)) == ("failed", "context_length", 1)


async def test_system_prompt_that_is_too_long_fails_after_few_attempts(script, ask):
    run = await ask(await script("small", model(1000), system_prompt="word " * 2000), "first")
    await wait_for_run(run)
    runs = await talk(run, ["second", "third", "fourth"])
    assert [run.error_code for run in runs] == ["context_length"] * 3
    assert len(scripted.requests) <= 4 * (1 + window.MAX_ATTEMPTS)


async def test_overflow_in_mid_answer_keeps_the_text_and_is_not_asked_again(script, ask):
    run = await ask(await script("full", Text("one"), ContextOverflow(TOO_LONG)))
    await wait_for_run(run)
    assert (run.status, run.error_code, run.message.text) == ("failed", "context_length", "one")
    assert len(scripted.requests) == 1


async def test_shorter_request_is_retried_as_any_other(script, ask):
    busy = ProviderError("Busy.", "overloaded", retryable=True, retry_after=0)
    run = await ask(await script("small", model(1000)), LONG * 2)
    await wait_for_run(run)
    answers = iter([[ContextOverflow(TOO_LONG)], [busy], [busy], [Text("at last"), Finish("stop")]])
    await script("small", lambda request: next(answers))
    [run] = await talk(run, ["second"])
    assert (run.status, run.message.text) == ("completed", "at last")


# What is told ---------------------------------------------------------------------------------------------------------


async def test_answer_says_how_many_messages_the_model_was_sent(script, ask, client_of, alice):
    run = await ask(await script("set", model(1000), context_window=1000), "first")
    seen = await wait_for_run(run)
    assert not any(isinstance(event, events.Custom) for _, event in seen)
    *_, run = await talk(run, [f"{number} {LONG}" for number in range(10)])
    kept = len(scripted.requests[-1].turns)
    assert 1 < kept < 10
    part = {"type": "context_trimmed", "kept": kept}
    log = [event async for _, event in engine.follow(run) if event]
    assert events.to_dict(log[1]) == {"type": "CUSTOM", "name": "context_trimmed", "value": {"kept": kept}}
    assert [event.type for event in log].count("CUSTOM") == 1
    assert run.message.parts == [part, {"type": "text", "text": "yes"}]
    client = client_of(alice)
    url = f"/api/conversations/{run.conversation_id}"
    items = (await client.get(f"{url}/messages")).json()["items"]
    assert (items[-1]["parts"][0], items[-1]["text"]) == (part, "yes")
    # The part says where the model's view begins: that many messages before the answer.
    assert items[-1 - kept]["text"] == texts(scripted.requests[-1])[0]
    exported = json.loads(b"".join([chunk async for chunk in await client.get(f"{url}/export?format=json")]))
    assert part in [part for row in exported["conversations"][0]["messages"] for part in row["parts"]]


async def test_part_about_the_context_is_not_sent_to_the_model(script, ask):
    run = await ask(await script("set", model(1000), context_window=1000), "first")
    await wait_for_run(run)
    await talk(run, [f"{number} {LONG}" for number in range(10)])
    types = {part["type"] for request in scripted.requests for _, parts in request.turns for part in parts}
    assert types == {"text"}


async def test_only_the_last_attempt_is_reported(script, ask):
    run = await ask(await script("small", model(700)), "first")
    await wait_for_run(run)
    *_, run = await talk(run, [LONG] * 4)
    assert run.status == "completed"
    trimmed = [part for part in run.message.parts if part["type"] == "context_trimmed"]
    assert trimmed == [{"type": "context_trimmed", "kept": len(scripted.requests[-1].turns)}]


async def test_questions_without_an_answer_are_counted_as_messages(script, ask):
    run = await ask(await script("set", ProviderError("No."), context_window=1000), "first")
    await wait_for_run(run)
    *_, run = await talk(run, [f"{number} {LONG}" for number in range(10)])
    [(_, parts)] = scripted.requests[-1].turns  # all of these questions in one turn
    questions = sum(part["text"].count("word " * 100) for part in parts)
    assert run.message.parts == [{"type": "context_trimmed", "kept": 2 * questions - 1}]


async def test_unsaved_conversation_continues_with_a_notice(script):
    assistant = await script("small", model(1000))
    turns = [("user", [{"type": "text", "text": LONG}]), ("assistant", [{"type": "text", "text": "yes"}])] * 9
    turns.append(("user", [{"type": "text", "text": "And?"}]))
    log = [event async for _, event in engine.generate_unsaved(assistant, "scripted:small", turns)]
    assert [event.type for event in log if event.type == "CUSTOM"]
    assert log[-1].outcome == {"type": "success"}


# Which turns ----------------------------------------------------------------------------------------------------------


def conversation(count, text=LONG):
    exchange = [("user", [{"type": "text", "text": text}]), ("assistant", [{"type": "text", "text": "yes"}])]
    return [*itertools.chain(*[exchange] * count), ("user", [{"type": "text", "text": "And?"}])]


async def test_requests_of_following_turns_begin_alike():
    starts = []
    for number in range(20, 120):
        prompt = build_prompt(Assistant(context_window=8_000), "openai:x", conversation(number))
        prompt.fit()
        starts.append(prompt.start)
    assert starts == sorted(starts)
    assert len(set(starts)) < 15  # of a hundred requests


async def test_turns_that_fit_are_kept_even_if_each_is_a_large_part_of_the_window():
    for number in range(5, 60):
        prompt = build_prompt(Assistant(context_window=1_000), "openai:x", conversation(number, "word " * 160))
        prompt.fit()
        assert prompt.kept == 7  # three exchanges of 210 tokens and the question; four exchanges do not fit


async def test_remembered_turns_are_not_trimmed_further_if_they_fit():
    assistant = Assistant(context_window=2000, memory_turns=3)
    prompt = build_prompt(assistant, "openai:x", conversation(50))
    prompt.fit()
    assert (prompt.kept, len(prompt.request.turns)) == (5, 5)
    agent = Assistant(context_window=2000, tools=["clock"])
    prompt = build_prompt(agent, "openai:x", conversation(50))
    prompt.fit()
    assert (prompt.kept, len(prompt.request.turns)) == (9, 9)


async def test_answer_that_is_continued_keeps_its_question():
    turns = [*conversation(20), ("assistant", [{"type": "text", "text": LONG}])]
    prompt = build_prompt(Assistant(context_window=300), "openai:x", turns)
    prompt.fit()
    assert texts(prompt.request) == ["And?", LONG, CONTINUE_PROMPT]
    assert prompt.kept == 2


async def test_call_that_waited_for_approval_stays_with_its_question():
    call = {"type": "tool_call", "id": "c", "name": "clock", "arguments": "{}", "result": None, "error": None}
    turns = [*conversation(20), ("assistant", [call])]
    prompt = build_prompt(Assistant(context_window=150, tools=["clock"]), "openai:x", turns, decisions={"c": True})
    prompt.fit()
    assert prompt.request.turns == turns[-2:]


async def test_approved_call_runs_after_the_conversation_was_trimmed(script, ask):
    call = [ToolCallStart("c", "clock"), ToolCallArgs("c", "{}"), ToolCallEnd("c")]
    steps = [*call, Approval("c", "Allow?"), Finish("tool_calls")]
    run = await ask(await script("agent", *steps, context_window=300, memory_turns=99), LONG)
    await wait_for_run(run)
    *_, run = await talk(run, [LONG, LONG])
    run = await run.resume({run.interrupts[0]["id"]: True})
    await engine.start(run)
    await wait_for_run(run)
    assert [role for role, _ in scripted.requests[-1].turns] == ["user", "assistant"]
    assert run.message.parts[0] == {"type": "context_trimmed", "kept": 2}


# The estimate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 10, 90, 130),  # 100 by most tokenizers
        ("吾輩は猫である。名前はまだ無い。" * 10, 110, 180),
        ("敏捷的棕色狐狸跳过了懒狗。" * 10, 90, 140),
        ("Съешь ещё этих мягких французских булок. " * 10, 130, 280),
        ("다람쥐 헌 쳇바퀴에 타고파. " * 10, 90, 180),
        ("🙂" * 100, 100, 300),
        ("\ud83d", 0, 3),
        ("", 0, 0),
    ],
)
def test_estimate_is_of_the_right_size_in_every_script(text, least, most):
    assert least <= estimate_tokens(text) <= most


async def test_estimate_is_corrected_by_what_the_server_counts():
    turns = conversation(100)
    for counted, correction in [(3, 3.0), (9, 4.0), (1.05, 1.0), (0.1, 1.0), (0, 1.0)]:
        prompt = build_prompt(Assistant(), f"openai:{counted}", turns)
        tokens = prompt.tokens[-1]
        prompt.correct(int(counted * tokens))
        assert window_of(prompt.request).correction == pytest.approx(correction, abs=0.01)
    prompt = build_prompt(Assistant(), "openai:short", conversation(1))
    prompt.correct(5000)
    assert window_of(prompt.request).correction == 1


async def test_images_and_tool_results_count_and_thoughts_do_not():
    def tokens(*parts):
        return Prompt(lambda turns: Request("x", turns), [("user", list(parts))]).tokens[-1]

    empty = tokens()
    assert tokens({"type": "image", "id": "1", "data": "A" * 10**6}) == empty + window.IMAGE_TOKENS
    assert tokens({"type": "reasoning", "text": LONG}) == empty
    call = {"type": "tool_call", "id": "c", "name": "f", "arguments": LONG, "result": LONG, "error": None}
    assert tokens(call) > empty + 2 * estimate_tokens(LONG)


async def test_window_is_learned_for_one_server_and_forgotten_after_an_hour(monkeypatch):
    def request(**params):
        return Request("x", [], "openai", params=params)

    window_of(request()).learn(ContextOverflow(TOO_LONG, 2048), 4000)
    assert window_of(request()).size == 2048
    assert window_of(request(base_url="http://other")).size is None
    monkeypatch.setattr(window, "LEARNED_SECONDS", -1)
    assert window_of(request()).size is None


async def test_request_that_was_larger_than_the_guess_corrects_it():
    known = window_of(Request("x", [], "openai"))
    known.learn(ContextOverflow(TOO_LONG), 4000)
    assert known.max_input == 2000
    known.correct(3000, 3000)
    assert known.max_input == 3000


async def test_window_that_a_request_exceeded_is_not_believed():
    known = window_of(Request("x", [], "openai"))
    known.learn(ContextOverflow(TOO_LONG, 300, 4000), 4000)
    assert known.size == 300  # the refused request says nothing about it
    known.correct(200, 200)
    assert known.size == 300
    known.correct(3000, 3000)
    assert known.size is None


async def test_only_so_many_models_are_remembered(monkeypatch):
    monkeypatch.setattr(window, "MAX_MODELS", 2)
    first = window_of(Request("a", [], "openai"))
    window_of(Request("b", [], "openai"))
    assert window_of(Request("a", [], "openai")) is first
    window_of(Request("c", [], "openai"))
    assert window_of(Request("a", [], "openai")) is first
    first_b = window_of(Request("b", [], "openai"))
    first_b.size = 1
    window_of(Request("d", [], "openai"))
    window_of(Request("e", [], "openai"))
    assert window_of(Request("b", [], "openai")).size is None
