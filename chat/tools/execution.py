"""How a tool runs: in a thread or in the event loop, for a limited time, with a result of limited length."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from django.db import connections
from django.utils.translation import gettext, ngettext

from ..events import clean_text
from ..executors import DaemonPool
from ..redaction import redact
from .base import ToolError

TOOL_TIMEOUT = 30  # seconds for one call, waiting for a thread included; for one that reports progress, between reports
PROGRESS_TIMEOUT = 600  # seconds for one call that reports progress
CANCEL_TIMEOUT = 1  # seconds that a cancelled tool gets to close what it opened
MAX_THREADS = 16  # plain functions at a time in this process
MAX_THREADS_PER_USER = 4  # of them: tools of one user that hang leave the rest to the others
MAX_RESULT_LENGTH = 20_000  # characters, about five thousand tokens; the rest is cut
MAX_ERROR_LENGTH = 1_000  # characters
MAX_SECRET_LENGTH = 1_000  # characters that are read beyond a limit, so that a key that is cut there is recognized

T = TypeVar("T")

pool = DaemonPool("tool", MAX_THREADS, MAX_THREADS_PER_USER)
logger = logging.getLogger(__name__)


class Progress:
    """When a call of a tool last reported that it is working."""

    def __init__(self) -> None:
        self.began_at = self.reported_at = time.monotonic()

    async def report(self, progress: float, total: float | None, message: str | None) -> None:
        """Notes the time of a report. Called by the MCP client; what the report says is not shown."""
        self.reported_at = time.monotonic()

    def next_limit(self) -> tuple[float, float]:
        """Returns the seconds until the first limit is reached if nothing is reported, and that limit."""
        silence = self.reported_at + TOOL_TIMEOUT, TOOL_TIMEOUT
        whole = self.began_at + PROGRESS_TIMEOUT, PROGRESS_TIMEOUT
        end, limit = min(silence, whole)
        return end - time.monotonic(), limit


async def run_within_limits(name: str, call: Awaitable[Any], progress: Progress | None = None) -> str:
    """Returns the result of a tool's call as text of limited length; raises ToolError for any failure.

    The call has a task of its own, so that nothing a tool does to its task ends the run.
    """
    task = asyncio.ensure_future(call)
    progress = progress or Progress()
    try:
        left, limit = progress.next_limit()
        while left > 0 and not task.done():
            await asyncio.wait([task], timeout=left)
            left, limit = progress.next_limit()
    finally:
        timed_out = not task.done()
        if timed_out:
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_TIMEOUT)
    if timed_out:
        logger.warning("The tool “%s” took longer than %s seconds", name, limit)
        sentence = ngettext(
            "The tool “%(tool)s” took longer than %(seconds)s second.",
            "The tool “%(tool)s” took longer than %(seconds)s seconds.",
            1 if limit == 1 else 2,  # the limit may be a fraction, of which gettext knows no plural
        )
        raise ToolError(sentence % {"tool": name, "seconds": limit})
    try:
        return truncate(to_text(task.result()), MAX_RESULT_LENGTH)
    except ToolError as error:
        raise ToolError(truncate(str(error), MAX_ERROR_LENGTH)) from None
    except BaseException:  # the tool's own: neither this run nor the process is being stopped here
        logger.exception("The tool “%s” failed", name)
        raise ToolError(gettext("The tool “%(tool)s” failed.") % {"tool": name}) from None


def run_in_pool(call: Callable[[], T], user_id: int | None = None) -> Awaitable[T]:
    """Calls the function in a thread of the pool; awaiting the result waits for a free thread as well.

    `user_id` is whose share of the threads it takes; None: nobody's, for short work of the site itself.
    """
    return asyncio.wrap_future(pool.submit(partial(_call_and_close, call), user_id))


def _call_and_close(call: Callable[[], T]) -> T:
    try:
        return call()
    except StopIteration as error:
        raise RuntimeError("A future cannot carry a StopIteration") from error
    finally:
        connections.close_all()  # this thread's own, which nobody else would close


def to_text(result: Any) -> str:
    if isinstance(result, str):
        return result
    try:
        return json.dumps(result, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError):
        return str(result)


def truncate(text: str, limit: int) -> str:
    """Returns at most `limit` characters without keys, valid for every database, with a note of what is missing."""
    shown = redact(clean_text(text[: limit + MAX_SECRET_LENGTH]))[:limit]
    return shown if len(text) <= limit else f"{shown}\n[Truncated: the full text has {len(text):,} characters.]"
