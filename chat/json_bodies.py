"""JSON that users send. Large bodies are read in a thread, one at a time for each user, while others' streams go on."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext

from .errors import Refused
from .executors import database_executor
from .json_limits import JsonTooLarge, check_json
from .per_loop import PerLoop
from .slots import Slots

LARGE_LENGTH = 65_536  # bytes or characters; fewer take 10 ms at worst
# Of a large body; a message has some dozens. Python parses a million of them in 0.4 s, and lets no other thread run.
MAX_VALUES = 10_000
WAIT_TIMEOUT = 30  # seconds

_lines = PerLoop(lambda: Slots(100, 1, max_waiting=1_000, max_waiting_per_key=20, wait_timeout=WAIT_TIMEOUT))
_thread = database_executor("json")  # of low priority, like those


def is_large(content: bytes | str) -> bool:
    return len(content) > LARGE_LENGTH


async def read_json(content: bytes | str, user_id: Any, loads: Callable[[Any], Any] = json.loads) -> Any:
    """Returns what a body or message of this user says; `loads` parses it.

    Raises ValueError or RecursionError if it is not JSON, and Refused if it has too many values or if too many bodies
    of the user wait.
    """
    if not is_large(content):
        return loads(content)
    async with _lines.get().hold(user_id):
        try:
            text = await _run(_decode, content)
        except JsonTooLarge:
            raise Refused(gettext("The request has too many values.")) from None
        return await _run(loads, text)


async def _run(function, *args):
    return await asyncio.get_running_loop().run_in_executor(_thread, function, *args)


def _decode(content: bytes | str) -> str:
    """Returns the text. Raises JsonTooLarge if it has too many values."""
    text = content.decode(json.detect_encoding(content)) if isinstance(content, bytes) else content
    check_json(text.encode(), MAX_VALUES)
    return text
