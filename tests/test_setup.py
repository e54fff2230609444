"""What a fresh installation is given: a first login, and assistants to talk with."""

from io import StringIO

from django.contrib.auth import get_user_model
from django.core.management import call_command

from chat.apps import offer_assistants
from chat.models import Assistant


def prepare():
    out = StringIO()
    call_command("prepare", stdout=out, no_color=True)
    return out.getvalue()


def test_the_first_login_is_made_once_and_printed(transactional_db):
    first = prepare()
    login, password = first.splitlines()[0].removeprefix("First login: ").split(" / ")
    user = get_user_model().objects.get()
    assert user.get_username() == login
    assert user.check_password(password)
    assert user.is_superuser
    assert "First login" not in prepare()
    assert get_user_model().objects.count() == 1


def test_no_login_is_made_where_there_are_people(alice):
    assert prepare() == "Open http://127.0.0.1:8000/\n"
    assert get_user_model().objects.count() == 1


def test_a_keyless_assistant_is_there_from_the_start(transactional_db):
    demo = Assistant.objects.get()
    assert (demo.slug, demo.model, demo.is_default, demo.is_enabled) == ("demo", "demo:", True, True)


def test_a_key_in_the_environment_offers_openai_at_once(transactional_db, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-test")
    offer_assistants()
    openai = Assistant.objects.get(slug="openai")
    assert (openai.model, openai.is_default) == ("openai:gpt-test", True)
    openai.model, openai.is_enabled = "openai:other", False
    openai.save()
    offer_assistants()
    openai.refresh_from_db()
    assert (openai.model, openai.is_enabled) == ("openai:other", False)


def test_what_staff_removed_stays_removed(transactional_db):
    Assistant.objects.all().delete()
    Assistant.objects.create(slug="own", name="Own", model="demo:")
    offer_assistants()
    assert list(Assistant.objects.values_list("slug", flat=True)) == ["own"]
