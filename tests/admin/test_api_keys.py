"""Which staff may have a key of the environment sent to which address."""

import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from chat.models import Assistant
from chatsite import settings as site_settings
from tests.admin.test_assistants import ADD, filled

pytestmark = pytest.mark.slow

ELSEWHERE = {"base_url": "https://elsewhere.example/v1", "api_key_env": "OPENAI_API_KEY"}
REFUSAL = "Only a superuser may send the key in OPENAI_API_KEY to this address"


@pytest.fixture
async def save_as(client_of, monkeypatch):
    """`await save_as(user, params, pk=None, **fields)`: the form's sentence at the model, or None when it was saved."""
    for name in ("OPENAI_API_KEY", "GROQ_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, "sk-ours-and-nobody-elses")

    async def save(user, params, pk=None, model="openai:gpt-5-mini", **fields):
        path = f"/admin/chat/assistant/{pk}/change/" if pk else ADD
        response = await client_of(user).post(path, filled(model=model, other_params=json.dumps(params), **fields))
        if response.status_code == 302:
            return None
        return response.context["adminform"].form.errors["model_name"][0]

    return save


@pytest.fixture
async def editor(staff_with):
    return await staff_with("add_assistant", "change_assistant", "view_assistant")


async def test_staff_cannot_send_a_key_to_an_address_they_choose(save_as, editor):
    assert REFUSAL in await save_as(editor, ELSEWHERE)
    assert not await Assistant.objects.filter(slug="a").aexists()


async def test_staff_cannot_send_one_vendors_key_to_another(save_as, editor):
    assert "Only a superuser" in await save_as(editor, {"api_key_env": "GROQ_API_KEY"})
    assert "Only a superuser" in await save_as(
        editor, {"api_key_env": "GROQ_API_KEY"}, model="anthropic:claude-haiku-4-5"
    )


async def test_staff_may_use_the_vendors_own_key_and_one_that_they_type(save_as, editor):
    assert await save_as(editor, {"api_key_env": "OPENAI_API_KEY"}) is None
    assert await save_as(editor, {"base_url": ELSEWHERE["base_url"], "api_key": "sk-mine"}, slug="b") is None


async def test_staff_may_use_the_address_that_the_environment_names(save_as, editor, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", ELSEWHERE["base_url"])
    assert await save_as(editor, ELSEWHERE) is None


@pytest.mark.parametrize(
    ("base_url", "is_allowed"),
    [
        ("https://api.groq.example/openai/v1", True),
        ("https://api.groq.example:443/", True),
        ("https://API.groq.example/", True),
        ("http://api.groq.example/", False),
        ("https://api.groq.example:8443/", False),
        ("https://api.groq.example.evil.example/", False),
        ("https://api.groq.example@evil.example/", False),
        ("https://user@api.groq.example/", False),
        ("https://api.groq.example:x/", False),
        ("", False),
    ],
)
async def test_staff_may_use_the_servers_that_the_operator_lists(save_as, editor, settings, base_url, is_allowed):
    settings.API_KEY_HOSTS = {"GROQ_API_KEY": {"https://api.groq.example:443"}}
    error = await save_as(editor, {"base_url": base_url, "api_key_env": "GROQ_API_KEY"})
    assert (error is None) == is_allowed, error


async def test_only_a_superuser_may_choose_and_staff_may_change_the_rest(save_as, bob, editor):
    assert await save_as(bob, ELSEWHERE) is None
    row = await Assistant.objects.aget(slug="a")
    assert await save_as(editor, ELSEWHERE | {"temperature": 1}, row.pk, name="Renamed") is None
    await row.arefresh_from_db()
    assert row.name == "Renamed"
    assert REFUSAL in await save_as(editor, ELSEWHERE | {"base_url": "https://evil.example/"}, row.pk)
    other_key = ELSEWHERE | {"api_key_env": "GROQ_API_KEY"}
    assert "Only a superuser" in await save_as(editor, other_key, row.pk)
    await row.arefresh_from_db()
    assert row.params == ELSEWHERE | {"temperature": 1}


def test_api_key_hosts_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv(
        "API_KEY_HOSTS", "A_KEY=https://a.example/v1, A_KEY=http://a.example:8080,B_TOKEN=https://b.example"
    )
    assert site_settings.key_hosts() == {
        "A_KEY": {"https://a.example:443", "http://a.example:8080"},
        "B_TOKEN": {"https://b.example:443"},
    }
    for value in ("A_KEY", "A_KEY=a.example", "=https://a.example", "A_KEY=ftp://a.example"):
        monkeypatch.setenv("API_KEY_HOSTS", value)
        with pytest.raises(ImproperlyConfigured, match="API_KEY_HOSTS"):
            site_settings.key_hosts()
