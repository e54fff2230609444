"""Uploaded files: their text is read in a worker process, then file and text are stored.

The content decides what a file is (`chat.extraction`). Images are `chat.images`.
"""

import json
import re
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

from asgiref.sync import sync_to_async
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from . import images
from .errors import Refused
from .events import clean_text
from .models import Attachment
from .upload_slots import upload_slots
from .workers import Pool, Task, TaskFailed, path_of

CPU_SECONDS = 10  # that reading one file may take
TIMEOUT = 60  # seconds: a worker has a low priority, and others may keep the cores busy
MAX_UNITS = 10_000
WAIT_TIMEOUT = 120  # seconds
MAX_NAME_LENGTH = 200
NOTE = re.compile(r"[a-z_]{1,40}(:[\w.-]{1,40})?")
UNITS = ("page", "sheet", "slide", "message")
IMAGE_STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")

REFUSALS = {
    "file_empty": (_("This file is empty."), 422),
    "file_encrypted": (_("This file is protected by a password. Save it without one, then add it again."), 422),
    "file_damaged": (_("This file is damaged and cannot be read."), 422),
    "file_too_large": (_("This file has too much content. Split it into smaller files."), 413),
    "file_too_slow": (_("Reading this file took too long. Split it into smaller files."), 422),
    "file_type_old": (_("This file is in an old Office format. Save it as .docx or .pptx, then add it again."), 415),
    "file_type_outlook": (_("Outlook messages cannot be read. Save this one as .eml or text, then add it again."), 415),
    "file_type_unknown": (
        _("Files of this type cannot be read. Use PDF, Word, Excel, PowerPoint, RTF, text, HTML, email or images."),
        415,
    ),
}
CODES = {"too_slow": "file_too_slow", "too_large": "file_too_large"}  # of the worker process itself

pool = Pool("files", settings.FILE_WORKERS)
slots = upload_slots(settings.FILE_WORKERS, WAIT_TIMEOUT)


def is_image(file: BinaryIO) -> bool:
    """Returns whether the file begins as the images do that `chat.images` reads."""
    file.seek(0)
    start = file.read(12)
    file.seek(0)
    return start.startswith(IMAGE_STARTS) or (start.startswith(b"RIFF") and start.endswith(b"WEBP"))


async def save(owner: Any, file: Any) -> Attachment:
    """Creates an Attachment from an UploadedFile: an image, or a file whose text can be read. Raises Refused."""
    if is_image(file):
        if file.size > settings.MAX_IMAGE_BYTES:
            raise Refused(gettext("This image is too large. Use a smaller one."), "too_large", 413)
        return await images.save(owner, file)
    if file.size > settings.MAX_FILE_BYTES:
        sentence = gettext("This file is too large. At most %(megabytes)s MB are allowed.")
        raise Refused(sentence % {"megabytes": f"{settings.MAX_FILE_BYTES / 1e6:g}"}, "file_too_large", 413)
    await images.refuse_too_many_unsent(owner)
    name = clean_name(file.name)
    fields = await extract(owner.pk, file, name)
    file.seek(0)
    return await sync_to_async(Attachment.objects.save_file)(owner.pk, file, name=name, size=file.size, **fields)


def clean_name(name: str | None) -> str:
    """Returns the last part of a path, without invisible characters. Of a long name, the end is kept as well."""
    last = re.split(r"[/\\]", clean_text(name or ""))[-1]
    visible = "".join(character for character in last if character.isprintable()).strip()
    return visible if len(visible) <= MAX_NAME_LENGTH else visible[: MAX_NAME_LENGTH - 21] + "…" + visible[-20:]


async def extract(owner_id: Any, file: Any, name: str) -> dict[str, Any]:
    """Returns the fields of a StoredFile that are read from the content of this file. Raises Refused."""
    async with slots.get().hold(owner_id):
        try:
            return await pool.run(_extract, file, name)
        except TaskFailed as failure:
            raise refusal(failure.code) from None


def _extract(task: Task, file: Any, name: str) -> dict[str, Any]:
    with path_of(file) as source, NamedTemporaryFile(prefix="text-", dir=settings.FILE_UPLOAD_TEMP_DIR) as target:
        limits = {"max_characters": settings.MAX_FILE_CHARACTERS, "max_units": MAX_UNITS, "cpu_seconds": CPU_SECONDS}
        result = task("extract", TIMEOUT, source=source, target=target.name, file_name=name, **limits)
        with open(target.name, encoding="utf-8", errors="replace") as lines:
            return read_result(result, lines)


def read_result(result: dict[str, Any], lines: Any) -> dict[str, Any]:
    """Returns the checked fields: the process that read the file is not trusted."""
    units = [{name: clean_text(str(json.loads(line)[name])) for name in ("label", "text")} for line in lines]
    return {
        "media_type": clean_text(str(result["media_type"]))[:100],
        "unit": result["unit"] if result["unit"] in UNITS else None,
        "count": result["count"] if type(result["count"]) is int else None,
        "characters": sum(len(unit["text"]) for unit in units),
        "notes": [note for note in result["notes"] if NOTE.fullmatch(note)],
        "units": units,
    }


def refusal(code: str) -> Refused:
    """Returns the Refused for a file that could not be read; `code` is that of the TaskFailed."""
    code = CODES.get(code, code)
    if code not in REFUSALS:
        code = "file_damaged"  # it crashed the library that reads it
    sentence, status = REFUSALS[code]
    return Refused(str(sentence), code, status)
