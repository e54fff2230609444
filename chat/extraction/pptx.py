"""Presentations: PPTX and its relatives."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from .base import SourceFile, TextWriter
from .package import RELATIONSHIP_ID, Package, attribute, is_package, local, walk
from .tables import markdown_table

EXTENSIONS = {"pptx", "pptm", "ppsx", "potx"}
MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
MAIN = "ppt/presentation.xml"
NOTES_HEADING = "Notes:"
BLOCKS = frozenset({"p", "tbl"})
FIELDS = {"sldNum", "dt", "ftr", "hdr", "sldImg"}  # of the notes' page: its number and the like


def accepts(file: SourceFile) -> bool:
    return is_package(file) and MAIN in file.entries


def read(file: SourceFile, writer: TextWriter) -> None:
    package = Package(file)
    related = package.related(MAIN)
    ids = [
        element.get(RELATIONSHIP_ID) or attribute_id(element)
        for element in package.xml(MAIN).iter()
        if local(element) == "sldId"
    ]
    paths = [related[id][1] for id in ids if id in related]
    writer.begin(MEDIA_TYPE, "slide", len(paths))
    if package.has_macros:
        writer.note("macros_ignored")
    for number, path in enumerate(paths, 1):
        writer.check_limits()
        slide = package.xml(path)
        if attribute(slide, "show") in ("0", "false"):
            writer.note("hidden_slides_left_out")
            continue
        texts = [_text(slide)]
        for kind, notes_path in package.related(path).values():
            if kind == "notesSlide" and notes_path in package and (notes := _notes(package.xml(notes_path))):
                texts += [NOTES_HEADING, notes]
        writer.add(str(number), "\n\n".join(filter(None, texts)))


def attribute_id(element: Element) -> str:
    """Returns the id of a relationship in the strict vocabulary, whose namespace is another."""
    ids = [value for key, value in element.attrib.items() if key.endswith("}id")]
    return ids[0] if ids else ""


def _text(root: Element) -> str:
    return "\n".join(filter(str.strip, _blocks(root)))


def _blocks(root: Element) -> Iterator[str]:
    for element in walk(root, BLOCKS):
        if local(element) == "p":
            yield _paragraph(element)
        elif local(element) == "tbl":
            yield "\n" + markdown_table(_rows(element)) + "\n"


def _paragraph(paragraph: Element) -> str:
    pieces = []
    for element in walk(paragraph, frozenset()):
        if local(element) == "t":
            pieces.append(element.text or "")
        elif local(element) == "br":
            pieces.append("\n")
    return "".join(pieces).rstrip()


def _rows(table: Element) -> Iterator[list[str]]:
    for row in table:
        if local(row) == "tr":
            yield [_text(cell) for cell in row if local(cell) == "tc"]


def _notes(page: Element) -> str:
    """Returns what the speaker wrote, without the slide's picture and number."""
    texts = []
    for shape in walk(page, frozenset({"sp"})):
        if local(shape) == "sp":
            kinds = {attribute(element, "type") for element in shape.iter() if local(element) == "ph"}
            if not kinds & FIELDS:
                texts.append(_text(shape))
    return "\n".join(filter(None, texts))
