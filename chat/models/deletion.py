"""Keeps the journal out of what is being deleted."""

from typing import Any

from django.conf import settings
from django.db.models import Model, QuerySet
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from .conversations import Conversation, Run


@receiver(pre_delete, sender=Conversation)
@receiver(pre_delete, sender=settings.AUTH_USER_MODEL)
def lock_runs(sender: type[Model], instance: Any, origin: Model | QuerySet, **kwargs: Any) -> None:
    """Locks the unfinished runs that go with a conversation or a user until the deletion is committed.

    Other processes may be writing events of them. They wait, and then find no run to write for. Without the lock, an
    event that is committed between the deletion of the events and that of their run makes the latter fail.
    """
    if isinstance(instance, Conversation):
        if Conversation is (origin.model if isinstance(origin, QuerySet) else type(origin)):
            instance.runs.open().lock()
        # A deletion that began with the owner has locked the runs of all conversations at once.
    else:
        Run.objects.filter(conversation__owner=instance).open().lock()
