"""Recognizes a file by its content and reads its text: the task `extract` of a worker process."""

from types import ModuleType
from typing import Any

from ..worker_process import TaskRefused
from . import docx, html, mail, open_document, pdf, pptx, rtf, sheets, text
from .base import Full, SourceFile, TextWriter
from .package import is_package

# The first that accepts the file reads it. Each has `accepts(file)`, `read(file, writer)`, and the EXTENSIONS that the
# names of such files have.
READERS = (pdf, docx, sheets, pptx, open_document, rtf, html, mail, text)
PICTURES = {"png", "jpg", "jpeg", "gif", "webp"}


def run(
    source: str, target: str, file_name: str, max_characters: int, max_units: int, cpu_seconds: float
) -> dict[str, Any]:
    """Writes the text of the file `source` to `target`: a line of JSON for each unit, {"label", "text"}.

    Returns {"media_type", "unit", "count", "notes"}. Raises TaskRefused. `file_name` is what the user calls the file.
    """
    file = SourceFile(source, file_name)
    reader = _reader_of(file)
    with open(target, "w", encoding="utf-8") as output:
        writer = TextWriter(output, max_characters, max_units, cpu_seconds)
        try:
            reader.read(file, writer)
        except Full:
            writer.note(f"truncated:{writer.written}")
        except (RecursionError, UnicodeError, KeyError, IndexError) as error:  # of libraries, for damaged files
            raise TaskRefused("file_damaged") from error
    if _has_name_of_another_kind(file, reader):
        writer.note("name_differs")
    if not writer.characters and reader is not pdf:
        writer.note("no_text")
    return {"media_type": writer.media_type, "unit": writer.unit, "count": writer.count, "notes": writer.notes}


def _reader_of(file: SourceFile) -> ModuleType:
    if not file.head:
        raise TaskRefused("file_empty")
    if sheets.is_encrypted_package(file):
        raise TaskRefused("file_encrypted")
    reader = next(reader for reader in READERS if reader.accepts(file))
    if reader is text and is_package(file):
        is_office = any(file.extension in reader.EXTENSIONS for reader in (docx, sheets, pptx, open_document))
        raise TaskRefused("file_damaged" if is_office else "file_type_unknown")
    if reader is text and file.head.startswith(sheets.OLE):
        raise TaskRefused(sheets.kind_of_old_file(file))
    return reader


def _has_name_of_another_kind(file: SourceFile, reader: ModuleType) -> bool:
    others = {extension for other in READERS if other is not reader for extension in other.EXTENSIONS}
    return file.extension in (others | PICTURES) - reader.EXTENSIONS
