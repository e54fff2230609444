"""The channel layer of a site with several processes.

It delivers a group message to the sockets of this process at once, as ChannelLayer does, and publishes it to the other
processes over Redis. Sending never waits for Redis. Every process gets every message, which are small and few, and
delivers those for its own sockets. While Redis is away, sockets of other processes miss messages, which Channels
permits; pages therefore also look for changes when they come to the front.
"""

import asyncio
import json
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from ..per_loop import PerLoop
from ..redis_connection import TIMEOUT, connect
from .layer import ChannelLayer

RETRY_DELAY = 1  # seconds until the server is tried again
MAX_WAITING = 1_000  # messages that wait to be sent; then the oldest are lost
PREFIX = "chat:groups:"

CONSEQUENCES = {
    "sending": "pages of other processes are not told of changes here",
    "listening": "pages here are not told of changes in other processes",
}

Deliver = Callable[[str, dict[str, Any]], Awaitable[None]]

logger = logging.getLogger(__name__)


class RedisChannelLayer(ChannelLayer):
    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(**options)
        self.exchanges = PerLoop(lambda: Exchange(url, super(RedisChannelLayer, self).group_send))

    async def group_add(self, group: str, channel: str) -> None:
        await super().group_add(group, channel)
        self.exchanges.get().listen()

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        await super().group_send(group, message)
        self.exchanges.get().send(group, message)

    async def close(self) -> None:
        if exchange := self.exchanges.pop():
            await exchange.close()
        await super().close()


class Exchange:
    """Sends this process's group messages to the others, and delivers theirs here."""

    def __init__(self, url: str, deliver: Deliver) -> None:
        self.redis = connect(url, "chat-groups")
        # Pub/sub ignores the database number of REDIS_URL: sites that share a server differ by the channel's name.
        self.channel = f"{PREFIX}{self.redis.get_connection_kwargs().get('db', 0)}"
        self.id = uuid.uuid4().hex
        self.deliver = deliver
        self.waiting: deque[str] = deque(maxlen=MAX_WAITING)
        self.sending: asyncio.Task | None = None
        self._listening: asyncio.Task | None = None
        self._failing: set[str] = set()  # of "sending" and "listening"; each failure is logged once

    def send(self, group: str, message: dict[str, Any]) -> None:
        """Sends a message to the other processes soon. Never raises for a server that is away."""
        self.waiting.append(json.dumps({"from": self.id, "group": group, "message": message}))
        if self.sending is None:
            self.sending = asyncio.create_task(self._send_waiting())

    def listen(self) -> None:
        """Delivers from now on what other processes send."""
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen_forever())

    async def close(self) -> None:
        """Waits for what is being sent, at most as long as a command may take."""
        if self.sending:
            await asyncio.wait([self.sending], timeout=TIMEOUT)
        for task in filter(None, [self.sending, self._listening]):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.redis.aclose()

    async def _send_waiting(self) -> None:
        try:
            while self.waiting:
                messages = list(self.waiting)
                self.waiting.clear()
                await self._publish(messages)
            self._note_success("sending")
        except Exception as error:
            self._note_failure("sending", error)
            self.waiting.clear()  # not to be sent hours later, with the next message
        finally:
            self.sending = None

    async def _publish(self, messages: list[str]) -> None:
        async with self.redis.pipeline(transaction=False) as pipeline:
            for message in messages:
                pipeline.publish(self.channel, message)
            await pipeline.execute()

    async def _listen_forever(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:
                self._note_failure("listening", error)
                await asyncio.sleep(RETRY_DELAY)

    async def _listen(self) -> None:
        async with self.redis.pubsub() as subscription:
            await subscription.subscribe(self.channel)
            async for message in subscription.listen():
                if message["type"] == "subscribe":
                    self._note_success("listening")
                else:
                    await self._deliver(message["data"])

    async def _deliver(self, data: bytes) -> None:
        sent = json.loads(data)
        if sent["from"] != self.id:
            await self.deliver(sent["group"], sent["message"])

    def _note_failure(self, kind: str, error: Exception) -> None:
        if kind not in self._failing:
            logger.warning("Redis fails at %s, so %s: %s", kind, CONSEQUENCES[kind], error)
        self._failing.add(kind)

    def _note_success(self, kind: str) -> None:
        if kind in self._failing:
            logger.info("Redis works again at %s", kind)
            self._failing.discard(kind)
