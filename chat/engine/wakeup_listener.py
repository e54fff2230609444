"""Listens for what other processes tell this one, on a database connection of its own: see chat.models.wakeups.

It is no more than a shortcut to what each heartbeat finds in the database, so nothing depends on it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from django.db import connection

RETRY_DELAY = 1  # seconds after a connection that failed

logger = logging.getLogger(__name__)


class Listener:
    """`handlers` maps each channel to the function that gets a notification's payload.

    `on_connect` is called after each connection, because notifications may have been missed before it.
    """

    def __init__(
        self,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task],
        handlers: Mapping[str, Callable[[str], None]],
        on_connect: Callable[[], None],
    ) -> None:
        self.spawn = spawn
        self.handlers = handlers
        self.on_connect = on_connect
        self._task: asyncio.Task | None = None
        self._is_failing = False

    def set_active(self, is_active: bool) -> None:
        """Listens from now on, or no longer. A database without notifications has nothing to hear."""
        if is_active and self._task is None and connection.vendor == "postgresql":
            self._task = self.spawn(self._listen_forever())
        elif not is_active and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:
                if not self._is_failing:
                    logger.warning("Cannot listen for wake-ups, so changes are found only by heartbeats: %s", error)
                self._is_failing = True
            await asyncio.sleep(RETRY_DELAY)

    async def _listen(self) -> None:
        """Listens until the connection fails."""
        from psycopg import AsyncConnection, sql  # only where it is used

        params = connection.get_connection_params()
        for django_only in ("context", "cursor_factory"):
            del params[django_only]
        async with await AsyncConnection.connect(**params, autocommit=True) as listening:
            for channel in self.handlers:
                await listening.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            if self._is_failing:
                logger.info("Listening for wake-ups again")
                self._is_failing = False
            self.on_connect()
            async for notification in listening.notifies():
                self.handlers[notification.channel](notification.payload)
