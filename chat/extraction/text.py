"""Plain text, Markdown, source code, and tables as CSV and TSV."""

import csv
import io
import itertools
from collections.abc import Iterator

from ..worker_process import TaskRefused
from .base import SourceFile, TextWriter
from .encodings import NotText, decode
from .tables import markdown_table

MEDIA_TYPES = {"md": "text/markdown", "markdown": "text/markdown", "json": "application/json", "xml": "application/xml"}
TABLES = {"csv": "text/csv", "tsv": "text/tab-separated-values", "tab": "text/tab-separated-values"}
DELIMITERS = ",;\t"
SAMPLE_LINES = 10
EXTENSIONS = {"txt", "log", *MEDIA_TYPES, *TABLES}
MAX_CELL_LENGTH = 1_000_000
csv.field_size_limit(MAX_CELL_LENGTH)


def accepts(file: SourceFile) -> bool:
    return True


def read(file: SourceFile, writer: TextWriter) -> None:
    text = read_text(file, writer)
    if file.extension in TABLES and (table := _table(text, file.extension)):
        writer.begin(TABLES[file.extension])
        writer.add("", table)
        return
    writer.begin(MEDIA_TYPES.get(file.extension, "text/plain"))
    writer.add("", text)


def read_text(file: SourceFile, writer: TextWriter) -> str:
    """Returns the decoded content, with "\\n" at the ends of lines; notes an encoding that is not UTF-8."""
    try:
        text, encoding = decode(file.read())
    except NotText as error:
        raise TaskRefused("file_type_unknown") from error
    if encoding != "utf-8":
        writer.note(f"encoding:{encoding}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _table(text: str, extension: str) -> str | None:
    """Returns CSV as a Markdown table; None if it is none, or of one column."""
    delimiters = "\t" if "\t" in text and extension != "csv" else DELIMITERS
    delimiter = max(delimiters, key=lambda delimiter: _evenness(text, delimiter))
    if not _evenness(text, delimiter):
        return None
    try:
        return markdown_table(_rows(text, delimiter))
    except csv.Error:
        return None


def _evenness(text: str, delimiter: str) -> int:
    """Returns how many of the first rows have as many cells as the first one; 0 if that has one."""
    try:
        lengths = [len(row) for row in itertools.islice(_rows(text, delimiter), SAMPLE_LINES)]
    except csv.Error:
        return 0
    return lengths.count(lengths[0]) if lengths and lengths[0] > 1 else 0


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
