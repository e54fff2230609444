"""Office files are ZIP files of XML. Bounds what they may become, and opens no entity and no DTD."""

import zipfile
from collections.abc import Iterator
from functools import cached_property
from posixpath import dirname, join, normpath
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from ..worker_process import TaskRefused
from .base import SourceFile

MAX_ENTRIES = 20_000
MAX_UNPACKED_BYTES = 500_000_000  # of all entries; most of them are pictures
MAX_XML_BYTES = 60_000_000  # of one file of XML; its tree takes some ten times as much
MIN_BOMB_BYTES = 20_000_000
MAX_RATIO = 200  # of unpacked to packed bytes in a large entry; XML has 10 to 50
RELATIONSHIP_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


class Package:
    """The XML files in an Office file, by their paths. Nothing is unpacked to the disk, so a path leads nowhere."""

    def __init__(self, file: SourceFile) -> None:
        """Raises TaskRefused."""
        try:
            self._archive = zipfile.ZipFile(file.path)
            entries = self._archive.infolist()
        except MemoryError:
            raise
        except Exception as error:  # a damaged file raises all kinds of errors
            raise TaskRefused("file_damaged") from error
        if any(entry.flag_bits & 1 for entry in entries):
            raise TaskRefused("file_encrypted")
        if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
            raise TaskRefused("file_too_large")
        if any(_is_bomb(entry) for entry in entries):
            raise TaskRefused("file_too_large")
        self._entries = {entry.filename: entry for entry in entries}

    def names(self, prefix: str = "") -> list[str]:
        return [name for name in self._entries if name.startswith(prefix)]

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """Returns a file. Raises TaskRefused if it is too large, damaged or missing."""
        entry = self._entries.get(name)
        if entry is None:
            raise TaskRefused("file_damaged")
        if entry.file_size > MAX_XML_BYTES:
            raise TaskRefused("file_too_large")
        try:
            return self._archive.read(entry)  # not more than the size that the entry says
        except MemoryError:
            raise
        except Exception as error:
            raise TaskRefused("file_damaged") from error

    def xml(self, name: str) -> Element:
        try:
            return fromstring(self.read(name), forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
            raise TaskRefused("file_damaged") from error

    def related(self, name: str) -> dict[str, tuple[str, str]]:
        """Returns {id: (kind, path)} of the files in the package that this one refers to."""
        rels = join(dirname(name), "_rels", f"{name.rpartition('/')[2]}.rels")
        if rels not in self:
            return {}
        found = {}
        for element in self.xml(rels):
            if element.get("TargetMode") != "External":
                target = element.get("Target") or ""
                path = target.lstrip("/") if target.startswith("/") else normpath(join(dirname(name), target))
                found[element.get("Id") or ""] = ((element.get("Type") or "").rpartition("/")[2], path)
        return found

    @cached_property
    def has_macros(self) -> bool:
        return any(name.endswith("vbaProject.bin") for name in self._entries)


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > MIN_BOMB_BYTES and entry.file_size > MAX_RATIO * max(1, entry.compress_size)


def is_package(file: SourceFile) -> bool:
    return file.head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def local(element: Any) -> str:
    """Returns the element's name without its namespace; "" for a comment."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def attribute(element: Element, name: str) -> str | None:
    """Returns an attribute, whatever its namespace; there are two for each of OOXML's vocabularies."""
    return next((value for key, value in element.attrib.items() if key.rpartition("}")[2] == name), None)


def walk(root: Element, stop: frozenset[str]) -> Iterator[Element]:
    """Yields the elements below `root` in the order of the document, without recursion.

    What is below an element whose name is in `stop` is left out; so is the fallback for old programs, which says the
    same a second time.
    """
    waiting = [iter(root)]
    while waiting:
        element = next(waiting[-1], None)
        if element is None:
            waiting.pop()
            continue
        name = local(element)
        if name == "Fallback":
            continue
        yield element
        if name not in stop:
            waiting.append(iter(element))
