"""What an upstream sends while it works keeps a run alive: comments, pings, empty chunks, progress; so does a tool."""

import asyncio
import itertools
import threading

import pytest

from chat import engine
from chat.engine import reply as reply_module
from chat.events import Finish, Text
from chat.models import Assistant
from chat.providers.agent.graph import load_graph
from chat.providers.langchain import models, vendors
from tests import toolbox
from tests.providers.langchain.vendors import (
    VENDORS,
    WORDS,
    anthropic,
    gemini,
    ollama,
    responses,
    root_url,
    sse_event,
    text_block,
)
from tests.providers.provider_runs import outcome_of, wait_until_closed, wait_until_idle
from tests.upstream import END, SILENCE, STOP, Answer, call, chunk, event
from tests.waiting import wait_for_run

pytestmark = pytest.mark.slow

LIMIT = 2  # seconds of silence that the tests allow; a busy machine may add more than one
PAUSE = 0.5  # seconds between two signs
SIGNS = 5  # in a row, which together take longer than the limit

PROGRESS = {"total": 9000, "cache": 0, "processed": 2048, "time_ms": 9000}
OPENAI_SIGNS = {
    "comment": b": PROCESSING\n\n",
    "comment of OpenRouter": b": OPENROUTER PROCESSING\n\n",
    "comment without a blank line": b": keep-alive\n",
    "comment without text": b":\n\n",
    "comment of sse-starlette": b": ping - 2026-01-01 00:00:00.000000\r\n\r\n",
    "blank line": b"\n",
    "ping event": b"event: ping\ndata: 2026-01-01\n\n",
    "id alone": b"id: 7\n\n",
    "retry alone": b"retry: 3000\n\n",
    "role": event(chunk({"role": "assistant", "content": ""})),
    "empty delta": event(chunk({})),
    "no content": event(chunk({"role": "assistant", "content": None})),
    "no choices": event(chunk(choices=[])),
    "prompt progress of llama.cpp": event(chunk({}, prompt_progress=PROGRESS)),
    "queue": event({"object": "queue", "status": "queued", "position": 3}),
    "queue event": b'event: queued\ndata: {"position": 3}\n\n',
    "half an event": b"data: ",  # a proxy that flushes whatever it has
}


def slow_answer(first, second, sign, end=()):
    """An answer in two parts, before each of which the server says for longer than the limit that it works."""
    signs = [step for _ in range(SIGNS) for step in (sign, PAUSE)]
    return Answer([*signs, *first, *signs, *second, *end])


@pytest.fixture(autouse=True)
def short_limits(settings):
    settings.FIRST_TOKEN_SECONDS = settings.SILENCE_SECONDS = LIMIT


@pytest.fixture
async def packages():
    """LangChain and the vendors' packages, loaded: the first import takes longer than the limit."""
    await load_graph()
    for vendor in vendors.VENDORS:
        await models.load_class(vendor)


@pytest.fixture
async def start_runs(upstream, ask):
    """`await start_runs({name: (model, params, answer)})`: the started runs by name, each with a model of its own.

    Further fields of the assistant may follow the answer.
    """

    numbers = itertools.count()

    async def start(plans):
        upstream.answer = lambda request: next(
            answer for name, (_, _, answer, *_) in plans.items() if name_in(request) == name.replace(" ", "-")
        )
        runs = {}
        for name, (model, params, _, *fields) in plans.items():
            model = f"{model.rpartition(':')[0]}:{name.replace(' ', '-')}"
            fields = {"slug": f"m{next(numbers)}", "name": name, "model": model, "params": params} | dict(*fields)
            runs[name] = await ask(await Assistant.objects.acreate(**fields))
        return runs

    def name_in(request):
        name = (request.body or {}).get("model")
        if name:
            return name
        return request.path.partition(":")[0].partition("?")[0].split("/")[-1]

    yield start
    await wait_until_idle(upstream)


async def test_sign_of_life_is_whatever_an_openai_server_sends(start_runs, upstream, settings):
    settings.MAX_RUNS_PER_USER = len(OPENAI_SIGNS)
    params = {"base_url": upstream.base_url}
    plans = {
        name: ("openai:m", params, slow_answer(["Hel"], ["lo"], sign, END))
        for name, sign in OPENAI_SIGNS.items()
        if name != "half an event"
    }
    half = [step for packet in (b"da", b"ta", b": ", event(chunk("Hel"))[6:]) for step in (PAUSE * 1.5, packet)]
    plans["half an event"] = ("openai:m", params, Answer([*half, "lo", *END]))
    await assert_complete(start_runs, plans)


async def assert_complete(start_runs, plans):
    """Repeats what timed out: a busy machine may be late for signs of life, but not again and again."""
    for attempt in range(4):
        outcomes = {name: await outcome_of(run) for name, run in (await start_runs(plans)).items()}
        late = [name for name, (_, code, _) in outcomes.items() if code == "timeout" and attempt < 3]
        assert [(name, *outcomes[name]) for name in outcomes if name not in late] == [
            (name, "completed", "", "Hello") for name in outcomes if name not in late
        ]
        plans = {name: plans[name] for name in late}


def vendor_plans(upstream):
    words = list(anthropic(text_block("Hel", "lo")))
    ping = sse_event("ping")
    answers = {
        "openai": slow_answer(["Hel"], ["lo"], b": PROCESSING\n\n", END),
        "anthropic": slow_answer(words[:3], words[3:], ping),
        "gemini": slow_answer([gemini("Hel")], [gemini("lo", finish="STOP")], gemini("")),
        "ollama": slow_answer([ollama("Hel")], [ollama("lo"), ollama(done="stop")], ollama("")),
    }
    plans = {}
    for vendor, answer in answers.items():
        model, params_for = VENDORS[vendor]
        plans[vendor] = (model, params_for(root_url(upstream)), answer)
    first, *others = responses(*(("output_text.delta", WORDS | {"output_index": 0, "delta": d}) for d in ("Hel", "lo")))
    queued = event({"type": "response.queued", "sequence_number": 0, "response": {"id": "r", "status": "queued"}})
    params = {"base_url": upstream.base_url, "api_key": "none"}
    plans["responses"] = ("openai_responses:m", params, slow_answer([first, others[0]], others[1:], queued))
    plans["unlisted"] = ("langchain:langsmith:m", params, slow_answer([first, others[0]], others[1:], b": P\n\n"))
    model, params_for = VENDORS["azure"]
    plans["azure"] = (model, params_for(root_url(upstream)), slow_answer(["Hel"], ["lo"], event(chunk({})), END))
    return plans


async def test_sign_of_life_is_whatever_a_vendor_sends_to_a_model_or_an_agent(
    packages, start_runs, upstream, monkeypatch
):
    toolbox.offer(monkeypatch)
    monkeypatch.setenv("LANGCHAIN_OPENAI_STREAM_CHUNK_TIMEOUT_S", str(LIMIT))  # LangChain's own clock: not for us
    plans = vendor_plans(upstream)
    answer = slow_answer(["Hel"], ["lo"], b": PROCESSING\n\n", END)
    agents = plans | {"plain": ("openai:m", {"base_url": upstream.base_url}, answer)}
    plans |= {f"agent {name}": (*plan, {"tools": ["echo"]}) for name, plan in agents.items()}
    await assert_complete(start_runs, plans)


async def test_sign_of_life_is_a_tool_that_works(packages, upstream, ask, monkeypatch):
    toolbox.offer(monkeypatch)
    toolbox.gates["door"] = door = asyncio.Event()
    upstream.answers(*call("pass_gate", {"gate": "door"}), chunk(finish_reason="tool_calls"))
    upstream.answers("All is done.", *END)
    params = {"base_url": upstream.base_url}
    fields = {"slug": "agent", "model": "openai:m", "params": params, "tools": ["pass_gate"]}
    run = await ask(await Assistant.objects.acreate(name="Agent", **fields))
    asyncio.get_running_loop().call_later(2.5 * LIMIT, door.set)
    assert await outcome_of(run) == ("completed", "", "All is done.")


async def test_sign_of_life_of_a_function_is_an_empty_text(ask, settings, monkeypatch):
    settings.PYTHON_PROVIDERS = ["tests.providers.test_signs_of_life"]
    run = await ask(await Assistant.objects.acreate(name="F", slug="f", model=f"python:{__name__}.work_quietly"))
    assert await outcome_of(run) == ("completed", "", "Hello")


def work_quietly(messages, send):
    for word in ("Hel", "lo"):
        for _ in range(SIGNS):
            send("")
            threading.Event().wait(PAUSE)
        send(word)


async def test_silence_ends_a_run_in_spite_of_earlier_signs(start_runs, upstream):
    params = {"base_url": upstream.base_url}
    before = Answer([b": PROCESSING\n\n", PAUSE, b": PROCESSING\n\n", SILENCE])
    between = Answer(["Hel", "lo", b": PROCESSING\n\n", PAUSE, b": PROCESSING\n\n", SILENCE])
    runs = await start_runs({"before": ("openai:m", params, before), "between": ("openai:m", params, between)})
    assert await outcome_of(runs["before"]) == ("failed", "timeout", "")
    assert await outcome_of(runs["between"]) == ("interrupted", "timeout", "Hello")
    assert "(FIRST_TOKEN_SECONDS)" in runs["before"].error_message
    assert "(SILENCE_SECONDS)" in runs["between"].error_message
    for request in upstream.requests:
        await wait_until_closed(request)


async def test_silence_is_measured_from_the_last_sign(start_runs, upstream):
    answer = Answer(["Hello", PAUSE, b": PROCESSING\n\n", SILENCE])
    for _attempt in range(3):  # a measurement can only be too long
        run = (await start_runs({"m": ("openai:m", {"base_url": upstream.base_url}, answer)}))["m"]
        await outcome_of(run)
        seconds = (run.finished_at - run.first_token_at).total_seconds()
        assert PAUSE + LIMIT - 0.1 <= seconds
        if seconds <= PAUSE + LIMIT + 1:
            return
    pytest.fail(f"It takes {seconds} s.")


async def test_endless_comments_are_ended_with_the_run(start_runs, upstream, settings):
    settings.RUN_SECONDS = 2 * LIMIT
    comments = [step for _ in range(1000) for step in (b": PROCESSING\n\n", PAUSE)]
    params = {"base_url": upstream.base_url}
    plans = {"mute": ("openai:m", params, Answer(comments)), "lost": ("openai:m", params, Answer(["Hel", *comments]))}
    runs = await start_runs(plans)
    assert await outcome_of(runs["mute"]) == ("failed", "timeout", "")
    assert runs["mute"].error_message == "The model did not begin its answer within 4 seconds (RUN_SECONDS)."
    assert await outcome_of(runs["lost"]) == ("interrupted", "timeout", "Hel")
    assert runs["lost"].error_message == "The answer was cut short: it took longer than 4 seconds (RUN_SECONDS)."
    for request in upstream.requests:
        await wait_until_closed(request)


async def test_comments_after_the_finish_do_not_prolong_a_run(start_runs, upstream, monkeypatch):
    monkeypatch.setattr(reply_module, "USAGE_TIMEOUT", 0.5)
    comments = [step for _ in range(1000) for step in (b": PROCESSING\n\n", 0.05)]
    answer = Answer(["Hello", STOP, *comments])
    run = (await start_runs({"m": ("openai:m", {"base_url": upstream.base_url}, answer)}))["m"]
    assert await outcome_of(run) == ("completed", "", "Hello")
    await wait_until_closed(upstream.requests[0])


async def test_run_that_writes_steadily_is_not_cut_however_long_its_limits_are_exceeded(script, ask):
    def steadily(request):
        for _ in range(5):
            yield Text("on ")
            yield lambda: asyncio.sleep(PAUSE)
        yield Finish("stop")

    run = await ask(await script("steady", steadily))
    await wait_for_run(run)
    assert (run.status, run.message.text) == ("completed", "on " * 5)


async def test_stop_ends_a_run_that_shows_signs_of_life_alone(start_runs, upstream):
    comments = [step for _ in range(1000) for step in (b": PROCESSING\n\n", 0.05)]
    run = (await start_runs({"m": ("openai:m", {"base_url": upstream.base_url}, Answer(comments))}))["m"]
    await asyncio.sleep(LIMIT * 1.2)
    await engine.cancel(run)
    await wait_until_closed(upstream.requests[0])
    assert await outcome_of(run) == ("cancelled", "", "")
