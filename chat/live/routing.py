import logging
from typing import Any, cast

from django.urls import path, re_path

from .. import outages
from .consumers import NOT_FOUND, ConversationConsumer, UpdatesConsumer

TRY_AGAIN_LATER = 1013  # close code

logger = logging.getLogger(__name__)


async def refuse(scope, receive, send):
    """Refuses a socket of no such path; without it, Channels' router raises an exception."""
    await receive()
    await send({"type": "websocket.close", "code": NOT_FOUND})


# `path` is declared for views, but Channels' URLRouter calls ASGI applications.
websocket_urlpatterns = [
    path("ws/conversations/<uuid:conversation_id>", cast(Any, ConversationConsumer.as_asgi())),
    path("ws/news", cast(Any, UpdatesConsumer.as_asgi())),
]
no_such_socket = re_path("", cast(Any, refuse))  # the last of a site


def close_during_outages(application):
    """Closes a socket that needs the database while there is none; its page opens another one after a while."""

    async def wrapped(scope, receive, send):
        try:
            await application(scope, receive, send)
        except outages.DATABASE_ERRORS as error:
            outage = outages.outage(error)
            if outage is None:
                raise
            logger.error("A socket was closed: %s", outage.reason, exc_info=error)
            try:
                await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
            except OSError:  # the client has left
                pass

    return wrapped
