"""The site with a real model: SmolLM2-135M on llama.cpp's own server, one slot, on the CPU. `make test-models`.

The model is too small to say anything true. What is tested is what becomes of its answers.
"""

import asyncio
import time
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from chat import engine
from chat.engine import titles
from chat.models import Conversation, Message, Run
from tests.images import PICTURE
from tests.server_process import Site, poll_until
from tests.waiting import wait_until

pytestmark = pytest.mark.models

ENDLESS = {"ignore_eos": True, "max_tokens": 1500}  # the model writes until it is stopped
RUN_TIMEOUT = 900  # seconds
STOP_TIMEOUT = 2  # seconds in which a stopped answer has to free the slot
SLOW_READER = ("--window", "8192", "--batch", "2")  # options of a server that reads two tokens of a prompt at a time
IDLE_CPU = 0.1  # seconds of CPU in a second of a server that has nothing to do


async def first_text(run):
    """Returns when the first text of this run arrived."""
    async with asyncio.timeout(RUN_TIMEOUT):
        async for _, event in engine.follow(run):
            if event and event.type == "TEXT_MESSAGE_CONTENT":
                return time.monotonic()
    raise AssertionError("The run ended without a text.")


async def wait_for_run(run):
    """Wait for the run's end, on a slow machine too. Returns its events."""
    async with asyncio.timeout(RUN_TIMEOUT):
        seen = [event async for _, event in engine.follow(run) if event]
    await run.arefresh_from_db(from_queryset=Run.objects.select_related("conversation", "message"))
    return seen


async def wait_until_idle(server, seconds=STOP_TIMEOUT):
    async with asyncio.timeout(seconds):
        while await asyncio.to_thread(server.is_busy):
            await asyncio.sleep(0.02)  # before the next look: the server gives no signal


async def wait_until_busy(server):
    async with asyncio.timeout(RUN_TIMEOUT):
        while not await asyncio.to_thread(server.is_busy):
            await asyncio.sleep(0.01)  # before the next look: the server gives no signal


async def assert_uses_no_cpu(server):
    before = server.cpu_seconds()
    await asyncio.sleep(1)
    assert server.cpu_seconds() - before < IDLE_CPU


async def next_run(run, text, **fields):
    conversation = await Conversation.objects.aget(pk=run.conversation_id)
    following = await conversation.ask(text, **fields)
    await engine.start(following)
    return following


# Streaming ------------------------------------------------------------------------------------------------------------


async def test_answer_arrives_in_many_deltas_with_its_usage(ask, assistant, model_server, measured):
    model = await assistant(model_server, params={"max_tokens": 100})
    await wait_for_run(await ask(model, "Hi"))  # the first answer of a process imports the provider
    start = time.monotonic()
    run = await ask(model, "Tell me about trains.")
    first = await first_text(run) - start
    seen = await wait_for_run(run)
    seconds = time.monotonic() - start - first
    deltas = [event.delta for event in seen if event.type == "TEXT_MESSAGE_CONTENT"]
    assert run.message.text == "".join(deltas)
    (usage,) = run.usage
    assert usage["input_tokens"] > 5 and 1 < usage["output_tokens"] <= 100
    measured("first token of a short question", f"{first * 1000:.0f} ms")
    measured("tokens a second", f"{usage['output_tokens'] / seconds:.0f}")


async def test_answer_at_its_length_limit_can_be_continued(ask, assistant, model_server):
    run = await ask(await assistant(model_server, params={"max_tokens": 20}), "Tell me about trains.")
    await wait_for_run(run)
    assert (run.status, run.finish_reason) == (Run.COMPLETED, "length")
    continued = await (await Message.objects.aget(pk=run.message_id)).continue_reply()
    await engine.start(continued)
    await wait_for_run(continued)
    assert continued.status == Run.COMPLETED and continued.message.text


# Stopping -------------------------------------------------------------------------------------------------------------


async def test_stop_frees_the_slot_and_its_cpu(ask, assistant, model_server, measured):
    run = await ask(await assistant(model_server, params=ENDLESS), "Tell me about trains.")
    await first_text(run)
    start = time.monotonic()
    await engine.current().cancel(run)
    await wait_until_idle(model_server)
    measured("from stop to a free slot", f"{(time.monotonic() - start) * 1000:.0f} ms")
    await wait_for_run(run)
    assert run.status == Run.CANCELLED and run.message.text
    await assert_uses_no_cpu(model_server)


async def test_stop_closes_the_connection_while_the_prompt_is_read(ask, assistant, start_model):
    """llama.cpp notices that only when it has read the prompt: https://github.com/ggml-org/llama.cpp/issues/15232"""
    server = start_model(*SLOW_READER)
    run = await ask(await assistant(server, params=ENDLESS), "Trains are fast and safe. " * 150)
    await wait_until_busy(server)
    assert server.has_connection()
    await engine.current().cancel(run)
    await wait_for_run(run)
    assert (run.status, run.message.text) == (Run.CANCELLED, "")
    await wait_until(lambda: not server.has_connection())
    await wait_until_idle(server, RUN_TIMEOUT)
    await assert_uses_no_cpu(server)


# One slot -------------------------------------------------------------------------------------------------------------


async def test_two_questions_at_once_on_one_slot_are_both_answered(ask, assistant, model_server, measured):
    model = await assistant(model_server, params={"ignore_eos": True, "max_tokens": 100})
    start = time.monotonic()
    runs = [await ask(model, "Tell me about trains."), await ask(model, "Tell me about castles.")]
    waits = sorted([moment - start for moment in await asyncio.gather(*map(first_text, runs))])
    for run in runs:
        await wait_for_run(run)
        assert (run.status, run.usage[0]["output_tokens"]) == (Run.COMPLETED, 100)
    measured("first token of two questions at once, 100 tokens each", f"{waits[0]:.1f} s and {waits[1]:.1f} s")


async def test_second_question_starts_when_the_first_is_stopped(ask, assistant, model_server):
    model = await assistant(model_server, params=ENDLESS)
    first = await ask(model, "Tell me about trains.")
    await first_text(first)
    second = await ask(model, "Tell me about castles.")
    await engine.current().cancel(first)
    await first_text(second)
    await engine.current().cancel(second)
    await wait_until_idle(model_server)


# Titles ---------------------------------------------------------------------------------------------------------------


async def test_title_is_one_short_line_or_the_first_words(ask, assistant, model_server, settings, measured):
    settings.AUTO_TITLES = True
    questions = ["How do I bake bread?", "Where is the white castle?", "富士山の高さは？", "Write a poem about rain."]
    model = await assistant(model_server, params={"max_tokens": 60})
    given = 0
    for question in questions:
        run = await ask(model, question)
        await wait_for_run(run)
        await wait_until(lambda: not engine.current().titles.running and not engine.current().titles.waiting)
        row = await Conversation.objects.aget(pk=run.conversation_id)
        assert row.title == question if row.title_by == "text" else 0 < len(row.title) <= 80
        assert "\n" not in row.title and not row.title.startswith(("Title:", '"', "*", "#", "1."))
        given += row.title_by == "assistant"
    measured("titles that were accepted", f"{given} of {len(questions)}")


async def test_question_asked_while_a_title_is_made_waits_no_longer(
    ask, assistant, model_server, settings, monkeypatch, measured
):
    """At most a second longer than without a title. The server's own seconds count: other programs take the rest."""
    monkeypatch.setattr(titles, "TITLE_PROMPT", "Write a very long story about the conversation, in one line.")
    model = await assistant(model_server, params={"max_tokens": 60})
    waits, cpu = {}, {}
    for with_titles in (False, True):
        settings.AUTO_TITLES = with_titles
        run = await ask(model, "How do I bake bread?")
        await wait_for_run(run)
        if with_titles:
            await wait_until_busy(model_server)
        start, cpu_before = time.monotonic(), model_server.cpu_seconds()
        waits[with_titles] = await first_text(following := await next_run(run, "And cake?")) - start
        cpu[with_titles] = model_server.cpu_seconds() - cpu_before
        await wait_for_run(following)
    measured("first token while a title is made, and without one", f"{waits[True]:.2f} s, {waits[False]:.2f} s")
    assert cpu[True] < cpu[False] + 1


# Languages and pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["「東京」について、日本語で教えてください。", "絵文字を書いて：🏯👨‍👩‍👧‍👦🇯🇵"])
async def test_text_in_japanese_arrives_unchanged(ask, assistant, model_server, text):
    """Tokens of this model are parts of letters. None is broken between two deltas, or lost in a question."""
    run = await ask(await assistant(model_server, params={"max_tokens": 80}), f"Repeat exactly: {text}")
    seen = await wait_for_run(run)
    assert run.status == Run.COMPLETED
    deltas = [event.delta for event in seen if event.type == "TEXT_MESSAGE_CONTENT"]
    assert all(delta.encode() for delta in deltas)  # no half of a letter
    assert run.message.text == "".join(deltas)
    expected = model_server.count_tokens(text)
    assert run.usage[0]["input_tokens"] > expected


async def test_conversation_with_an_image_continues_with_a_model_without_image_support(
    client_of, alice, ask, assistant, model_server
):
    """The assistant claims to see images. The server refuses them, and nothing after that fails."""
    model = await assistant(model_server, params={"max_tokens": 20}, sees_images=True, is_default=True)
    client = client_of(alice)
    image = (await client.post("/api/attachments", {"file": SimpleUploadedFile("a.png", PICTURE, "image/png")})).json()
    conversation = await Conversation.objects.acreate(owner=alice, assistant=model)
    run = await conversation.ask("What is this?", attachments=[uuid.UUID(image["id"])])
    await engine.start(run)
    await wait_for_run(run)
    following = await next_run(run, "Then tell me about trains.")
    await wait_for_run(following)
    assert following.status == Run.COMPLETED and following.message.text


# The window -----------------------------------------------------------------------------------------------------------


async def test_conversation_that_outgrows_the_window_continues(ask, assistant, model_server, measured):
    """A window of 2,048 tokens, and questions of 500 each."""
    model = await assistant(model_server, params={"max_tokens": 20})
    question = "Trains are fast, safe and comfortable. " * 60
    tokens = model_server.count_tokens(question)
    run = await ask(model, question)
    await wait_for_run(run)
    for number in range(2, 6):
        run = await next_run(run, f"{number}. {question}")
        await wait_for_run(run)
        assert (run.status, run.error_message) == (Run.COMPLETED, "")
        assert run.usage[0]["input_tokens"] < 2048
    measured("questions to a window of 2,048 tokens", f"5 of {tokens} tokens each, all answered")


# Time -----------------------------------------------------------------------------------------------------------------


async def test_prompt_that_is_read_for_more_than_a_minute_is_answered(ask, assistant, start_model, measured):
    server = start_model(*SLOW_READER)
    tokens = min(7_000, 80 * await asyncio.to_thread(server.reading_speed))
    sentence = "Trains are fast, safe and comfortable. "
    question = sentence * int(100 * tokens / server.count_tokens(sentence * 100))
    run = await ask(await assistant(server, params={"max_tokens": 10}), question)
    await wait_for_run(run)
    assert (run.status, run.error_message) == (Run.COMPLETED, "")
    seconds = (run.first_token_at - run.started_at).total_seconds()
    measured("longest reading of a prompt", f"{seconds:.0f} s, {run.usage[0]['input_tokens']} tokens")
    assert seconds > 60


# The terminal ---------------------------------------------------------------------------------------------------------


def test_chat_command_answers_after_make_run_has_found_the_server(tmp_path, model_server):
    """`OPENAI_BASE_URL` is all that a new user sets."""
    site = Site(tmp_path, OPENAI_BASE_URL=model_server.base_url)
    assert f"Models at {model_server.base_url}: smollm2 (2,048 tokens)" in site.manage("prepare")
    answer = site.manage("chat", "Tell me about trains.")
    assert len(answer.split()) > 3 and "demonstration" not in answer
    poll_until(lambda: not model_server.is_busy())
