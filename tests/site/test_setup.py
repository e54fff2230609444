"""`manage.py prepare` on a fresh installation: a first login, and assistants."""

from io import StringIO

from django.contrib.auth import get_user_model
from django.core.management import call_command

from chat.default_assistants import create_default_assistants
from chat.models import Assistant


def prepare():
    out = StringIO()
    call_command("prepare", stdout=out, no_color=True)
    return out.getvalue()


def test_prepare_creates_and_prints_the_first_login_once(transactional_db):
    first = prepare()
    login, password = first.splitlines()[0].removeprefix("First login: ").split(" / ")
    user = get_user_model().objects.get()
    assert user.get_username() == login
    assert user.check_password(password)
    assert user.is_superuser
    assert "First login" not in prepare()
    assert get_user_model().objects.count() == 1


def test_prepare_creates_no_login_if_there_are_users(alice):
    assert prepare() == "Open http://127.0.0.1:8000/\n"
    assert get_user_model().objects.count() == 1


def test_demo_assistant_exists_from_the_start(transactional_db):
    demo = Assistant.objects.get()
    assert (demo.slug, demo.model, demo.is_default, demo.is_enabled) == ("demo", "demo:", True, True)


def test_openai_assistant_is_created_when_there_is_a_key(transactional_db, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_MODEL", "gpt-test")
    create_default_assistants()
    openai = Assistant.objects.get(slug="openai")
    assert (openai.model, openai.is_default) == ("openai:gpt-test", True)
    openai.model, openai.is_enabled = "openai:other", False
    openai.save()
    create_default_assistants()
    openai.refresh_from_db()
    assert (openai.model, openai.is_enabled) == ("openai:other", False)


def test_demo_assistant_that_staff_deleted_stays_deleted(transactional_db):
    Assistant.objects.all().delete()
    Assistant.objects.create(slug="own", name="Own", model="demo:")
    create_default_assistants()
    assert list(Assistant.objects.values_list("slug", flat=True)) == ["own"]
