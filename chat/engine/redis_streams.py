"""The relay's transport over Redis or Valkey: a stream for each run, whose entries have the id ATTEMPT-LAST.

Ids only grow, so the server itself refuses what a former owner of the run sends, and what is sent a second time after
a failure whose outcome is unknown. A stream has only the newest entries, and expires when nothing is written.
"""

import uuid
from collections.abc import Sequence
from typing import Any

from ..redis_connection import connect
from .relay import Entry, Position

KEPT_ENTRIES = 100  # of a run, and up to as many again; two seconds of a fast model
KEPT_SECONDS = 60  # after the last entry
MAX_ENTRIES_PER_READ = 200  # of a run

PREFIX = "chat:run:"
DATA, FIRST = b"data", b"first"
WRITE = """
for number, key in ipairs(KEYS) do
  local at = 3 + (number - 1) * 3
  local added = redis.pcall(
    'XADD', key, 'MAXLEN', '~', ARGV[1], ARGV[at], 'first', ARGV[at + 1], 'data', ARGV[at + 2]
  )
  if type(added) == 'string' then
    redis.call('EXPIRE', key, ARGV[2])
  elseif not string.find(added.err, 'equal or smaller', 1, true) then
    return added
  end
end
"""


class RedisStreams:
    """A `Transport`. Makes its connections when they are needed."""

    def __init__(self, url: str) -> None:
        self.redis = connect(url, "chat-relay")
        self._write = self.redis.register_script(WRITE)

    async def write(self, entries: Sequence[Entry]) -> None:
        args: list[str | int] = [KEPT_ENTRIES, KEPT_SECONDS]
        for entry in entries:
            args += (f"{entry.attempt}-{entry.last}", entry.first, entry.data)
        await self._write(keys=[_key(entry.run_id) for entry in entries], args=args)

    async def read(self, positions: Sequence[Position]) -> Sequence[Entry]:
        run_ids = {_key(run_id).encode(): run_id for run_id, _, _ in positions}
        streams: Any = {_key(run_id): f"{attempt}-{seq}" for run_id, attempt, seq in positions}
        found: Any = await self.redis.xread(streams, count=MAX_ENTRIES_PER_READ)
        return [_entry(run_ids[key], id, fields) for key, rows in found for id, fields in rows]

    async def close(self) -> None:
        await self.redis.aclose()


def _key(run_id: uuid.UUID) -> str:
    return f"{PREFIX}{run_id.hex}"


def _entry(run_id: uuid.UUID, id: bytes, fields: dict[bytes, bytes]) -> Entry:
    attempt, last = id.split(b"-")
    return Entry(run_id, int(attempt), int(fields[FIRST]), int(last), fields[DATA].decode())
