"""Prepares the site's database from inside: migrates, logs users in, adds an assistant for each model it is given.

`python -m bench.prepare_site USERS PROVIDER:` prints one line of session keys; then it answers each line that it
reads, the name of a model of that provider, with its assistant's slug.
"""

import os
import sys
from importlib import import_module

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib import auth  # noqa: E402
from django.core.management import call_command  # noqa: E402

from chat.models import Assistant  # noqa: E402


def log_in(name):
    """A new user's session key."""
    user = auth.get_user_model().objects.create_user(name)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[auth.SESSION_KEY] = str(user.pk)
    session[auth.BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return session.session_key


call_command("migrate", verbosity=0)
print(*[log_in(f"bench-{number}") for number in range(int(sys.argv[1]))], flush=True)
for line in sys.stdin:
    model = line.strip()
    fields = {"name": model, "model": f"{sys.argv[2]}{model}"}
    if model.startswith(("arguments-", "calls-")):
        fields["tools"] = ["clock"]
    assistant, _ = Assistant.objects.get_or_create(slug=model, defaults=fields)
    print(assistant.slug, flush=True)
