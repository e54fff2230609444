"""What changed in a user's conversations, read once for all of the user's sockets.

Each open page of a user has a socket, and each of them learns of each change. If every socket read the rows itself, a
burst of changes would keep the database threads from everybody else. So the changes of a short while are read together,
in a thread of its own, and encoded once.
"""

import asyncio
import contextvars
import json
from collections.abc import Iterable
from typing import Any

from ninja.responses import NinjaJSONEncoder

from ..executors import DatabaseThread
from ..models import Conversation
from ..per_loop import PerLoop
from ..schemas import conversation_out

COLLECT_DELAY = 0.02  # seconds in which further changes join a query

_thread = DatabaseThread("updates")


class Batch:
    """The conversations of one user that the next query reads. `result` is {id: JSON of the update}."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.result: asyncio.Task[dict[str, str]]


class ConversationUpdates:
    """The queries of one event loop. A user has one at a time; what is asked for meanwhile belongs to the next one."""

    def __init__(self) -> None:
        self._batches: dict[Any, Batch] = {}  # user's id -> the batch that still collects
        self._reading: dict[Any, Batch] = {}

    async def read(self, user: Any, conversation_id: str) -> str | None:
        """Returns the update for the pages as JSON, or None if this user has no such conversation."""
        batch = self._batches.get(user.pk)
        if batch is None:
            batch = self._batches[user.pk] = Batch()
            # In a context of its own: the first socket's context names a thread that ends with that socket.
            task = self._collect_and_read(user, batch, self._reading.get(user.pk))
            batch.result = asyncio.get_running_loop().create_task(task, context=contextvars.Context())
            batch.result.add_done_callback(_note_failure)
        batch.ids.add(conversation_id)
        return (await asyncio.shield(batch.result)).get(conversation_id)

    async def _collect_and_read(self, user: Any, batch: Batch, previous: Batch | None) -> dict[str, str]:
        if previous:
            await asyncio.wait([previous.result])
        await asyncio.sleep(COLLECT_DELAY)
        self._reading[user.pk] = self._batches.pop(user.pk)  # later calls may be about later changes
        try:
            return await _thread.run(_read, user, batch.ids)
        finally:
            if self._reading[user.pk] is batch:
                del self._reading[user.pk]


updates = PerLoop(ConversationUpdates)


def _read(user: Any, ids: Iterable[str]) -> dict[str, str]:
    visible = Conversation.objects.visible_to(user).select_related("assistant").with_activity()
    rows = visible.filter(pk__in=ids, is_temporary=False)
    return {str(row.pk): _encode(row) for row in rows}


def _encode(row: Conversation) -> str:
    return json.dumps({"type": "conversation.changed", "conversation": conversation_out(row)}, cls=NinjaJSONEncoder)


def _note_failure(task: asyncio.Task) -> None:
    """Marks the exception as seen; the sockets raise it, if there are still any."""
    if not task.cancelled():
        task.exception()
