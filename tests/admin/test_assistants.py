"""Saving an assistant that could not answer, and trying one that may."""

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages

from chat.models import Assistant
from chat.providers import checks
from tests.upstream import END, RESET, SILENCE, refusal

pytestmark = pytest.mark.slow

ADD = "/admin/chat/assistant/add/"


def filled(**fields):
    form = {"name": "A", "slug": "a", "model": "demo:", "params": "{}", "tools": "[]", "ask_first": "[]"}
    return form | {"starters": "[]", "max_model_calls": "3", "is_enabled": "on"} | fields


@pytest.fixture
async def save(client_of, bob):
    """`await save(**fields)`: the sentences at the fields of the form, by field; {} when it was saved."""

    async def save(**fields):
        response = await client_of(bob).post(ADD, filled(**fields))
        assert response.status_code == (302 if await Assistant.objects.filter(slug="a").aexists() else 200)
        return {} if response.status_code == 302 else response.context["adminform"].form.errors

    return save


UNABLE = {  # model, other fields -> the sentence at the model
    "no provider": ("gpt-5", {}, "“gpt-5” does not name a provider."),
    "no key": ("anthropic:claude-haiku-4-5", {}, "The environment variable ANTHROPIC_API_KEY is not set."),
    "no key of OpenAI": ("openai:gpt-5-mini", {}, "The environment variable OPENAI_API_KEY is not set."),
    "no key of an agent": (
        "openai:gpt-5-mini",
        {"tools": '["clock"]'},
        "The environment variable OPENAI_API_KEY is not set.",
    ),
    "no package": ("langchain:groq:llama", {}, "Install it with: pip install langchain-groq"),
    "a wrong param": (
        "anthropic:claude-haiku-4-5",
        {"params": '{"api_key": "sk", "temprature": 1}'},
        "The model has no parameter “temprature”.",
    ),
    "a secret": (
        "openai:gpt-5-mini",
        {"params": '{"base_url": "http://x/", "api_key_env": "SECRET_KEY"}'},
        "“SECRET_KEY” cannot be used for api_key_env.",
    ),
}


@pytest.mark.parametrize("kind", UNABLE)
async def test_save_refuses_an_assistant_that_cannot_answer(save, kind):
    model, fields, sentence = UNABLE[kind]
    errors = await save(model=model, **fields)
    assert [*errors] == ["model"]
    assert sentence in errors["model"][0]
    assert not await Assistant.objects.filter(slug="a").aexists()


@pytest.mark.parametrize(
    "model", ["anthropic:claude-haiku-4-5", "google_genai:gemini-flash-latest", "openai:gpt-5-mini"]
)
async def test_save_with_an_api_key(save, monkeypatch, model):
    for name in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "sk-ours")
    assert await save(model=model) == {}
    assert (await Assistant.objects.aget(slug="a")).model == model


async def test_save_keeps_the_context_window(save):
    assert await save(context_window="2048") == {}
    assert (await Assistant.objects.aget(slug="a")).context_window == 2048


@pytest.mark.parametrize("value", ["0", "-2048", "255", "2k"])
async def test_save_refuses_a_context_window_that_is_none(save, value):
    assert [*await save(context_window=value)] == ["context_window"]


async def test_save_keeps_time_limits_and_leaves_the_others_to_the_site(save):
    assert await save(first_token_seconds="1800", silence_seconds="", run_seconds="86400") == {}
    saved = await Assistant.objects.aget(slug="a")
    assert (saved.first_token_seconds, saved.silence_seconds, saved.run_seconds) == (1800, None, 86_400)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "a while", "9" * 20])
async def test_save_refuses_a_time_limit_that_is_none(save, value):
    assert [*await save(silence_seconds=value)] == ["silence_seconds"]


async def test_form_shows_the_limits_of_the_site_where_an_assistant_has_none(client_of, bob, settings):
    settings.FIRST_TOKEN_SECONDS = 1234
    page = (await client_of(bob).get(ADD)).content.decode()
    assert 'placeholder="1234"' in page


async def test_save_keeps_starters_and_image_support(save):
    assert await save(starters='["Plan a trip to Kyoto"]', sees_images="on") == {}
    saved = await Assistant.objects.aget(slug="a")
    assert (saved.starters, saved.sees_images) == (["Plan a trip to Kyoto"], True)


async def test_save_reports_bad_fields_one_by_one(save):
    assert [*await save(model="anthropic:x", params="{", tools="[")] == ["params", "tools"]
    assert [*await save(model="anthropic:x", params="[]")] == ["params"]


# Try it ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def assistant(transactional_db, upstream):
    params = {"base_url": upstream.base_url, "temperature": 0.5}
    fields = {"model": "openai:scripted", "params": params, "system_prompt": "Be brief.", "tools": ["clock"]}
    return await Assistant.objects.acreate(slug="a", name="A", **fields)


@pytest.fixture
def try_it(client_of, bob, assistant):
    """`await try_it()`: the message that is shown then, as (kind, text)."""

    async def try_it():
        page = f"/admin/chat/assistant/{assistant.pk}/"
        client = client_of(bob)
        response = await client.post(f"{page}try/")
        assert (response.status_code, response["location"]) == (302, f"{page}change/")
        (message,) = get_messages((await client.get(response["location"])).asgi_request)
        return message.level_tag, message.message

    return try_it


async def test_try_shows_the_answer(try_it, upstream):
    upstream.answers("I am ", "a <b>model</b>.", *END)
    assert await try_it() == ("success", "openai:scripted answered: “I am a <b>model</b>.”")
    (request,) = upstream.requests
    assert [message["content"] for message in request.body["messages"]] == ["Be brief.", checks.TRIAL_PROMPT]
    assert request.body["temperature"] == 0.5
    assert "tools" not in request.body


async def test_try_escapes_the_answer(client_of, bob, assistant, upstream):
    upstream.answers("<b>bold</b>", *END)
    client = client_of(bob)
    page = (await client.post(f"/admin/chat/assistant/{assistant.pk}/try/"))["location"]
    assert b"&lt;b&gt;bold&lt;/b&gt;" in (await client.get(page)).content


async def test_try_cuts_a_long_answer_and_closes_the_connection(try_it, upstream):
    upstream.answers("word " * 100, SILENCE)
    kind, text = await try_it()
    assert (kind, text) == ("success", f"openai:scripted answered: “{'word ' * 40} …”")


@pytest.mark.parametrize(
    "answer, sentence",
    [
        (refusal(401, {"error": {"message": "no"}}), "The provider rejected the API key."),
        (RESET, "The connection to the model was lost before the answer was complete."),
        ([*END], "The model returned an empty answer."),
    ],
    ids=["refused", "cut", "nothing"],
)
async def test_try_shows_the_error(try_it, upstream, answer, sentence):
    upstream.answers(*(answer if isinstance(answer, list) else [answer]))
    assert await try_it() == ("error", sentence)


@pytest.mark.parametrize("said", [[], ["Hel"]])
async def test_try_has_a_timeout(try_it, upstream, monkeypatch, said):
    monkeypatch.setattr(checks, "TRIAL_TIMEOUT", 0.5)
    upstream.answers(*said, SILENCE)
    shown = ("success", "openai:scripted answered: “Hel”") if said else None
    assert await try_it() == (shown or ("error", "The model did not answer within 0.5 seconds."))


async def test_try_button_needs_the_change_permission(client_of, bob, charlie, assistant):
    page = f"/admin/chat/assistant/{assistant.pk}/change/"
    assert b'/try/"' in (await client_of(bob).get(page)).content
    charlie.is_staff = True
    await charlie.asave()
    await charlie.user_permissions.aadd(await Permission.objects.aget(codename="view_assistant"))
    assert b'/try/"' not in (await client_of(charlie).get(page)).content


async def test_try_is_refused_without_the_change_permission(client_of, alice, charlie, assistant, upstream):
    charlie.is_staff = True
    await charlie.asave()
    await charlie.user_permissions.aadd(await Permission.objects.aget(codename="view_assistant"))
    for user in (alice, charlie, None):
        response = await client_of(user).post(f"/admin/chat/assistant/{assistant.pk}/try/")
        assert response.status_code == 403
    assert upstream.requests == []


async def test_try_needs_a_post_with_a_csrf_token(client_of, bob, assistant, upstream):
    page = f"/admin/chat/assistant/{assistant.pk}/try/"
    assert (await client_of(bob).get(page)).status_code == 405
    assert (await client_of(bob, enforce_csrf_checks=True).post(page)).status_code == 403
    assert upstream.requests == []


async def test_try_of_a_deleted_assistant_is_404(client_of, bob):
    assert (await client_of(bob).post("/admin/chat/assistant/999999/try/")).status_code == 404
