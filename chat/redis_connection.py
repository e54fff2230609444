"""Connections to the Redis or Valkey server that the processes of a site share: `REDIS_URL`.

Whoever uses one is told at once that the server is away, and decides itself when to try again.
"""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

TIMEOUT = 1  # seconds for a command, or to connect
MAX_CONNECTIONS = 4


def connect(url: str, name: str) -> Redis:
    """Returns a client that connects when it is used; `name` is shown by the server's CLIENT LIST."""
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT,
        socket_connect_timeout=TIMEOUT,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
        max_connections=MAX_CONNECTIONS,
        client_name=name,
        protocol=2,
    )
