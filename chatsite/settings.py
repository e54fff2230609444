"""Everything that is configured, read once from the environment; README has the table.

A value that makes no sense stops the start with a sentence that names the variable.
"""

import os
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"  # what this installation makes for itself: database, secret key, collected static files

env = environ.Env()


def yes_or_no(name, default):
    value = env.str(name, default=str(default)).strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"", "0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={value!r} is neither true nor false.")


def whole_number(name, default, least=1):
    value = env.str(name, default=str(default)).strip()
    if not (value.isascii() and value.isdigit() and int(value) >= least):
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number of at least {least}.")
    return int(value)


def secret_key():
    """SECRET_KEY, or one made at the first start and kept, so that logins survive a restart."""
    if "SECRET_KEY" in os.environ:
        if not os.environ["SECRET_KEY"].strip():
            raise ImproperlyConfigured("SECRET_KEY is set but empty.")
        return os.environ["SECRET_KEY"]
    kept = VAR_DIR / "secret_key"
    VAR_DIR.mkdir(exist_ok=True)
    try:
        with open(os.open(kept, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(get_random_secret_key())
    except FileExistsError:
        pass
    return kept.read_text()


def database():
    default = f"sqlite:///{VAR_DIR / 'chat.sqlite3'}"
    try:
        config = env.db_url_config(env.str("DATABASE_URL", default=default))
    except Exception as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from None
    if config.get("ENGINE") == "django.db.backends.sqlite3":
        if config["NAME"] == ":memory:":
            raise ImproperlyConfigured("DATABASE_URL names no file: several threads need the same database.")
        VAR_DIR.mkdir(exist_ok=True)
        config["CONN_MAX_AGE"] = None
        config["OPTIONS"] = {
            # A writer that starts as a reader can be refused at once in the middle of its transaction, whatever the
            # timeout; IMMEDIATE waits for its turn at the beginning instead.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,  # seconds
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;",
        }
    elif config.get("ENGINE") == "django.db.backends.postgresql":
        config["CONN_MAX_AGE"] = 0
        config["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 16, "timeout": 10}}
    else:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:/// or postgres://.")
    return config


DEBUG = yes_or_no("DEBUG", False)
SECRET_KEY = secret_key()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured("ALLOWED_HOSTS=* lets every site open sockets here. Name the hosts.")

DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# How much one process takes on. A run over a bound waits in line as `queued`; a person over the last one gets a 429.
MAX_RUNS = whole_number("MAX_RUNS", 2000)
MAX_RUNS_PER_USER = whole_number("MAX_RUNS_PER_USER", 20)
MAX_WAITING_PER_USER = whole_number("MAX_WAITING_PER_USER", 200)
MAX_TEXT_LENGTH = whole_number("MAX_TEXT_LENGTH", 100_000)  # characters of one message
MAX_BODY_BYTES = DATA_UPLOAD_MAX_MEMORY_SIZE = whole_number("MAX_BODY_BYTES", 2_500_000)
MAX_IMAGE_BYTES = whole_number("MAX_IMAGE_BYTES", 10_000_000)
MAX_IMPORT_BYTES = whole_number("MAX_IMPORT_BYTES", 100_000_000)
LARGER_BODIES = {"/api/attachments": MAX_IMAGE_BYTES, "/api/import": MAX_IMPORT_BYTES}
PUBLIC_SHARES = yes_or_no("PUBLIC_SHARES", False)  # whether who has the link of a shared chat needs no login
AUTO_TITLES = yes_or_no("AUTO_TITLES", True)  # the model that answers first is asked for a title, too
UNDO_SECONDS = whole_number("UNDO_SECONDS", 600, least=0)  # how long what was deleted can be had back
APPROVAL_SECONDS = whole_number("APPROVAL_SECONDS", 604_800)  # how long a tool waits for the person's yes: a week
SHUTDOWN_GRACE = whole_number("SHUTDOWN_GRACE", 5, least=0)  # seconds that live runs get to end after SIGTERM

# Functions that staff may give an assistant as its model: dotted paths, of these or of the modules that define them.
PYTHON_PROVIDERS = [path.strip() for path in env.list("PYTHON_PROVIDERS", default=[])]

INSTALLED_APPS = [
    "daphne",  # before staticfiles: it brings an ASGI runserver
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "ninja",
    "chat",
]

MIDDLEWARE = [  # Django's own, made for ASGI: see there
    "chat.middleware.json_errors",
    "chat.middleware.Security",
    "chat.middleware.ContentPolicy",
    "chat.middleware.Session",
    "chat.middleware.Locale",
    "chat.middleware.Common",
    "chat.middleware.Csrf",
    "chat.middleware.Authentication",
    "chat.middleware.Messages",
    "chat.middleware.NoFrames",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ja", "日本語")]
LANGUAGE_COOKIE_AGE = 400 * 24 * 3600  # seconds; browsers keep none for longer
LANGUAGE_COOKIE_SAMESITE = "Lax"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
TERMINAL_TIME_ZONE = env.str("TZ", default="")  # of whoever sits there; Django makes TIME_ZONE of the variable
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "chat.static.HashedStaticFiles",
    },
}

# Behind TLS, which a trusted https origin tells, cookies travel over TLS only.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = any(
    o.startswith("https://") for o in CSRF_TRUSTED_ORIGINS
)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "chat": {"level": "INFO"},
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
}
