"""PDF, by PDFium."""

import re

import pypdfium2
from pypdfium2 import raw

from ..worker_process import TaskRefused
from .base import SourceFile, TextWriter, join_lines
from .vertical import ordered_text

EXTENSIONS = {"pdf"}
HEADER_BYTES = 1024  # in which the header may begin
HYPHEN = re.compile("[\x02\xad\ufffe]\r?\n?")  # at the end of a line, in the middle of a word


def accepts(file: SourceFile) -> bool:
    return b"%PDF-" in file.head[:HEADER_BYTES]


def read(file: SourceFile, writer: TextWriter) -> None:
    try:
        document = pypdfium2.PdfDocument(file.path)
    except pypdfium2.PdfiumError as error:
        is_encrypted = getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD
        raise TaskRefused("file_encrypted" if is_encrypted else "file_damaged") from error
    count = len(document)
    if not count:
        raise TaskRefused("file_damaged")
    writer.begin("application/pdf", "page", count)
    pictures = damaged = 0
    try:
        for index in range(count):
            writer.check_limits()
            try:
                text, is_picture = _read_page(document, index)
            except pypdfium2.PdfiumError:
                text, is_picture = "", False
                damaged += 1
            writer.add(str(index + 1), text)
            pictures += is_picture
    finally:
        if damaged == count:
            raise TaskRefused("file_damaged")
        if damaged:
            writer.note("some_pages_damaged")
        if not writer.characters:
            writer.note("no_text")
        elif pictures:
            writer.note("some_pages_without_text")


def _read_page(document: pypdfium2.PdfDocument, index: int) -> tuple[str, bool]:
    """Returns the text of a page, and whether it has pictures in place of text."""
    page = document[index]
    try:
        text_page = page.get_textpage()
        try:
            text = HYPHEN.sub("", ordered_text(text_page, text_page.get_text_range(errors="replace")))
        finally:
            text_page.close()
        text = join_lines(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        is_picture = not text.strip() and any(True for _ in page.get_objects([raw.FPDF_PAGEOBJ_IMAGE], max_depth=3))
        return text, is_picture
    finally:
        page.close()
