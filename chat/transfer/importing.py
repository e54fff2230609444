"""Imports the conversations of an export: a worker process reads the file, a thread of its own saves what was read."""

import asyncio
import json
import logging
import shutil
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..errors import Refused
from ..executors import DatabaseThread
from ..importers.base import FILE_TIME, IMAGE_CPU_TIME, MAX_REPORTS
from ..models import Import
from ..models.imports import BEAT_INTERVAL
from ..outages import DATABASE_ERRORS
from ..per_loop import PerLoop
from ..slots import Slots
from ..workers import Pool, Task, TaskFailed
from .save import Importer, grouped, image_reader

READ_TIMEOUT = 300 + IMAGE_CPU_TIME + FILE_TIME  # seconds: for the conversations, their images and their files
MAX_WAITING = 10  # one import of each user, so that one who imports all day delays nobody for long
WAIT_TIMEOUT = 600  # seconds
RETRY_DELAY = 5  # seconds
REPORT_INTERVAL = 0.5  # seconds between two reports of how many conversations are saved

REFUSALS = {  # of a whole file: code of the task -> code of the answer, sentence
    "not_json": ("unknown_format", _("This file is not valid JSON.")),
    "unknown_format": ("unknown_format", _("This is not an export from this site, ChatGPT, Claude or Open WebUI.")),
    "no_conversations": ("unknown_format", _("The zip file has no conversations.json.")),
    "damaged_zip": ("damaged", _("This zip file is damaged.")),
    "encrypted_zip": ("unknown_format", _("This zip file is protected by a password.")),
    "too_large": ("too_large", _("This file is too large to import.")),
    "too_many_conversations": ("too_large", _("This file has more chats than can be imported at once.")),
    "too_slow": ("too_large", _("Reading this file took too long.")),
    "crashed": ("damaged", _("This file cannot be read.")),
}
REASONS = {  # of one conversation
    "damaged": _("It cannot be read."),
    "damaged_zip": _("It cannot be unpacked."),
    "unknown_format": _("It has an unknown format."),
    "not_json": _("It is not valid JSON."),
    "cut": _("The file ends too early."),
    "too_large": _("It is too large."),
    "message_too_long": _("One of its messages is too long."),
    "too_many_messages": _("It has too many messages."),
    "limit_reached": _("This file has more messages than can be imported at once."),
    "unknown_role": _("One of its messages has an unknown role."),
    "repeated_ids": _("Two of its messages have the same ID."),
    "no_tree": _("Its messages do not form a tree."),
}

logger = logging.getLogger(__name__)
background: set[asyncio.Task[Any]] = set()  # the event loop itself keeps no strong references
pool = Pool("imports", settings.IMPORT_WORKERS)
slots = PerLoop(lambda: Slots(settings.IMPORT_WORKERS, 1, max_waiting=MAX_WAITING, wait_timeout=WAIT_TIMEOUT))


async def import_in_background(user: Any, file: Any, should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Imports as `import_file` does, and goes on when the caller is cancelled because the client has gone.

    Meanwhile and afterwards, the user's `Import` says how far it is and what came of it.
    """
    task = asyncio.create_task(import_file(user, file, should_stop))
    background.add(task)
    task.add_done_callback(_forget)
    return await asyncio.shield(task)


def _forget(task: asyncio.Task[Any]) -> None:
    background.discard(task)
    if not task.cancelled() and (error := task.exception()) and not isinstance(error, Refused):
        logger.error("An import failed", exc_info=error)


async def import_file(user: Any, file: Any, should_stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Imports what can be read of an export of a known format: an UploadedFile, or any file in binary mode.

    Each conversation is saved whole or not at all, and none twice: whoever imports the same file again goes on where an
    earlier attempt ended. Returns the fields of `Imported`. Raises Refused if nothing can be read, and with 503 as soon
    as `should_stop()` is true.
    """
    name = getattr(file, "name", None) or ""
    thread = DatabaseThread("import")
    row: Import | None = None

    def begin(state: str) -> Import:  # in the thread, which completes this even if the caller is cancelled meanwhile
        nonlocal row
        row = Import.begin(user, name, state)
        return row

    def fail(problem: str) -> None:
        if row and row.state != Import.State.FINISHED:
            row.change(state=Import.State.FAILED, problem=problem)

    try:
        with _temporary_folder() as folder:
            await asyncio.to_thread(_keep, file, Path(folder, "source"))
            on_wait = partial(thread.run, begin, Import.State.WAITING)
            async with _beating(lambda: row), slots.get().hold(user.pk, on_wait=on_wait):
                current = await thread.run(begin, Import.State.READING)
                return await _import(user, folder, current, thread, should_stop)
    except BaseException as error:
        problem = error.message if isinstance(error, Refused) else gettext("The import failed.")
        await thread.run(fail, str(problem))
        raise
    finally:
        await thread.close()  # which waits for what it is doing


@contextmanager
def _temporary_folder() -> Iterator[str]:
    """A folder for the block. That it cannot be removed changes nothing about what was imported."""
    folder = TemporaryDirectory(prefix="import-", dir=settings.FILE_UPLOAD_TEMP_DIR)
    try:
        yield folder.name
    finally:
        try:
            folder.cleanup()
        except OSError as error:
            logger.warning("The temporary folder of an import could not be removed: %s", error)


@asynccontextmanager
async def _beating(row: Callable[[], Import | None]) -> AsyncIterator[None]:
    """Lets the row say that this process lives while the block runs. In a thread of its own: saving may take long."""
    thread = DatabaseThread("import-beat")

    async def beat() -> None:
        while True:
            await asyncio.sleep(BEAT_INTERVAL)
            if current := row():
                with suppress(*DATABASE_ERRORS):  # it may be away for a moment; the next beat tries again
                    await thread.run(current.change)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await thread.close()


def _keep(file: Any, path: Path) -> None:
    """Keeps the file under this path: the request that brought it may end before the import."""
    try:
        path.hardlink_to(file.temporary_file_path())
    except (AttributeError, OSError):
        with path.open("wb") as kept:
            shutil.copyfileobj(file, kept)


async def _import(
    user: Any, folder: str, row: Import, thread: DatabaseThread, should_stop: Callable[[], bool]
) -> dict[str, Any]:
    notes = {"image_note": "({})".format(gettext("an image")), "file_note": gettext("(This file was not imported.)")}
    try:
        report = await pool.run(_read, folder, notes)
    except TaskFailed as failure:
        raise refusal(failure.code) from None
    await thread.run(row.change, state=Import.State.SAVING, total=report["count"])
    importer = await _save(user, folder, row, thread, should_stop)
    left_out = [{"title": title, "reason": _reason(code, number)} for title, code, number in report["left_out"]]
    result = {
        **importer.counts,
        "left_out": (left_out + importer.left_out)[:MAX_REPORTS],
        "left_out_count": report["left_out_count"] + len(importer.left_out),
    }
    await thread.run(row.change, state=Import.State.FINISHED, done=report["count"], result=result)
    return result


def _read(task: Task, folder: str, notes: dict[str, str]) -> dict[str, Any]:
    return task("import", READ_TIMEOUT, source=str(Path(folder, "source")), folder=folder, **notes)


async def _save(
    user: Any, folder: str, row: Import, thread: DatabaseThread, should_stop: Callable[[], bool]
) -> Importer:
    importer = Importer(user, image_reader(Path(folder, "images")))
    conversations = read_records(Path(folder, "records"))
    groups = grouped(conversations)
    done, next_report = 0, 0.0
    try:
        while group := await thread.run(next, groups, None):
            await thread.run(importer.save_group, group)
            done += len(group)
            if time.monotonic() >= next_report:
                await thread.run(row.change, done=done)
                next_report = time.monotonic() + REPORT_INTERVAL
            if should_stop():
                sentence = gettext("The server is restarting. Import the file again in a moment.")
                raise Refused(sentence, "restarting", 503, retry_after=RETRY_DELAY)
    finally:
        await thread.run(conversations.close)
    return importer


def read_records(path: Path) -> Generator[dict[str, Any], None, None]:
    """Yields one conversation after the other, with its messages, each after its parent."""
    with path.open(encoding="utf-8") as records:
        for line in records:
            conversation = json.loads(line)
            conversation["messages"] = [json.loads(next(records)) for _ in range(conversation["message_count"])]
            yield conversation


def refusal(code: str) -> Refused:
    """Returns the Refused for a file that cannot be read; `code` is that of the TaskFailed."""
    if code in REFUSALS:
        answer_code, translated = REFUSALS[code]
        return Refused(str(translated), answer_code, 413 if answer_code == "too_large" else 400)
    sentence = gettext("Nothing in this file can be imported. %(reason)s")
    return Refused(sentence % {"reason": REASONS.get(code, REASONS["damaged"])}, "damaged")


def _reason(code: str, number: int | str) -> str:
    if code == "images":
        return gettext("Images that could not be read: %(number)s") % {"number": number}
    if code == "files":
        return gettext("Files that were not imported: %(names)s") % {"names": number}
    return str(REASONS.get(code) or REFUSALS.get(code, ("", REASONS["damaged"]))[1])
