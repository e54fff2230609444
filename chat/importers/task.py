"""Reads an export and writes what it holds in a form that is checked, ordered and quick to save."""

import io
import json
import time
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from .. import image_codec
from ..parts import attachment_id
from ..worker_process import TaskRefused
from . import chatgpt, claude, json_scan, open_webui, own
from .archive import open_export
from .base import IMAGE_CPU_TIME, MAX_REPORTS, Damaged, ImportedConversation, ImportedMessage, Source, parents_first
from .documents import DocumentReader

IMPORTERS = (own, claude, chatgpt, open_webui)
ROLES = ("user", "assistant")
MAX_MESSAGE_LENGTH = 2_100_000  # characters of its JSON; an answer has at most two million
MAX_CONVERSATION_LENGTH = 10_000_000  # the same of all messages
MAX_MESSAGES = 10_000  # in a conversation
MAX_TOTAL_MESSAGES = 500_000
MAX_NAMES = 5  # of files that are left out of one conversation, in its report
MAX_IMAGES = 1_000  # in an import
MAX_IMAGE_BYTES = 300_000_000  # of all of them, as they are stored


def run(source: str, folder: str, image_note: str, file_note: str = "") -> dict[str, Any]:
    """Reads the export `source` into the files `records` and `images` of `folder`; `image_note` stands for an image
    that is not in the file, `file_note` for a file.

    Returns {"count": of conversations, "left_out": a list of (title, code, number or names), "left_out_count"}. Raises
    TaskRefused if nothing can be read.
    """
    with ExitStack() as stack:
        archive = stack.enter_context(open_export(source, folder))
        records = stack.enter_context(Path(folder, "records").open("w", encoding="utf-8"))
        images = stack.enter_context(Path(folder, "images").open("wb"))
        documents = DocumentReader(folder)
        context = Source(image_note, file_note, archive.find_file, documents.read)
        writer = Writer(records, ImageWriter(images))
        for name in archive.damaged:
            writer.report(name, "damaged_zip")
        refusals = []
        for name, path in archive.json_paths.items():
            try:
                with json_scan.map_file(path) as data:
                    _read_file(data, context, documents, writer)
            except TaskRefused as refusal:
                refusals.append(refusal)
                writer.report(name, refusal.code)
        if not writer.count and len(refusals) == len(archive.json_paths):
            raise refusals[0]
    if not writer.count and writer.reports:
        raise TaskRefused(writer.reports[0][1])
    return {
        "count": writer.count,
        "left_out": writer.reports[:MAX_REPORTS],
        "left_out_count": len(writer.reports),
    }


def _read_file(data: Any, source: Source, documents: DocumentReader, writer: "Writer") -> None:
    found = json_scan.scan(data)
    importer = next((module for module in IMPORTERS if module.accepts(found.head, data)), None)
    if importer is None:
        raise TaskRefused("unknown_format")
    for span in found.spans:
        title = ""
        documents.begin_conversation()
        try:
            row = json_scan.parse(data, span)
            title = _title(row)
            writer.write(importer.read_conversation(row, source))
        except Damaged as damage:
            writer.report(title, damage.code)
        except MemoryError:
            writer.report(title, "too_large")
        except Exception:  # a value of another type than expected, at any place
            writer.report(title, "damaged")
        row = None  # before the next one takes as much
    if found.has_others:
        writer.report("", "damaged")
    if found.is_cut:
        writer.report("", "cut")


def _title(row: Any) -> str:
    title = row.get("title")
    return title[:200].encode("utf-8", "replace").decode() if isinstance(title, str) else ""


class Writer:
    """Writes whole conversations, and remembers what was left out."""

    def __init__(self, records: IO[str], images: "ImageWriter") -> None:
        self.count = 0
        self.reports: list[tuple[str, str, int | str]] = []
        self._message_count = 0
        self._records = records
        self._images = images

    def report(self, title: str, code: str, number: int | str = 1) -> None:
        self.reports.append((title, code, number))

    def write(self, conversation: ImportedConversation) -> None:
        """Raises Damaged or MemoryError before anything of the conversation is written."""
        if len(conversation.messages) > MAX_MESSAGES:
            raise Damaged("too_many_messages")
        if self._message_count + len(conversation.messages) > MAX_TOTAL_MESSAGES:
            raise Damaged("limit_reached")
        if any(message.role not in ROLES for message in conversation.messages):
            raise Damaged("unknown_role")
        messages = parents_first(conversation.messages)
        lost = self._images.convert(conversation)
        if lost and not any(message.parts for message in messages):
            raise Damaged
        lines = [_conversation_line(conversation, len(messages)), *map(_message_line, messages)]
        if sum(map(len, lines)) > MAX_CONVERSATION_LENGTH:
            raise MemoryError
        self._records.writelines(lines)
        self._message_count += len(messages)
        self.count += 1
        if lost:
            self.report(conversation.title, "images", lost)
        if names := list(dict.fromkeys(conversation.missing_files)):
            shown = ", ".join(names[:MAX_NAMES]) + (", …" if len(names) > MAX_NAMES else "")
            self.report(conversation.title, "files", shown)


def _conversation_line(conversation: ImportedConversation, message_count: int) -> str:
    names = ("id", "title", "leaf_id", "assistant")
    times = ("created_at", "updated_at", "pinned_at", "archived_at")
    record = {name: getattr(conversation, name) for name in names}
    record |= {name: time and time.isoformat() for name in times for time in [getattr(conversation, name)]}
    return _line({**record, "message_count": message_count})


def _message_line(message: ImportedMessage) -> str:
    names = ("id", "parent_id", "role", "parts", "feedback")
    record = {name: getattr(message, name) for name in names}
    line = _line({**record, "created_at": message.created_at.isoformat()})
    if len(line) > MAX_MESSAGE_LENGTH:
        raise Damaged("message_too_long")
    return line


def _line(record: dict[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


class ImageWriter:
    """Converts images as for an upload, within the bounds of one import."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._count = 0
        self._cpu_time = 0.0  # seconds

    def convert(self, conversation: ImportedConversation) -> int:
        """Replaces image parts by {"attachment": where the image is, and its fields}; removes those without an image.

        Returns how many images could not be read. An image that the file does not have was deleted before the export.
        """
        converted: dict[str, dict[str, Any] | None] = {}
        for message in conversation.messages:
            parts = []
            for part in message.parts:
                id = attachment_id(part)
                if id is None:
                    parts.append(part)
                elif id in conversation.images:
                    if id not in converted:
                        converted[id] = self._convert(conversation.images[id])
                    if converted[id]:
                        parts.append({"attachment": converted[id]})
            message.parts = parts
        return sum(image is None for image in converted.values())

    def _convert(self, read: Any) -> dict[str, Any] | None:
        offset = self._file.tell()
        self._count += 1
        if self._count > MAX_IMAGES or offset > MAX_IMAGE_BYTES or self._cpu_time > IMAGE_CPU_TIME:
            return None
        output = io.BytesIO()
        start = time.process_time()
        try:
            fields = image_codec.reduce(io.BytesIO(read()), output)
        except Exception:  # also MemoryError: this image is too large, the next one may not be
            return None
        finally:
            self._cpu_time += time.process_time() - start
        self._file.write(output.getbuffer())
        return {"offset": offset, "size": output.tell(), **fields}
