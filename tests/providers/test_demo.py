"""`demo:`, the assistant that needs no key and no network."""

import json
import re
import string
from contextlib import aclosing
from datetime import datetime

import pytest

from chat import engine
from chat.events import EventBuilder, Finish, Reasoning, Text, ToolCallResult, Usage, closing_events, fold, text_of
from chat.models import Assistant
from chat.providers import Request, demo, resolve
from tests.assertions import without_seconds
from tests.waiting import wait_for_run


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    monkeypatch.setattr(demo, "TOKEN_DELAY", 0)


async def answer(question, *earlier):
    """The pieces of the answer to this question."""
    turns = [*earlier, ("user", [{"type": "text", "text": question}])]
    async with aclosing(demo.reply(Request("", turns))) as pieces:
        return [piece async for piece in pieces]


def parts_of(pieces):
    builder = EventBuilder("m")
    log = [event for piece in pieces for event in builder.feed(piece)]
    return fold([*log, *closing_events(log)])


async def text_for(question):
    return text_of(parts_of(await answer(question)))


async def test_demo_says_that_it_is_a_demonstration():
    for question in ("What can you do?", "何ができますか"):
        text = await text_for(question)
        first = text.partition("\n")[0]
        assert first.startswith(("**This is a demonstration.**", "**これはデモです。**"))
        assert "OPENAI_API_KEY" in text


async def test_demo_shows_what_a_reply_can_contain():
    for question in ("What can you do?", "何ができますか"):
        thought, call, text = parts_of(await answer(question))
        assert (thought["type"], call["type"], text["type"]) == ("reasoning", "tool_call", "text")
        assert re.search(r"^\|---\|---\|$", text["text"], re.M)  # a table
        assert re.findall(r"^```(\w*)$", text["text"], re.M) == ["python", "", "mermaid", ""]
        assert re.search(r"\$e\^\{i\\pi\} \+ 1 = 0\$", text["text"])  # mathematics in a line
        assert re.search(r"^\$\$\\sum_\{k=1\}\^\{n\} k = \\frac\{n\(n\+1\)\}\{2\}\$\$$", text["text"], re.M)
        assert "**" in text["text"]
        assert "{{" not in text["text"]


async def test_demo_calls_the_clock_and_reports_its_result():
    _, call, text = parts_of(await answer("What time is it?"))
    assert call["name"] == "clock"
    assert json.loads(call["arguments"]) == {"time_zone": "UTC"}
    assert datetime.fromisoformat(call["result"]).tzinfo is not None
    assert f"**{call['result']}**" in text["text"]


@pytest.mark.parametrize("question", ["何ができますか", "デモ", "ひらがな", "漢字", "Hello を日本語で"])
async def test_japanese_question_gets_a_japanese_answer(question):
    thought, call, text = parts_of(await answer(question))
    assert "誰も考えていません" in thought["text"]
    assert json.loads(call["arguments"]) == {"time_zone": "Asia/Tokyo"}
    assert "これはデモです" in text["text"]
    assert f"> {question}\n" in text["text"]


@pytest.mark.parametrize("question", ["Hello", "¿Qué tal?", "Привет", "🙂"])
async def test_other_questions_get_an_english_answer(question):
    assert "This is a demonstration" in await text_for(question)


async def test_demo_streams_small_deltas_and_reports_its_usage():
    pieces = await answer("Hello")
    deltas = [piece.delta for piece in pieces if type(piece) is Text]
    assert len(deltas) > 100
    assert max(len(delta.strip()) for delta in deltas) <= 6
    assert type(pieces[0]) is Reasoning
    assert pieces[-1] == Finish("stop")
    usage = pieces[-2]
    assert type(usage) is Usage
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens > 100
    assert sum(type(piece) is ToolCallResult for piece in pieces) == 1


@pytest.mark.parametrize("text", ["", " ", "one", " one  two\n\nthree ", "x" * 100, "日本語", "\n"])
def test_tokens_join_to_the_text(text):
    assert "".join(demo.tokens(text)) == text


QUESTIONS = [
    "```\ncode\n```",
    "a\n\n# heading\r\n- item\u2028| table |",
    "<script>alert(1)</script> <img src=x onerror=alert(1)>",
    "[link](javascript:alert(1)) ![image](https://example.com/beacon.png) https://example.com a@example.com",
    "1. one",
    "+ one",
    "===",
    "{time} {0} {{}} {quote!r} %s",
    "&lt;b&gt; &amp; &#60;",
    "$x$ $$y$$ ~~no~~ ==no== ^no^ :no:",
    "\\",
    "a\\*b\\",
    string.punctuation,
    "x" * 199 + "**" + "y" * 500,
    "\t  spaces \n here  ",
]


@pytest.mark.parametrize("question", QUESTIONS)
async def test_quoted_question_is_one_line_with_markdown_escaped(question):
    text = await text_for(question)
    quoted = re.search(r"You wrote:\n\n> (.*)\n\nThe clock tool", text)[1]
    signs = re.findall(r"\\?[!-/:-@\[-`{-~]", quoted)
    assert all(len(sign) == 2 and sign[0] == "\\" for sign in signs)
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", quoted) == " ".join(question.split())[:200]


async def test_text_around_the_question_is_always_the_same():
    def around(text):
        return re.sub(r"> .*|\*\*\d.*?\*\*", "", text)

    assert {around(await text_for(question)) for question in QUESTIONS} == {around(await text_for("Hello"))}


async def test_earlier_message_without_text_is_ignored():
    call = {"type": "tool_call", "id": "c", "name": "clock", "arguments": "{}", "result": "now", "error": None}
    earlier = [("user", [{"type": "text", "text": "Hi"}]), ("assistant", [call]), ("assistant", [])]
    assert "This is a demonstration" in text_of(parts_of(await answer("Hello", *earlier)))


async def test_demo_is_in_the_registry_and_runs(ask, transactional_db):
    assert resolve("demo:") == (demo.reply, "")
    assistant = await Assistant.objects.acreate(slug="shows", name="Shows", model="demo:", tools=["clock"])
    run = await ask(assistant)
    events = [event for _, event in await wait_for_run(run)]
    assert (run.status, run.finish_reason) == ("completed", "stop")
    assert [part["type"] for part in run.message.parts] == ["reasoning", "tool_call", "text"]
    assert run.message.parts == fold(events)
    assert run.total_usage["total_tokens"] > 100


async def test_demo_stops_when_its_run_is_cancelled(ask, transactional_db, monkeypatch):
    monkeypatch.setattr(demo, "TOKEN_DELAY", 60)
    assistant = await Assistant.objects.acreate(slug="shows", name="Shows", model="demo:")
    run = await ask(assistant)
    async for _, event in engine.follow(run):
        if event and event.type == "REASONING_MESSAGE_CONTENT":
            break
    await engine.cancel(run)
    await wait_for_run(run)
    assert run.status == "cancelled"
    assert without_seconds(run.message.parts) == [{"type": "reasoning", "text": "Nobody"}]
