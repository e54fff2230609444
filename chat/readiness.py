"""What a new request would meet in this process: the database, disks, the queue, a shutdown.

The checks are shared: however many ask, they run once in CHECK_INTERVAL, in a thread and on a connection of their own.
"""

import asyncio
import logging
import os
import shutil
import tempfile
import uuid
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from . import engine
from .executors import DaemonPool
from .models import ServerProcess
from .outages import outage
from .per_loop import PerLoop

CHECK_INTERVAL = 1  # seconds that an answer is shared
DATABASE_TIMEOUT = 3  # seconds until a database that does not answer counts as down
LOCK_TIMEOUT = 1  # seconds that the test write waits for SQLite's lock; it must not queue before the writes of users

logger = logging.getLogger(__name__)
# One thread: while the database does not answer, no further one waits for it.
_threads = DaemonPool("readiness", 1)


class Readiness:
    """The checks of one event loop and their last answer."""

    def __init__(self) -> None:
        self._task: asyncio.Task[dict[str, str]] | None = None
        self._checked_at = 0.0
        self._write: asyncio.Future[str | None] | None = None

    async def problems(self) -> dict[str, str]:
        """Returns what is down and why, in one line for the operator; an empty dict if all is well."""
        if self._task is None or (self._task.done() and self._is_old()):
            self._task = asyncio.get_running_loop().create_task(self._check())
        return await asyncio.shield(self._task)

    def _is_old(self) -> bool:
        return asyncio.get_running_loop().time() - self._checked_at >= CHECK_INTERVAL

    async def _check(self) -> dict[str, str]:
        reasons = {
            "shutdown": _shutdown_problem(),
            "queue": _queue_problem(),
            "database": await self._database_problem(),
            "disk": _disk_problem(),
        }
        self._checked_at = asyncio.get_running_loop().time()
        return {name: reason for name, reason in reasons.items() if reason}

    async def _database_problem(self) -> str | None:
        """Waits for the test write under way, or starts one."""
        if self._write is None or self._write.done():
            self._write = asyncio.wrap_future(_threads.submit(_write_problem))
        try:
            async with asyncio.timeout(DATABASE_TIMEOUT):
                return await asyncio.shield(self._write)
        except TimeoutError:
            return f"no answer within {DATABASE_TIMEOUT} s"


_readiness = PerLoop(Readiness)


async def problems() -> dict[str, str]:
    return await _readiness.get().problems()


def _shutdown_problem() -> str | None:
    return "the process is shutting down" if engine.current().is_shutting_down else None


def _queue_problem() -> str | None:
    """A queue as long as what runs means that a new run would wait for a whole turn of all others."""
    waiting = engine.current().dispatch.waiting_count
    if waiting < settings.MAX_RUNS:
        return None
    return f"runs waiting for a slot: {waiting} (MAX_RUNS={settings.MAX_RUNS})"


def _disk_problem() -> str | None:
    """Looks where the database and spooled uploads are. A disk that cannot be asked is reported, too."""
    for use, folder in _folders().items():
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            return f"the folder of {use} cannot be read: {error.strerror}"
        if free < settings.MIN_FREE_DISK_BYTES:
            return f"the disk of {use} has {free} bytes left, and MIN_FREE_DISK_BYTES is {settings.MIN_FREE_DISK_BYTES}"
    return None


def _folders() -> dict[str, Path]:
    folders = {"uploads": Path(settings.FILE_UPLOAD_TEMP_DIR or tempfile.gettempdir())}
    if connection.vendor == "sqlite":
        folders["the database"] = Path(connection.settings_dict["NAME"]).resolve().parent
    return folders


def _write_problem() -> str | None:
    """Writes a row and deletes it, in one committed transaction: a rollback would not find a full disk. Sync."""
    try:
        if connection.vendor == "sqlite":
            path = connection.settings_dict["NAME"]
            if not os.path.exists(path):  # connecting would make an empty one
                return "the file of the database does not exist"
            with connection.cursor() as cursor:
                cursor.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT * 1000}")
        with transaction.atomic():
            row = ServerProcess.objects.create(pk=uuid.uuid4())
            row.delete()
        return None
    except Exception as error:
        logger.warning("The database refuses a test write", exc_info=error)
        found = outage(error)
        return found.reason if found else "the database refuses to write"  # the rest is in the log: anyone may ask here
    finally:
        connection.close()  # the thread ends here
