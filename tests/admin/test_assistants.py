"""The form of an assistant: what it saves, trying a model, and asking a server for its models."""

from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages

from chat.models import Assistant
from chat.providers import checks
from tests.admin.pages import posted_tools
from tests.rows import all_rows
from tests.upstream import END, RESET, SILENCE, refusal, whole

pytestmark = pytest.mark.slow

ADD = "/admin/chat/assistant/add/"


def filled(model="demo:", **fields):
    """Returns the form of an assistant with this model, filled in."""
    provider, _, name = model.partition(":")
    form = {"name": "A", "slug": "a", "provider": provider, "model_name": name, "other_params": "{}"}
    return form | {"max_model_calls": "3", "is_enabled": "on"} | fields


@pytest.fixture
async def save(client_of, bob):
    """`await save(**fields)`: the sentences at the fields of the form, by field; {} when it was saved."""

    async def save(**fields):
        response = await client_of(bob).post(ADD, filled(**fields))
        assert response.status_code == (302 if await Assistant.objects.filter(slug="a").aexists() else 200)
        return {} if response.status_code == 302 else response.context["adminform"].form.errors

    return save


async def test_slug_of_another_assistant_is_refused_at_its_field(client_of, bob):
    await Assistant.objects.acreate(slug="a", name="First", model="demo:")
    response = await client_of(bob).post(ADD, filled(name="Second"))
    assert response.status_code == 200
    assert response.context["adminform"].form.errors == {"slug": ["Assistant with this Slug already exists."]}


UNABLE = {  # model, other fields -> the sentence at the model
    "no key": ("anthropic:claude-haiku-4-5", {}, "The environment variable ANTHROPIC_API_KEY is not set."),
    "no key of OpenAI": ("openai:gpt-5-mini", {}, "The environment variable OPENAI_API_KEY is not set."),
    "no key of an agent": (
        "openai:gpt-5-mini",
        {"tool_choice_use": ["clock"]},
        "The environment variable OPENAI_API_KEY is not set.",
    ),
    "no package": ("langchain:groq:llama", {}, "Install it with: pip install langchain-groq"),
    "a wrong param": (
        "anthropic:claude-haiku-4-5",
        {"other_params": '{"api_key": "sk", "temprature": 1}'},
        "The model has no parameter “temprature”.",
    ),
    "a secret": (
        "openai:gpt-5-mini",
        {"other_params": '{"base_url": "http://x/", "api_key_env": "SECRET_KEY"}'},
        "“SECRET_KEY” cannot be used for api_key_env.",
    ),
}


@pytest.mark.parametrize("kind", UNABLE)
async def test_save_refuses_an_assistant_that_cannot_answer(save, kind):
    model, fields, sentence = UNABLE[kind]
    errors = await save(model=model, **fields)
    assert [*errors] == ["model_name"]
    assert sentence in errors["model_name"][0]
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
async def test_save_refuses_an_invalid_context_window(save, value):
    assert [*await save(context_window=value)] == ["context_window"]


async def test_save_keeps_time_limits_and_leaves_the_others_to_the_site(save):
    assert await save(first_token_seconds="1800", silence_seconds="", run_seconds="86400") == {}
    saved = await Assistant.objects.aget(slug="a")
    assert (saved.first_token_seconds, saved.silence_seconds, saved.run_seconds) == (1800, None, 86_400)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "a while", "9" * 20])
async def test_save_refuses_an_invalid_time_limit(save, value):
    assert [*await save(silence_seconds=value)] == ["silence_seconds"]


async def test_form_shows_the_limits_of_the_site_where_the_assistants_are_empty(client_of, bob, settings):
    settings.FIRST_TOKEN_SECONDS = 1234
    page = (await client_of(bob).get(ADD)).content.decode()
    assert 'placeholder="1234"' in page


async def test_save_keeps_starters_and_image_support(save):
    assert await save(starter_lines="Plan a trip to Kyoto\r\n\r\n 京都 \r\n", sees_images="on") == {}
    saved = await Assistant.objects.aget(slug="a")
    assert (saved.starters, saved.sees_images) == (["Plan a trip to Kyoto", "京都"], True)


async def test_save_reports_bad_fields_one_by_one(save):
    assert {*await save(model="x:y", other_params="{", tool_choice_use="rm")} == {
        "provider",
        "other_params",
        "tool_choice",
    }
    assert [*await save(model="anthropic:x", other_params="[]")] == ["other_params"]


# Send a test message --------------------------------------------------------------------------------------------------


@pytest.fixture
async def assistant(transactional_db, upstream):
    params = {"base_url": upstream.base_url, "temperature": 0.5}
    fields = {"model": "openai:scripted", "params": params, "system_prompt": "Be brief.", "tools": ["clock"]}
    return await Assistant.objects.acreate(slug="a", name="A", **fields)


@pytest.fixture
def try_it(client_of, bob, assistant, upstream):
    """`await try_it(**fields)`: the message that is shown then, as (kind, text)."""

    async def try_it(client=None, **fields):
        fields = {"base_url": upstream.base_url, "temperature": "0.5", "system_prompt": "Be brief."} | fields
        form = filled("openai:scripted", **fields, tool_choice_use=["clock"])
        response = await (client or client_of(bob)).post(f"/admin/chat/assistant/{assistant.pk}/try/", form)
        assert response.status_code == 200
        (message,) = get_messages(response.asgi_request)
        return message.level_tag, message.message

    return try_it


async def test_try_shows_the_answer(try_it, upstream):
    upstream.answers("I am ", "a <b>model</b>.", *END)
    assert await try_it() == ("success", "openai:scripted answered: “I am a <b>model</b>.” Nothing has been saved.")
    (request,) = upstream.requests
    assert [message["content"] for message in request.body["messages"]] == ["Be brief.", checks.TRIAL_PROMPT]
    assert request.body["temperature"] == 0.5
    assert "tools" not in request.body


async def test_trial_keeps_the_form_as_typed_and_saves_nothing(client_of, bob, assistant, upstream):
    upstream.answers("<b>bold</b>", *END)
    before = await all_rows()
    form = filled(
        "openai:other", base_url=upstream.base_url, name="<i>Typed", starter_lines="One\r\nTwo", temperature="0.7"
    )
    response = await client_of(bob).post(f"/admin/chat/assistant/{assistant.pk}/try/", form)
    html = response.content.decode()
    assert "&lt;b&gt;bold&lt;/b&gt;" in html
    for typed in ("&lt;i&gt;Typed", "One\r\nTwo", 'value="0.7"', 'value="other"', upstream.base_url):
        assert typed in html
    assert f'action="/admin/chat/assistant/{assistant.pk}/change/"' in html
    assert await all_rows() == before


async def test_try_works_before_the_first_save(client_of, bob, upstream):
    upstream.answers("I am new.", *END)
    response = await client_of(bob).post("/admin/chat/assistant/try/", filled("openai:new", base_url=upstream.base_url))
    assert "I am new." in response.content.decode()
    assert f'action="{ADD}"' in response.content.decode()
    assert not await Assistant.objects.filter(slug="a").aexists()


async def test_trial_of_an_invalid_form_is_not_sent(client_of, bob, assistant, upstream):
    form = filled("openai:m", base_url=upstream.base_url, temperature="hot")
    response = await client_of(bob).post(f"/admin/chat/assistant/{assistant.pk}/try/", form)
    assert [*response.context["adminform"].form.errors] == ["temperature"]
    assert 'value="hot"' in response.content.decode()
    assert upstream.requests == []


async def test_try_cuts_a_long_answer_and_closes_the_connection(try_it, upstream):
    upstream.answers("word " * 100, SILENCE)
    kind, text = await try_it()
    assert (kind, text) == ("success", f"openai:scripted answered: “{'word ' * 40} …” Nothing has been saved.")


@pytest.mark.parametrize(
    "answer, sentence",
    [
        (
            refusal(401, {"error": {"message": "no"}}),
            "The server requires an API key. Set an environment variable whose name ends in _KEY to it, and enter that "
            "name in the assistant (api_key_env).",
        ),
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
    shown = ("success", "openai:scripted answered: “Hel” Nothing has been saved.") if said else None
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


# Fields in place of JSON ----------------------------------------------------------------------------------------------


LEGACY = {
    "model": "openai:local",
    "params": {"base_url": "http://127.0.0.1:9/v1", "max_tokens": 5, "temperature": "warm", "reasoning_effort": "huge"},
    "tools": ["clock", "gone"],
    "ask_first": ["clock", "gone_too", "gone, with spaces"],
    "ask_every_time": ["clock", "gone_as_well"],
    "starters": ["One", "二"],
    "sees_images": True,
}


def as_posted(form):
    """Returns what a browser sends for this form as it is shown."""
    posted = {}
    for bound in form:
        value = bound.value()
        if bound.name == "tool_choice":
            posted |= posted_tools(bound)
        elif isinstance(value, bool):
            posted |= {bound.name: "on"} if value else {}
        else:
            posted[bound.name] = "" if value is None else value
    return posted


async def test_saving_a_form_unchanged_changes_nothing(client_of, bob, transactional_db):
    row = await Assistant.objects.acreate(slug="old", name="Old", max_model_calls=7, **LEGACY)
    page = f"/admin/chat/assistant/{row.pk}/change/"
    before = await Assistant.objects.filter(pk=row.pk).values().aget()
    form = (await client_of(bob).get(page)).context["adminform"].form
    assert form.initial["other_params"] == {"temperature": "warm"}
    assert form.initial["max_tokens"] == 5
    response = await client_of(bob).post(page, as_posted(form))
    assert response.status_code == 302, response.context["adminform"].form.errors
    assert await Assistant.objects.filter(pk=row.pk).values().aget() == before


async def test_parameters_have_the_names_of_their_provider(save, monkeypatch):
    for name in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "sk-ours")
    expected = {
        "openai:m": {"max_completion_tokens": 9},
        "openai_responses:m": {"max_output_tokens": 9},
        "anthropic:m": {"max_tokens": 9},
        "google_genai:m": {"max_output_tokens": 9},
        "ollama:m": {"num_predict": 9},
    }
    for model, params in expected.items():
        assert await save(model=model, max_tokens="9", temperature="0.5") == {}
        row = await Assistant.objects.aget(slug="a")
        assert row.params == params | {"temperature": 0.5}
        await row.adelete()
    assert await save(model="openai:m", base_url="http://127.0.0.1:9/v1", max_tokens="9") == {}
    assert (await Assistant.objects.aget(slug="a")).params["max_tokens"] == 9


async def test_parameter_that_the_provider_lacks_or_that_is_given_twice_is_an_error(save, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    assert [*await save(temperature="1")] == ["temperature"]
    errors = await save(model="openai:m", temperature="1", other_params='{"temperature": 2}')
    assert "has a field of its own" in errors["other_params"][0]


async def test_provider_choice_says_whether_its_key_is_set(client_of, bob, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-ours")
    html = unescape((await client_of(bob).get(ADD)).content.decode())
    assert "the key in OPENAI_API_KEY is set" in html
    assert "ANTHROPIC_API_KEY is not set" in html
    assert "sk-ours" not in html


async def test_save_as_new_makes_a_copy_beside_the_original(client_of, bob, transactional_db):
    await Assistant.objects.filter(is_default=True).aupdate(is_default=False)
    row = await Assistant.objects.acreate(slug="a", name="A", model="demo:", is_default=True)
    page = f"/admin/chat/assistant/{row.pk}/change/"
    for _ in range(2):
        response = await client_of(bob).post(page, filled(is_default="on", _saveasnew="yes"))
        assert response.status_code == 302
    rows = [(row.slug, row.name, row.is_default) async for row in Assistant.objects.filter(slug__startswith="a")]
    assert sorted(rows)[:3] == [("a", "A", True), ("a-2", "A (copy)", False), ("a-3", "A (copy)", False)]


# Asking a server for its models ---------------------------------------------------------------------------------------


@pytest.fixture
def ask_models(client_of):
    """`await ask_models(user, **fields)`: the answer to “Ask the server”."""

    async def ask_models(user, **fields):
        response = await client_of(user).post("/admin/chat/assistant/models/", {"provider": "openai"} | fields)
        assert response.status_code == 200
        return response.json()

    return ask_models


@pytest.fixture
def model_list(upstream):
    """A server with a chat model."""
    document = {"data": [{"id": "big", "max_model_len": 4096, "supports_vision": True}, {"id": "embed-1"}]}
    upstream.answer = lambda request: whole(document)
    return upstream


async def test_models_are_those_of_the_server(ask_models, bob, model_list):
    answer = await ask_models(bob, base_url=model_list.base_url)
    assert answer["error"] == ""
    (model,) = answer["models"]
    assert (model["name"], model["sees_images"], model["thinks"], model["window"]) == ("big", True, None, 4096)


async def test_models_failure_is_a_sentence(ask_models, bob, model_list, monkeypatch):
    unreachable = await ask_models(bob, base_url="http://127.0.0.1:9/v1")
    assert unreachable["error"] == "No server answers at http://127.0.0.1:9/v1."
    assert "no list of models" in (await ask_models(bob, provider="azure_openai"))["error"]
    for address in ("nonsense", "http://[", "file:///etc/passwd"):
        assert (await ask_models(bob, base_url=address))["error"]
    assert "metadata server" in (await ask_models(bob, base_url="http://169.254.169.254/v1"))["error"]
    model_list.answer = lambda request: refusal(401, {"error": "no"})
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "api_key_env" in (await ask_models(bob, base_url=model_list.base_url))["error"]
    monkeypatch.setenv("OPENAI_BASE_URL", model_list.base_url)
    assert "Set the environment variable OPENAI_API_KEY." in (await ask_models(bob))["error"]


async def test_models_request_sends_no_key_that_an_editor_has_not_been_given(
    ask_models, bob, staff_with, model_list, monkeypatch
):
    monkeypatch.setenv("GROQ_API_KEY", "sk-ours-and-nobody-elses")
    chosen = {"base_url": model_list.base_url, "api_key_env": "GROQ_API_KEY"}
    editor = await staff_with("add_assistant", "change_assistant")
    assert "Only a superuser" in (await ask_models(editor, **chosen))["error"]
    assert model_list.requests == []
    row = await Assistant.objects.acreate(slug="a", name="A", model="openai:m", params=chosen)
    assert (await ask_models(editor, **chosen, assistant=row.pk))["error"] == ""  # a superuser has chosen it
    assert "Only a superuser" in (await ask_models(editor, **chosen, provider="anthropic", assistant=row.pk))["error"]
    assert (await ask_models(bob, **chosen))["error"] == ""


async def test_models_request_needs_a_permission_and_a_post(client_of, alice, staff_with, model_list):
    viewer = await staff_with("view_assistant")
    path = "/admin/chat/assistant/models/"
    for user in (alice, viewer, None):
        response = await client_of(user).post(path, {"provider": "openai", "base_url": model_list.base_url})
        assert response.status_code == 403
    assert (await client_of(viewer).get(path)).status_code == 405
    assert model_list.requests == []
