"""Telling a person's open pages that something is new. The news carries no data: who hears it looks for himself.

Group messages may be lost (see Channels); a page that comes back to the front looks, too.
"""

import logging

from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)


def pages_of(person_id):
    """The group of a person's open pages."""
    return f"person.{person_id}"


async def spread(person_id, conversation_id, what="changed"):
    """Let the person's pages know that a conversation changed, or was deleted. Never raises: nothing waits for it."""
    try:
        news = {"type": f"conversation.{what}", "conversation_id": str(conversation_id)}
        await get_channel_layer().group_send(pages_of(person_id), news)
    except Exception:
        logger.exception("News could not be spread")
