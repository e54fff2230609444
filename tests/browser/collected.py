"""The site with its provider and its static files collected into TEST_STATIC_ROOT, as `make serve` has them."""

import os
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402

settings.STATIC_ROOT = Path(os.environ["TEST_STATIC_ROOT"])
call_command("collectstatic", interactive=False, verbosity=0)

from .asgi import application  # noqa: E402, F401
