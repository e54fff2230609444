"""The configuration, read once from the environment; README.md has the table.

An invalid value prevents startup; the error message names the variable.
"""

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"  # files of this installation: database, secret key, collected static files

env = environ.Env()


def yes_or_no(name: str, default: bool) -> bool:
    value = env.str(name, default=str(default)).strip().lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"", "0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be on or off, not {value!r}.")


def whole_number(name: str, default: int, minimum: int = 1) -> int:
    value = env.str(name, default=str(default)).strip()
    if not (value.isascii() and value.isdigit() and int(value) >= minimum):
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {minimum}, not {value!r}.")
    return int(value)


def one_of(name: str, choices: list[str]) -> str:
    """Returns one of the choices, the first by default."""
    value = env.str(name, default=choices[0]).strip()
    if value not in choices:
        raise ImproperlyConfigured(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, not {value!r}.")
    return value


def json_object(name: str) -> dict[str, Any]:
    """Returns a JSON object, an empty one by default."""
    try:
        value = json.loads(env.str(name, default="") or "{}")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ImproperlyConfigured(f'{name} must be a JSON object, such as {{"bucket_name": "chat"}}.')
    return value


def secret_key() -> str:
    """Returns SECRET_KEY, or one that is created at the first start and stored, so that logins survive a restart."""
    if "SECRET_KEY" in os.environ:
        if not os.environ["SECRET_KEY"].strip():
            raise ImproperlyConfigured("SECRET_KEY must not be empty.")
        return os.environ["SECRET_KEY"]
    path = VAR_DIR / "secret_key"
    VAR_DIR.mkdir(exist_ok=True)
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(get_random_secret_key())
    except FileExistsError:
        pass
    return path.read_text()


def database() -> dict[str, Any]:
    default = f"sqlite:///{VAR_DIR / 'chat.sqlite3'}"
    try:
        config = env.db_url_config(env.str("DATABASE_URL", default=default))
    except Exception as error:
        raise ImproperlyConfigured(f"DATABASE_URL is not valid: {error}") from None
    if config.get("ENGINE") == "django.db.backends.sqlite3":
        if config["NAME"] == ":memory:":
            raise ImproperlyConfigured("DATABASE_URL must name a file, because several threads use the database.")
        VAR_DIR.mkdir(exist_ok=True)
        config["ENGINE"] = "chat.backends.sqlite3"
        config["CONN_MAX_AGE"] = None
        config["OPTIONS"] = {
            # A transaction that begins with a read can be refused at its first write, whatever the timeout. IMMEDIATE
            # waits for the write lock at the beginning instead.
            "transaction_mode": "IMMEDIATE",
            "timeout": 5,  # seconds; then the request is refused, and the next ones sooner
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;",
        }
    elif config.get("ENGINE") == "django.db.backends.postgresql":
        config["ENGINE"] = "chat.backends.postgresql"
        config["CONN_MAX_AGE"] = 0
        config["OPTIONS"] = config.get("OPTIONS", {}) | {
            # The pool does not retry a refused connection; the next query that needs one does.
            "pool": {"min_size": 1, "max_size": 24, "timeout": 3, "reconnect_timeout": 0},
            # A server that disappears silently is noticed in seconds, not in the system's two hours.
            "connect_timeout": 3,  # seconds
            "keepalives_idle": 10,  # seconds
            "keepalives_interval": 3,  # seconds
            "keepalives_count": 3,
            "tcp_user_timeout": 10_000,  # milliseconds
        }
    else:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:/// or postgres://.")
    return config


DEBUG = yes_or_no("DEBUG", False)
SECRET_KEY = secret_key()
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured(
        "ALLOWED_HOSTS may be * only with DEBUG: any website could open WebSockets to this one. List the host names."
    )


def origins(name: str) -> list[str]:
    """Returns a list of origins such as https://app.example.com, an empty one by default."""
    values = [value.strip() for value in env.list(name, default=[])]
    for value in values:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or value != f"{parts.scheme}://{parts.netloc}":
            raise ImproperlyConfigured(f"{name} must be a list of origins such as https://example.com, not {value!r}.")
    return values


# Pages of other sites whose scripts may use the API with a key. Cookies are never accepted from there.
CORS_ALLOWED_ORIGINS = origins("CORS_ALLOWED_ORIGINS")
CORS_URLS_REGEX = r"^/(api|v1)/"
CORS_ALLOW_HEADERS = [
    *("accept", "authorization", "content-type", "idempotency-key", "last-event-id", "user-agent"),
    # What the SDKs of OpenAI send.
    *(f"x-stainless-{name}" for name in ("arch", "async", "lang", "os", "package-version", "retry-count", "runtime")),
    *("x-stainless-helper-method", "x-stainless-poll-helper", "x-stainless-runtime-version", "x-stainless-timeout"),
]
CORS_EXPOSE_HEADERS = ["Retry-After", "X-Conversation-Id", "X-Request-Id", "X-Run-Id"]

DATABASES = {"default": database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"


def redis_url() -> str:
    url = env.str("REDIS_URL", default="")
    if url and not url.startswith(("redis://", "rediss://", "unix://")):
        raise ImproperlyConfigured("REDIS_URL must begin with redis://, rediss:// or unix://.")
    if url and not find_spec("redis"):
        raise ImproperlyConfigured("REDIS_URL needs the packages in requirements-redis.txt.")
    return url


REDIS_URL = redis_url()  # carries what runs write to readers on other processes sooner than the database does


def runner() -> str:
    """Returns which runs a process of the site executes: those that it accepts itself, none, or those of a queue."""
    value = one_of("RUNNER", ["embedded", "web", "worker", "both"])
    if value != "embedded" and not DATABASES["default"]["ENGINE"].endswith("postgresql"):
        raise ImproperlyConfigured(f"RUNNER={value} needs PostgreSQL: set DATABASE_URL to postgres://….")
    return value


RUNNER = runner()

# The first two are limits of one process: a run over them waits as `queued`. The third counts in all processes: a user
# with that many waiting runs gets a 429.
MAX_RUNS = whole_number("MAX_RUNS", 2000)
MAX_RUNS_PER_USER = whole_number("MAX_RUNS_PER_USER", 20)
MAX_WAITING_PER_USER = whole_number("MAX_WAITING_PER_USER", 200)
MAX_TEXT_LENGTH = whole_number("MAX_TEXT_LENGTH", 100_000)  # characters of one message
# Limits of one answer, for models that never end. Text over the first is cut off; over the others, the answer is ended.
MAX_REPLY_LENGTH = whole_number("MAX_REPLY_LENGTH", 2_000_000)  # characters of all its parts
MAX_REPLY_PARTS = whole_number("MAX_REPLY_PARTS", 1000)  # texts, reasonings and tool calls
MAX_TOOL_CALLS = whole_number("MAX_TOOL_CALLS", 100)
MAX_TOOL_CALLS_PER_TURN = whole_number("MAX_TOOL_CALLS_PER_TURN", 32)  # that the model makes at once
MAX_TOOL_ARGUMENTS_LENGTH = whole_number("MAX_TOOL_ARGUMENTS_LENGTH", 100_000)  # characters of one call
# How long a model may be silent, and how long a run may take. A model on a computer without a GPU reads a long prompt
# for minutes, and one that serves several users at once pauses meanwhile. Silence is the fault, not length.
FIRST_TOKEN_SECONDS = whole_number("FIRST_TOKEN_SECONDS", 600)
SILENCE_SECONDS = whole_number("SILENCE_SECONDS", 120)
RUN_SECONDS = whole_number("RUN_SECONDS", 21_600)  # 6 hours: 40,000 tokens of a model that writes two a second
MAX_BODY_BYTES = DATA_UPLOAD_MAX_MEMORY_SIZE = whole_number("MAX_BODY_BYTES", 2_500_000)
MAX_IMAGE_BYTES = whole_number("MAX_IMAGE_BYTES", 10_000_000)
MAX_FILE_BYTES = whole_number("MAX_FILE_BYTES", 30_000_000)
MAX_FILE_CHARACTERS = whole_number("MAX_FILE_CHARACTERS", 2_000_000)  # of the text that is read from one file
MAX_STORED_BYTES = whole_number("MAX_STORED_BYTES", 1_000_000_000)  # images and files of one user
MAX_IMPORT_BYTES = whole_number("MAX_IMPORT_BYTES", 100_000_000)
# Limits of one process, too. A user over them gets a 429, or waits (MAX_REQUESTS_PER_USER).
MAX_STREAMS = whole_number("MAX_STREAMS", 5000)
MAX_STREAMS_PER_USER = whole_number("MAX_STREAMS_PER_USER", 100)  # six tabs on three devices need 18
MAX_SOCKETS = whole_number("MAX_SOCKETS", 5000)
MAX_SOCKETS_PER_USER = whole_number("MAX_SOCKETS_PER_USER", 50)
MAX_REQUESTS_PER_USER = whole_number("MAX_REQUESTS_PER_USER", 4)  # half of the threads that read
# Connections of one server (`manage.py serve`); a proxy in front of it has limits of its own.
MAX_CONNECTIONS = whole_number("MAX_CONNECTIONS", 8000)
MAX_CONNECTIONS_PER_ADDRESS = whole_number("MAX_CONNECTIONS_PER_ADDRESS", 1000)
HEAD_TIMEOUT = whole_number("HEAD_TIMEOUT", 10)  # seconds for the head of a request, and between two of them
FORWARDED_ALLOW_IPS = env.list("FORWARDED_ALLOW_IPS", default=["127.0.0.1", "::1"])
FORM_BYTES = 10_000  # that a form adds to the file in it
LARGER_BODIES = {
    "/api/attachments": max(MAX_IMAGE_BYTES, MAX_FILE_BYTES) + FORM_BYTES,
    "/api/import": MAX_IMPORT_BYTES,
}
# Processes that read users' files: how many, and how much memory each of them may use.
IMAGE_WORKERS = whole_number("IMAGE_WORKERS", 2)
FILE_WORKERS = whole_number("FILE_WORKERS", 2)
IMPORT_WORKERS = whole_number("IMPORT_WORKERS", 2)
WORKER_MEMORY_BYTES = whole_number("WORKER_MEMORY_BYTES", 400_000_000, minimum=100_000_000)
MIN_FREE_DISK_BYTES = whole_number("MIN_FREE_DISK_BYTES", 100_000_000, minimum=0)  # else /health/ready answers 503
SITE_NAME = env.str("SITE_NAME", default="").strip()  # empty: "Chat", in the user's language


def image_file(name: str) -> Path | None:
    """Returns the path of an SVG or PNG file, or None."""
    value = env.str(name, default="").strip()
    if not value:
        return None
    path = Path(value)
    starts = {".svg": b"<", ".png": b"\x89PNG\r\n\x1a\n"}
    try:
        is_image = path.read_bytes().lstrip(b"\xef\xbb\xbf \r\n\t").startswith(starts.get(path.suffix.lower(), b"?"))
    except OSError as error:
        raise ImproperlyConfigured(f"{name} cannot be read: {error}") from None
    if not is_image:
        raise ImproperlyConfigured(f"{name} must be an SVG or PNG file, not {value!r}.")
    return path


SITE_LOGO = image_file("SITE_LOGO")  # a square one; a PNG of 512 pixels is best for installed apps


def color(name: str) -> str:
    value = env.str(name, default="").strip().lower()
    if not re.fullmatch(r"(#[0-9a-f]{6})?", value):
        raise ImproperlyConfigured(f"{name} must be a color such as #0b6f78, not {value!r}.")
    return value


SITE_ACCENT = color("SITE_ACCENT")  # of buttons and links; darkened and lightened until text is readable
PUBLIC_SHARES = yes_or_no("PUBLIC_SHARES", False)  # on: no login is needed to open the link of a shared chat
SHARE_NAMES = one_of("SHARE_NAMES", ["full_name", "username", "off"])  # what readers of a shared chat see of its owner
AUTO_TITLES = yes_or_no("AUTO_TITLES", True)  # ask the model of the first answer for a title
UNDO_SECONDS = whole_number("UNDO_SECONDS", 600, minimum=0)  # in which a deleted conversation can be restored
APPROVAL_SECONDS = whole_number("APPROVAL_SECONDS", 604_800)  # that a tool call waits for approval: a week
SHUTDOWN_GRACE = whole_number("SHUTDOWN_GRACE", 5, minimum=0)  # seconds for live runs to end after SIGTERM


def key_hosts() -> dict[str, set[str]]:
    """Returns {variable of an API key: the origins of the servers that staff may have it sent to}."""
    hosts: dict[str, set[str]] = {}
    for pair in env.list("API_KEY_HOSTS", default=[]):
        variable, _, url = pair.strip().partition("=")
        parts = urlsplit(url)
        if not variable or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ImproperlyConfigured(f"API_KEY_HOSTS must be a list of VARIABLE=https://HOST, not {pair!r}.")
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        hosts.setdefault(variable, set()).add(f"{parts.scheme}://{parts.hostname}:{port}")
    return hosts


API_KEY_HOSTS = key_hosts()

# Functions that staff may choose as an assistant's model: their dotted paths, or those of the modules that define them.
PYTHON_PROVIDERS = [path.strip() for path in env.list("PYTHON_PROVIDERS", default=[])]

INSTALLED_APPS = [
    "chat",  # before daphne: it has a runserver of its own
    "daphne",  # before staticfiles: it brings an ASGI runserver
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "corsheaders",
    "csp",
    "ninja",
    "accounts",
    "gateways",
]

MIDDLEWARE = [  # most are Django's own, adapted to ASGI: see chat.middleware
    "corsheaders.middleware.CorsMiddleware",
    "chat.address_limits.limit_requests_per_address",
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
    "accounts.middleware.PreferencesMiddleware",
    "chat.password_checks.limit_password_checks",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["chat.templatetags.branding"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context_processors.preferences",
            ],
        },
    },
]

# Where apps add to the core: dotted paths of functions, called in this order. See docs/apps.md.
REQUEST_CONTEXT = [
    "accounts.hooks.personal_instructions",
]
RUN_CHECKS = [
    "chat.api_keys.refuse_other_assistants",
    "chat.limits.refuse_too_many_open_runs",
]
RUN_ENDED: list[str] = []
# Where an app has paths with errors in another format: their beginning -> function(refused) -> what the body says.
ERROR_FORMATS = {"/v1/": "gateways.openai.errors.error_body"}
# Finds API keys: see chat.api_keys. Empty: the site accepts none.
KEY_LOOKUP = "accounts.key_lookup.look_up"

# LangChain middleware around every agent's model and tool calls: dotted paths, the outermost first. See docs/tools.md.
AGENT_MIDDLEWARE: list[str] = []

ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"
CHANNEL_LAYERS = {
    "default": {"BACKEND": "chat.live.redis_layer.RedisChannelLayer", "CONFIG": {"url": REDIS_URL}}
    if REDIS_URL
    else {"BACKEND": "chat.live.layer.ChannelLayer"}
}

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
LANGUAGE_COOKIE_AGE = 400 * 24 * 3600  # seconds; browsers keep no cookie for longer
LANGUAGE_COOKIE_SAMESITE = "Lax"
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
TERMINAL_TIME_ZONE = env.str("TZ", default="")  # Django would take the variable TZ for TIME_ZONE
USE_TZ = True

FILES_ROOT = Path(env.str("FILES_ROOT", default=str(VAR_DIR / "files")))  # what users upload
FILE_SYSTEM = "django.core.files.storage.FileSystemStorage"
FILES_STORAGE = env.str("FILES_STORAGE", default=FILE_SYSTEM)  # the dotted path of a class, with its options
FILES_STORAGE_OPTIONS = json_object("FILES_STORAGE_OPTIONS")
PRIVATE_FOLDER = {
    "location": FILES_ROOT,
    "base_url": None,
    "file_permissions_mode": 0o600,
    "directory_permissions_mode": 0o700,
}
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": FILE_SYSTEM},
    "files": {  # of users, for chat.models.StoredFile; no URL leads there
        "BACKEND": FILES_STORAGE,
        "OPTIONS": (PRIVATE_FOLDER if FILES_STORAGE == FILE_SYSTEM else {}) | FILES_STORAGE_OPTIONS,
    },
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "chat.storage.HashedStaticFiles",
    },
}

# A trusted https origin means that the site is behind TLS: then cookies travel over TLS only.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = any(
    origin.startswith("https://") for origin in CSRF_TRUSTED_ORIGINS
)
SECURE_HSTS_SECONDS = whole_number("SECURE_HSTS_SECONDS", 0, minimum=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = yes_or_no("SECURE_HSTS_INCLUDE_SUBDOMAINS", False)
SECURE_HSTS_PRELOAD = yes_or_no("SECURE_HSTS_PRELOAD", False)
SECURE_SSL_REDIRECT = yes_or_no("SECURE_SSL_REDIRECT", False)
# These checks look for Django's own middleware and do not recognize our subclasses; chat.checks does.
SILENCED_SYSTEM_CHECKS = ["security.W001", "security.W002", "security.W003"]
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

DEFAULT_EXCEPTION_REPORTER = "chat.error_reports.RedactingReporter"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "chat.logs.CountingHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "chat": {"level": "INFO"},
        "django": {"handlers": ["console"], "level": "INFO", "propagate": False},
        # The server's own messages, such as "Invalid HTTP request received.", are counted like the others. Its options
        # set the level.
        "uvicorn.error": {"handlers": ["console"], "propagate": False},
        # A pool that cannot connect warns at each attempt; the query that needed the connection reports it as well.
        "psycopg.pool": {"level": "ERROR"},
    },
}
