"""The rows of the database, as tests create and compare them."""

from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session

from chat.models import Run, RunEvent, ServerProcess


def create_user(name, **kwargs):
    return get_user_model().objects.create_user(name, password="correct horse battery", **kwargs)


async def get_run(response):
    return await Run.objects.select_related("conversation", "message__parent").aget(pk=response.json()["run_id"])


@sync_to_async
def stored_events(**filters):
    """Returns (number, event) of the journal: of all runs, or of those that match the filters."""
    return RunEvent.objects.filter(**filters).numbered()


@sync_to_async
def all_rows(*left_out):
    """Returns the content of every table but logins, heartbeats and these. Equal results mean that nothing changed."""
    models = [model for model in apps.get_models() if model not in (Session, ServerProcess, *left_out)]
    return {model._meta.label: sorted(map(_without_login, model._base_manager.values())) for model in models}


def _without_login(row):
    return repr({name: value for name, value in row.items() if name != "last_login"})
