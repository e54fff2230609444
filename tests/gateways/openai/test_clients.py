"""OpenAI's Python package and the recipes of docs/clients.md, with a real server process."""

import base64
import re
import subprocess
import sys

import httpx
import openai
import pytest
from openai import OpenAI

from scripts.environment import ROOT
from tests.images import PICTURE
from tests.server_process import Site, Upstream, poll_until
from tests.timeouts import HANG_TIMEOUT

pytestmark = [pytest.mark.process, pytest.mark.slow]

RECIPES = (ROOT / "docs" / "clients.md").read_text()
HI = [{"role": "user", "content": "Hi"}]
MAKE_KEY = """
from accounts.models import ApiKey
from django.contrib.auth import get_user_model
print("key:", ApiKey.issue(get_user_model().objects.get(username="alice"), "Test")[1])
"""


@pytest.fixture(scope="module")
def upstream():
    server = Upstream()
    yield server
    server.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory, upstream):
    site = Site(tmp_path_factory.mktemp("site"), OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="sk-test")
    for name in ("scripted", "slow", "fail-401"):
        site.assistant(name, f"openai:{name}", sees_images=True)
    site.key = re.search("key: (.*)", site.shell(MAKE_KEY))[1]
    yield site.start()
    site.close()


@pytest.fixture
def client(site):
    with OpenAI(base_url=f"{site.url}/v1", api_key=site.key, max_retries=0, timeout=HANG_TIMEOUT) as client:
        yield client


def test_models_are_the_assistants(client):
    assert {"demo", "scripted"} <= {model.id for model in client.models.list()}
    assert client.models.retrieve("scripted").id == "scripted"


def test_completion_is_read_whole_and_as_a_stream(client):
    whole = client.chat.completions.create(model="scripted", messages=HI, temperature=0.5)
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens > 0
    options = {"include_usage": True}
    chunks = list(client.chat.completions.create(model="scripted", messages=HI, stream=True, stream_options=options))
    texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(texts) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage


def test_stream_helper_accumulates_the_answer(client):
    with client.chat.completions.stream(model="scripted", messages=HI) as stream:
        texts = [event.delta for event in stream if event.type == "content.delta"]
        completion = stream.get_final_completion()
    assert completion.choices[0].message.content == "".join(texts) != ""
    assert completion.choices[0].finish_reason == "stop"


def test_params_and_image_reach_the_model(client, upstream):
    url = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": content}]
    params = {"seed": 7, "stop": ["\n\n\n"], "response_format": {"type": "json_object"}, "max_tokens": 5}
    client.chat.completions.create(model="scripted", messages=messages, **params)
    body = upstream.requests()[-1]["body"]
    assert {name: body[name] for name in params} == params
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert {part["type"] for part in body["messages"][1]["content"]} == {"text", "image_url"}


def test_errors_have_the_types_of_the_package(client, site):
    with pytest.raises(openai.NotFoundError) as unknown:
        client.chat.completions.create(model="gpt-5", messages=HI)
    assert (unknown.value.code, unknown.value.param, bool(unknown.value.request_id)) == (
        "model_not_found",
        "model",
        True,
    )
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="scripted", messages=HI, n=2)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-wrong").models.list()


def test_stream_that_is_closed_stops_the_model(client, upstream):
    stream = client.chat.completions.create(model="slow", messages=HI, stream=True)
    assert next(iter(stream)).choices
    stream.close()
    poll_until(lambda: upstream.requests()[-1]["closed_at"])


def test_stored_completion_is_a_conversation(client, site):
    answer = client.chat.completions.with_raw_response.create(model="scripted", messages=HI, store=True)
    headers = {"Authorization": f"Bearer {site.key}"}
    url = f"{site.url}/api/conversations/{answer.headers['x-conversation-id']}/messages"
    items = httpx.get(url, headers=headers, timeout=HANG_TIMEOUT).json()["items"]
    assert items[-1]["text"] == answer.parse().choices[0].message.content


# docs/clients.md ------------------------------------------------------------------------------------------------------


def for_site(recipe, site):
    return recipe.replace("chatkey_…", site.key).replace("http://127.0.0.1:8000", site.url)


@pytest.mark.parametrize(
    "recipe", re.findall(r"```python\n(.*?)```", RECIPES, re.DOTALL), ids=lambda code: code.split()[1]
)
def test_recipe_in_python_prints_the_answer(recipe, site):
    command = [sys.executable, "-c", for_site(recipe, site)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=HANG_TIMEOUT)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("**This is a demonstration.**") and result.stdout.endswith("in the admin.\n")


def test_recipes_for_the_shell_work(site):
    prose = re.sub(r"```python\n.*?```", "", RECIPES, flags=re.DOTALL)
    lines = re.findall(r"^    (?!Authorization)(.*)", prose, re.MULTILINE)
    script = for_site("\n".join(lines), site)
    assert script.count("curl ") == 4
    result = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=HANG_TIMEOUT)
    assert (result.returncode, result.stderr) == (0, "")
    for part in ('"next_cursor"', "RUN_FINISHED", '"object": "list"', '"finish_reason": "stop"'):
        assert part in result.stdout, part
