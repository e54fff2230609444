import json
import subprocess

import pytest

from chat import engine, providers
from chat.engine import window
from chat.models import Assistant
from chat.providers import Request, agent
from tests import toolbox
from tests.providers import aimock as aimock_server
from tests.providers.agent_runs import text_part
from tests.providers.provider_runs import ProviderReply, wait_until_idle
from tests.timeouts import HANG_TIMEOUT
from tests.upstream import Answer


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A server tells its window at once, but not where many processes run."""
    monkeypatch.setattr(window, "LOOK_UP_TIMEOUT", HANG_TIMEOUT)


@pytest.fixture
async def read_reply(upstream):
    """`await read_reply(*steps)`: the provider's reply, given this answer. At the end, none is in progress."""

    async def read_reply(*steps, params=None, turns=None, **how):
        if steps:
            upstream.answers(*steps, **how)
        return await ProviderReply().read({"base_url": upstream.base_url} | (params or {}), turns)

    yield read_reply
    await wait_until_idle(upstream)


@pytest.fixture
async def start_run(upstream, ask):
    """`await start_run(*steps)`: a started run whose model answers so. At the end, none is in progress."""

    async def start_run(*steps, model="openai:scripted", params=None, assistant=None, **how):
        if steps:
            upstream.answers(*steps, **how)
        fields = {"model": model, "params": {"base_url": upstream.base_url} | (params or {})} | (assistant or {})
        count = await Assistant.objects.acount()
        return await ask(await Assistant.objects.acreate(slug=f"model-{count}", name="Model", **fields))

    yield start_run
    await wait_until_idle(upstream)


@pytest.fixture
def start_runs(upstream, start_run):
    """`await start_runs({name: answer})`: the started runs by name; each has a model of this name and this answer."""

    async def start_runs(answers):
        answers = {name: answer if isinstance(answer, Answer) else Answer(answer) for name, answer in answers.items()}
        upstream.answer = lambda request: answers[request.body["model"]]
        return {name: await start_run(model=f"openai:{name}") for name in answers}

    return start_runs


@pytest.fixture
async def agent_run(upstream, ask, monkeypatch):
    """`await agent_run(*turns, tools=[…])`: a started run of an agent whose model says these turns in their order."""
    toolbox.offer(monkeypatch)

    async def start(*turns, text="Hi", params=None, **fields):
        for turn in turns:
            upstream.answers(turn if isinstance(turn, Answer) else Answer(list(turn)))
        fields = {"model": "openai:scripted", "tools": ["echo"]} | fields
        params = {"base_url": upstream.base_url} | (params or {})
        slug = fields.pop("slug", "agent")
        assistant = await Assistant.objects.acreate(slug=slug, name="Agent", params=params, **fields)
        return await ask(assistant, text)

    yield start
    await wait_until_idle(upstream)


@pytest.fixture
async def agent_pieces(upstream, monkeypatch):
    """`agent_pieces(*steps)`: the agent's pieces, without an engine."""
    toolbox.offer(monkeypatch)

    def ask(*steps):
        upstream.answers(*steps)
        params, turns = {"base_url": upstream.base_url}, [("user", [text_part("Hi")])]
        return agent.reply(Request("scripted", turns, "openai", params=params, tools=["echo"]))

    return ask


@pytest.fixture(scope="session")
def aimock_port(tmp_path_factory):
    """The port of the process that serves all tests."""
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    answers = [
        {"match": {"userMessage": part}, "chunkSize": 8} | fixture for part, fixture in aimock_server.ANSWERS.items()
    ]
    fixtures.write_text(json.dumps({"fixtures": answers}))
    command = ["node", str(aimock_server.CLI), "--port", "0", "--fixtures", str(fixtures)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for line in process.stdout:
            if " listening on " in line:
                yield int(line.rpartition(":")[2])
                break
        else:
            pytest.fail("aimock did not start")
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
async def aimock(aimock_port, monkeypatch):
    """A Relay to the process. When the test is over, no connection to it may be left open."""
    monkeypatch.setenv("NO_PROXY", "*")
    relay = aimock_server.Relay(aimock_port)
    await relay.start()
    yield relay
    await engine.shut_down()
    await providers.close()
    await relay.stop()
