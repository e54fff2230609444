"""Notifies a user's open pages that a conversation changed.

The message carries only the conversation's id; each socket reads the row as it is now and sends it to its page.

Channels may lose a group message, so a page also reloads when it comes back to the front.
"""

import logging
from typing import Literal
from uuid import UUID

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)


def user_group(user_id: int) -> str:
    """Returns the name of the group of a user's open pages."""
    return f"user.{user_id}"


async def notify_user(user_id: int, conversation_id: UUID, change: Literal["changed", "deleted"] = "changed") -> None:
    """Sends the pages of this user `conversation.changed` or `conversation.deleted`. Never raises."""
    message = {"type": f"conversation.{change}", "conversation_id": str(conversation_id)}
    try:
        if layer := get_channel_layer():
            await layer.group_send(user_group(user_id), message)
    except Exception:
        logger.exception("The pages of user %s could not be notified", user_id)
