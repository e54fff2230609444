"""Word documents: DOCX and its relatives with macros and templates."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from .base import SourceFile, TextWriter
from .package import Package, attribute, is_package, local, walk
from .tables import markdown_table

EXTENSIONS = {"docx", "docm", "dotx", "dotm"}
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MAIN = "word/document.xml"
HEADING = re.compile(r"heading ([1-6])", re.IGNORECASE)
BLOCKS = frozenset({"p", "tbl", "sectPr"})
# Elements inside a paragraph that are not descended into: text that was deleted or moved away, properties, and what has
# a reader of its own, such as a text box.
NOT_DESCENDED = frozenset({"del", "moveFrom", "rPr", "pPr", "instrText", "txbxContent", "p", "tbl", "ruby"})
BREAKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
AFTER = {"footnotes", "endnotes", "comments", "footer"}


def accepts(file: SourceFile) -> bool:
    return is_package(file) and MAIN in file.entries


def read(file: SourceFile, writer: TextWriter) -> None:
    package = Package(file)
    writer.begin(MEDIA_TYPE)
    if package.has_macros:
        writer.note("macros_ignored")
    document = Document(_headings(package))
    before: list[str] = []
    after: list[str] = []
    for kind, path in dict.fromkeys(package.related(MAIN).values()):
        if path in package and (kind == "header" or kind in AFTER):
            text = document.text(package.xml(path))
            (before if kind == "header" else after).append(text)
    body = document.text(package.xml(MAIN))
    if document.has_hidden_text:
        writer.note("hidden_text_left_out")
    texts = dict.fromkeys(text for text in [*before, body, *after] if text.strip())  # each header once
    writer.add("", "\n\n".join(texts))


def _headings(package: Package) -> dict[str, str]:
    """Returns {id of a style: the marks of a heading in Markdown}."""
    marks = {}
    if "word/styles.xml" in package:
        for style in package.xml("word/styles.xml"):
            name = next((attribute(item, "val") or "" for item in style if local(item) == "name"), "")
            if match := HEADING.fullmatch(name):
                marks[attribute(style, "styleId") or ""] = "#" * int(match[1]) + " "
    return marks


class Document:
    def __init__(self, headings: dict[str, str]) -> None:
        self.has_hidden_text = False
        self._headings = headings

    def text(self, root: Element) -> str:
        return "\n\n".join(filter(str.strip, self._blocks(root)))

    def _blocks(self, root: Element) -> Iterator[str]:
        for element in walk(root, BLOCKS):
            name = local(element)
            if name == "p":
                yield from self._paragraph(element)
            elif name == "tbl":
                yield markdown_table(self._rows(element))

    def _paragraph(self, paragraph: Element) -> Iterator[str]:
        """Yields the paragraph, then what is in its text boxes."""
        boxes: list[Element] = []
        text = "".join(self._pieces(paragraph, boxes)).strip()
        if text:
            yield self._mark(paragraph) + text
        for box in boxes:
            yield self.text(box)

    def _pieces(self, root: Element, boxes: list[Element]) -> Iterator[str]:
        hidden: set[Element] = set()
        for element in walk(root, NOT_DESCENDED):
            name = local(element)
            if name == "r" and self._is_hidden(element):
                hidden.update(element.iter())
                self.has_hidden_text = True
            elif element in hidden:
                continue
            elif name == "t":
                yield element.text or ""
            elif name in BREAKS:
                yield BREAKS[name]
            elif name == "ruby":
                yield from self._ruby(element)
            elif name == "txbxContent":
                boxes.append(element)

    def _ruby(self, ruby: Element) -> Iterator[str]:
        """Yields a word and its reading in brackets."""
        for part in ruby:
            text = "".join(element.text or "" for element in part.iter() if local(element) == "t")
            if local(part) == "rubyBase":
                yield text
        for part in ruby:
            text = "".join(element.text or "" for element in part.iter() if local(element) == "t")
            if local(part) == "rt" and text:
                yield f"({text})"

    def _is_hidden(self, run: Element) -> bool:
        properties = next((child for child in run if local(child) == "rPr"), None)
        if properties is None:
            return False
        return any(
            local(child) == "vanish" and attribute(child, "val") not in ("0", "false", "off") for child in properties
        )

    def _mark(self, paragraph: Element) -> str:
        properties = next((child for child in paragraph if local(child) == "pPr"), None)
        for child in properties if properties is not None else ():
            if local(child) == "pStyle" and (mark := self._headings.get(attribute(child, "val") or "")):
                return mark
            if local(child) == "numPr":
                return "- "
        return ""

    def _rows(self, table: Element) -> Iterator[list[str]]:
        """Yields the texts of the cells. A cell over several columns is followed by empty ones."""
        for row in walk(table, frozenset({"tr"})):
            if local(row) != "tr":
                continue
            cells = []
            for cell in walk(row, frozenset({"tc"})):
                if local(cell) == "tc":
                    cells += [self.text(cell), *[""] * (_span(cell) - 1)]
            yield cells


def _span(cell: Element) -> int:
    for element in walk(cell, frozenset({"p", "tbl"})):
        if local(element) == "gridSpan":
            value = attribute(element, "val") or ""
            return min(int(value), 100) if value.isdecimal() and int(value) else 1
    return 1
