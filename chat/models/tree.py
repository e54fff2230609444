"""The path from a message up to the first one of its conversation, in one query."""

import uuid
from typing import TYPE_CHECKING

from django.db import connections

if TYPE_CHECKING:
    from .conversations import Message

MAX_PATH_LENGTH = 10**9  # messages: all
PATH_TO_ROOT = """
    WITH RECURSIVE path (id, parent_id, place) AS (
        SELECT id, parent_id, 1 FROM chat_message WHERE id = %s
        UNION ALL
        SELECT message.id, message.parent_id, path.place + 1
        FROM path JOIN chat_message message ON message.id = path.parent_id WHERE path.place < %s
    )
    SELECT id FROM path ORDER BY place
"""


def path_to_root(message: "Message", limit: int = MAX_PATH_LENGTH) -> list[uuid.UUID]:
    """Returns the ids of this message and of those above it, at most `limit` of them, this one first."""
    field = message._meta.pk
    connection = connections[message._state.db or "default"]
    with connection.cursor() as cursor:
        cursor.execute(PATH_TO_ROOT, [field.get_db_prep_value(message.pk, connection), limit])
        return [field.to_python(id) for (id,) in cursor.fetchall()]
