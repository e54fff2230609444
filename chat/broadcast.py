"""Notifies a user's open pages that a conversation changed or that it has a new run.

The messages carry only ids, which never change. The sockets of a user read a changed row as it is then, once for all of
them, and send it to their pages.

Channels may lose a group message, so a page also reloads when it comes back to the front.
"""

import logging
from typing import Any, Literal
from uuid import UUID

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)


def user_group(user_id: int) -> str:
    """Returns the name of the group of a user's open pages."""
    return f"user.{user_id}"


def conversation_group(conversation_id: UUID) -> str:
    """Returns the name of the group of the pages that show a conversation."""
    return f"conversation.{conversation_id}"


async def notify_user(user_id: int, conversation_id: UUID, change: Literal["changed", "deleted"] = "changed") -> None:
    """Sends the pages of this user `conversation.changed` or `conversation.deleted`. Never raises."""
    message = {"type": f"conversation.{change}", "conversation_id": str(conversation_id)}
    try:
        if layer := get_channel_layer():
            await layer.group_send(user_group(user_id), message)
    except Exception:
        logger.exception("The pages of user %s could not be notified", user_id)


async def announce_run(run: Any) -> None:
    """Sends the pages that show this run's conversation `run.created`."""
    ids = {"run_id": run.pk, "reply_id": run.message_id, "message_id": run.message.parent_id}
    if layer := get_channel_layer():
        message = {"type": "run.created"} | {name: str(id) for name, id in ids.items()}
        await layer.group_send(conversation_group(run.conversation_id), message)


async def close() -> None:
    """Ends what the channel layer does in this event loop, once nothing is sent any more."""
    if close_layer := getattr(get_channel_layer(), "close", None):  # not every layer has it
        await close_layer()
