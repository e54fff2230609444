"""Imports the conversations of an export: a worker process reads the file, a thread of its own saves what was read."""

import json
from collections.abc import Callable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..executors import DatabaseThread
from ..importers.base import MAX_REPORTS
from ..models import Refused
from ..per_loop import PerLoop
from ..slots import Slots
from ..workers import Pool, Task, TaskFailed, path_of
from .save import Importer

READ_TIMEOUT = 300  # seconds
MAX_WAITING = 10  # one import of each user, so that one who imports all day delays nobody for long
WAIT_TIMEOUT = 60  # seconds
RETRY_DELAY = 5  # seconds

REFUSALS = {  # of a whole file: code of the task -> code of the answer, sentence
    "not_json": ("unknown_format", _("This file is not valid JSON.")),
    "unknown_format": ("unknown_format", _("This is not an export from this site, ChatGPT, Claude or Open WebUI.")),
    "no_conversations": ("unknown_format", _("The zip file has no conversations.json.")),
    "damaged_zip": ("damaged", _("This zip file is damaged.")),
    "encrypted_zip": ("unknown_format", _("This zip file is protected by a password.")),
    "too_large": ("too_large", _("This file is too large to import.")),
    "too_many_conversations": ("too_large", _("This file has more conversations than can be imported at once.")),
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

pool = Pool("imports", settings.IMPORT_WORKERS)
slots = PerLoop(lambda: Slots(settings.IMPORT_WORKERS, 1, max_waiting=MAX_WAITING, wait_timeout=WAIT_TIMEOUT))


async def import_file(user: Any, file: Any, should_stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    """Imports what can be read of an export of a known format: an UploadedFile, or any file in binary mode.

    Each conversation is saved whole or not at all, and none twice: whoever imports the same file again goes on where an
    earlier attempt ended. Returns the fields of `Imported`. Raises Refused if nothing can be read, and with 503 as soon
    as `should_stop()` is true.
    """
    async with slots.get().hold(user.pk):
        with TemporaryDirectory(prefix="import-", dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
            try:
                report = await pool.run(_read, file, folder, "({})".format(gettext("an image")))
            except TaskFailed as failure:
                raise refusal(failure.code) from None
            importer = await _save(user, folder, should_stop)
    left_out = [{"title": title, "reason": _reason(code, number)} for title, code, number in report["left_out"]]
    return {
        **importer.counts,
        "left_out": (left_out + importer.left_out)[:MAX_REPORTS],
        "left_out_count": report["left_out_count"] + len(importer.left_out),
    }


def _read(task: Task, file: Any, folder: str, image_note: str) -> dict[str, Any]:
    with path_of(file) as source:
        return task("import", READ_TIMEOUT, source=source, folder=folder, image_note=image_note)


async def _save(user: Any, folder: str, should_stop: Callable[[], bool]) -> Importer:
    importer = Importer(user, Path(folder, "images"))
    conversations = read_records(Path(folder, "records"))
    thread = DatabaseThread("import")
    try:
        while conversation := await thread.run(next, conversations, None):
            await thread.run(importer.save, conversation)
            if should_stop():
                sentence = gettext("The server is restarting. Import the file again in a moment.")
                raise Refused(sentence, "restarting", 503, retry_after=RETRY_DELAY)
    finally:
        await thread.run(conversations.close)
        await thread.close()  # which waits for what it is doing, also if the client has gone
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


def _reason(code: str, number: int) -> str:
    if code == "images":
        return gettext("Images that could not be read: %(number)s") % {"number": number}
    return str(REASONS.get(code) or REFUSALS.get(code, ("", REASONS["damaged"]))[1])
