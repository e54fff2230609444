import os
from tempfile import gettempdir

from chatsite.settings import *  # noqa: F403
from chatsite.settings import DATABASES, INSTALLED_APPS, STORAGES

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, because several threads use it, as in production; one per process, so that two runs do not share it.
    DATABASES["default"]["TEST"] = {"NAME": f"{gettempdir()}/chat-test-{os.getpid()}.sqlite3"}
INSTALLED_APPS = [*INSTALLED_APPS, "tests.database"]  # its `flush` replaces Django's
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["files"] = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
SHUTDOWN_GRACE = 0
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # nothing is collected
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405
AUTO_TITLES = False  # what a model is asked is what a test asks it; test_titles turns them on
