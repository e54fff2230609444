"""OpenDocument texts and presentations. Spreadsheets are read with the others."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from ..worker_process import TaskRefused
from .base import SourceFile, TextWriter
from .package import Package, attribute, is_package, local, walk
from .sheets import is_open_document
from .tables import markdown_table

EXTENSIONS = {"odt", "odp"}
TEXT = b"application/vnd.oasis.opendocument.text"
PRESENTATION = b"application/vnd.oasis.opendocument.presentation"
BLOCKS = frozenset({"p", "h", "table", "notes"})
NOT_READ = frozenset({"tracked-changes", "annotation", "forms"})
MAX_SPACES = 1_000
MAX_REPEATED = 50  # of a cell


def accepts(file: SourceFile) -> bool:
    return is_package(file) and (is_open_document(file, TEXT) or is_open_document(file, PRESENTATION))


def read(file: SourceFile, writer: TextWriter) -> None:
    package = Package(file)
    if "META-INF/manifest.xml" in package and b"encryption-data" in package.read("META-INF/manifest.xml"):
        raise TaskRefused("file_encrypted")
    content = package.xml("content.xml")
    if is_open_document(file, TEXT):
        writer.begin(TEXT.decode())
        writer.add("", _text(content, "\n\n"))
        return
    pages = [element for element in content.iter() if local(element) == "page"]
    writer.begin(PRESENTATION.decode(), "slide", len(pages))
    for number, page in enumerate(pages, 1):
        notes = [_text(element, "\n") for element in page if local(element) == "notes"]
        texts = [_text(page, "\n"), *(f"Notes:\n\n{text}" for text in notes if text)]
        writer.add(str(number), "\n\n".join(filter(None, texts)))


def _text(root: Element, separator: str) -> str:
    return separator.join(filter(str.strip, _blocks(root)))


def _blocks(root: Element) -> Iterator[str]:
    for element in walk(root, BLOCKS | NOT_READ):
        name = local(element)
        if name == "p":
            yield _paragraph(element)
        elif name == "h":
            level = attribute(element, "outline-level") or "1"
            yield "#" * min(int(level) if level.isdecimal() else 1, 6) + " " + _paragraph(element)
        elif name == "table":
            yield markdown_table(_rows(element))


def _paragraph(paragraph: Element) -> str:
    """Returns the text, in which an element may stand for white space."""
    pieces = [paragraph.text or ""]
    waiting = [iter(paragraph)]
    tails: list[str] = []
    while waiting:
        element = next(waiting[-1], None)
        if element is None:
            waiting.pop()
            pieces.append(tails.pop() if tails else "")
            continue
        name = local(element)
        if name == "s":
            count = attribute(element, "c") or "1"
            pieces.append(" " * min(int(count) if count.isdecimal() else 1, MAX_SPACES))
        elif name in ("tab", "line-break"):
            pieces.append("\t" if name == "tab" else "\n")
        if name in NOT_READ or name in ("s", "tab", "line-break"):
            pieces.append(element.tail or "")
            continue
        pieces.append(element.text or "")
        waiting.append(iter(element))
        tails.append(element.tail or "")
    return "".join(pieces)


def _rows(table: Element) -> Iterator[list[str]]:
    for row in walk(table, frozenset({"table-row"})):
        if local(row) == "table-row":
            cells = []
            for cell in row:
                if local(cell) in ("table-cell", "covered-table-cell"):
                    repeated = attribute(cell, "number-columns-repeated") or "1"
                    count = min(int(repeated) if repeated.isdecimal() else 1, MAX_REPEATED)
                    cells += [_text(cell, " ")] * count
            yield cells
