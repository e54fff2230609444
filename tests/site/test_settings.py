"""What makes no sense stops the start with a sentence that names the variable."""

import os
import subprocess
import sys

import pytest

from scripts.environment import ROOT


def start(code="pass", **environment):
    """Read the settings in a fresh process with this environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    code = f"import django; from django.conf import settings as s; s.DEBUG\n{code}"
    environment = kept | {"DJANGO_SETTINGS_MODULE": "chatsite.settings"} | environment
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "perhaps"),
        ("SECRET_KEY", " "),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://somewhere/chat"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("RUNNER", "everywhere"),
        ("RUNNER", "web"),
        ("RUNNER", "worker"),
        ("RUNNER", "both"),
        ("ALLOWED_HOSTS", "*"),
        ("CORS_ALLOWED_ORIGINS", "*"),
        ("CORS_ALLOWED_ORIGINS", "app.example.com"),
        ("CORS_ALLOWED_ORIGINS", "https://app.example.com/"),
        ("MAX_RUNS", "many"),
        ("MAX_RUNS", "0"),
        ("MAX_TEXT_LENGTH", "-1"),
        ("FIRST_TOKEN_SECONDS", "a while"),
        ("SILENCE_SECONDS", "0"),
        ("RUN_SECONDS", "1.5"),
        ("SITE_ACCENT", "teal-ish"),
        ("SITE_ACCENT", "#12345"),
        ("SHARE_NAMES", "on"),
        ("FILES_STORAGE_OPTIONS", "bucket_name=chat"),
        ("FILES_STORAGE_OPTIONS", '["chat"]'),
    ],
)
def test_setting_with_a_bad_value_stops_the_start(name, value):
    done = start(**{name: value})
    assert done.returncode != 0
    assert "ImproperlyConfigured" in done.stderr
    assert name in done.stderr.splitlines()[-1]


def test_queue_of_runs_needs_postgresql():
    done = start(RUNNER="web")
    assert done.stderr.splitlines()[-1].endswith("RUNNER=web needs PostgreSQL: set DATABASE_URL to postgres://….")
    assert start("print(s.RUNNER)", RUNNER="web", DATABASE_URL="postgres://127.0.0.1/chat").stdout == "web\n"
    assert start("print(s.RUNNER)").stdout == "embedded\n"


def test_worker_serves_nobody():
    done = start("import chatsite.asgi", RUNNER="worker", DATABASE_URL="postgres://127.0.0.1/chat")
    assert done.stderr.splitlines()[-1].endswith("start it with manage.py runworker.")


def test_settings_by_default_are_for_production_on_this_machine():
    done = start("print(s.DEBUG, s.ALLOWED_HOSTS, s.SESSION_COOKIE_SECURE)")
    assert done.stdout == "False ['localhost', '127.0.0.1', '[::1]'] False\n", done.stderr


def test_silence_of_a_model_and_length_of_a_run_are_limited_by_the_environment():
    code = "print(s.FIRST_TOKEN_SECONDS, s.SILENCE_SECONDS, s.RUN_SECONDS)"
    assert start(code).stdout == "600 120 21600\n"
    assert start(code, FIRST_TOKEN_SECONDS="1800", SILENCE_SECONDS="60", RUN_SECONDS="7200").stdout == "1800 60 7200\n"


def test_cookies_are_secure_with_an_https_origin():
    done = start("print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE)", CSRF_TRUSTED_ORIGINS="https://chat.example")
    assert done.stdout == "True True\n", done.stderr


def test_secret_key_is_created_once_and_kept():
    first, second = start("print(s.SECRET_KEY)"), start("print(s.SECRET_KEY)")
    assert first.stdout == second.stdout
    assert len(first.stdout.strip()) >= 50
    assert (ROOT / "var" / "secret_key").stat().st_mode & 0o077 == 0


def test_sqlite_uses_wal_and_immediate_transactions(tmp_path):
    code = (
        "django.setup(); from django.db import connection as c; k = c.cursor()\n"
        "print([k.execute(f'PRAGMA {p}').fetchone()[0] for p in ('journal_mode', 'busy_timeout')])\n"
        "print(c.settings_dict['OPTIONS']['transaction_mode'])"
    )
    done = start(code, DATABASE_URL=f"sqlite:///{tmp_path}/x.sqlite3")
    assert done.stdout == "['wal', 5000]\nIMMEDIATE\n", done.stderr


STORAGE = "django.setup(); from chat.models.files import storage; s = storage(); print(type(s).__name__, s._location)"


def test_files_are_kept_in_a_private_folder_by_default(tmp_path):
    code = STORAGE.replace("s._location", "oct(s.file_permissions_mode), s.location")
    done = start(code, FILES_ROOT=str(tmp_path))
    assert done.stdout == f"FileSystemStorage 0o600 {tmp_path}\n", done.stderr


def test_files_are_kept_in_the_storage_of_the_environment():
    storage = {"FILES_STORAGE": "django.core.files.storage.InMemoryStorage"}
    done = start(STORAGE, **storage, FILES_STORAGE_OPTIONS='{"location": "chat"}')
    assert done.stdout == "InMemoryStorage chat\n", done.stderr


@pytest.mark.parametrize(
    ("storage", "options", "words"),
    [
        ("no_such_package.S3Storage", "", "No module named 'no_such_package'"),
        ("django.core.files.storage.InMemoryStorage", '{"buckets": 1}', "buckets"),
    ],
)
def test_storage_that_cannot_be_used_is_an_error_of_the_check(storage, options, words):
    code = "django.setup(); from django.core.management import call_command; call_command('check')"
    done = start(code, FILES_STORAGE=storage, FILES_STORAGE_OPTIONS=options)
    assert done.returncode != 0
    assert "(chat.E001) FILES_STORAGE cannot be used" in done.stderr
    assert words in done.stderr
