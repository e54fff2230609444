from chatsite.settings import *  # noqa: F403
from chatsite.settings import DATABASES, STORAGES

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file: several threads work in it, as in production.
    DATABASES["default"]["TEST"] = {"NAME": f"{DATABASES['default']['NAME']}.test"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SHUTDOWN_GRACE = 0
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # nothing is collected
STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405
AUTO_TITLES = False  # what a model is asked is what a test asks it; test_titles turns them on
