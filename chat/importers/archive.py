"""Opens an export: a JSON file, or a ZIP file with one or more. Bounds what a small ZIP file may become."""

import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from ..worker_process import TaskRefused

CONVERSATIONS = re.compile(r"conversations(?:-(\d{1,6}))?\.json")  # large exports of ChatGPT have several
FILE_ID = re.compile(r"file[-_][0-9A-Za-z]{8,64}")  # what a file's name begins with, and a pointer ends with
MAX_ENTRIES = 200_000
MAX_UNPACKED_BYTES = 500_000_000  # of all JSON files together
MAX_FILE_BYTES = 20_000_000
CHUNK_BYTES = 1_000_000


class Archive:
    """What an export holds: `json_paths` by their names, the names of those that are `damaged`, and other files."""

    def __init__(self, json_paths: dict[str, str], archive: zipfile.ZipFile | None = None) -> None:
        self.json_paths = json_paths
        self.damaged: list[str] = []
        self._archive = archive
        self._files: dict[str, zipfile.ZipInfo] = {}

    def index_files(self, entries: list[zipfile.ZipInfo]) -> None:
        for entry in entries:
            if match := FILE_ID.match(_base_name(entry)):
                self._files.setdefault(match[0], entry)

    def find_file(self, pointer: str) -> Callable[[], bytes] | None:
        """Returns a function that reads the file with this id or pointer; None if the archive has none."""
        match = FILE_ID.search(pointer)
        entry = self._files.get(match[0]) if match else None
        return partial(self._read, entry) if entry else None

    def _read(self, entry: zipfile.ZipInfo) -> bytes:
        assert self._archive is not None
        with self._archive.open(entry) as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise MemoryError
        return data


@contextmanager
def open_export(source: str, folder: str) -> Iterator[Archive]:
    """Opens the export `source`; JSON files of a ZIP file are unpacked to `folder`. Raises TaskRefused."""
    with open(source, "rb") as file:
        is_zip = file.read(2) == b"PK"
    if not is_zip:
        yield Archive({"": source})
        return
    try:
        archive = zipfile.ZipFile(source)
        entries = archive.infolist()
    except MemoryError:
        raise
    except Exception as error:  # a damaged file raises all kinds of errors
        raise TaskRefused("damaged_zip") from error
    with archive:
        if len(entries) > MAX_ENTRIES:
            raise TaskRefused("too_large")
        opened = _unpack(archive, entries, Path(folder))
        opened.index_files(entries)
        yield opened


def _unpack(archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], folder: Path) -> Archive:
    found = {}
    for entry in entries:
        if match := CONVERSATIONS.fullmatch(_base_name(entry)):
            found[(int(match[1] or -1), entry.filename)] = entry
    if not found:
        raise TaskRefused("no_conversations")
    opened = Archive({}, archive)
    room = MAX_UNPACKED_BYTES
    for number, (_, entry) in enumerate(sorted(found.items(), key=lambda item: item[0])):
        path = folder / f"json-{number}"
        if entry.flag_bits & 1:
            raise TaskRefused("encrypted_zip")
        try:
            room -= _copy(archive, entry, path, room)
        except (TaskRefused, MemoryError):
            raise
        except Exception:  # zlib, bz2 and lzma raise all kinds of errors
            opened.damaged.append(_base_name(entry))
        else:
            opened.json_paths[_base_name(entry)] = str(path)
    if not opened.json_paths:
        raise TaskRefused("damaged_zip")
    return opened


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, limit: int) -> int:
    """Unpacks the entry; returns its size. What the archive says about the size is not believed."""
    size = 0
    with archive.open(entry) as packed, path.open("wb") as file:
        while chunk := packed.read(CHUNK_BYTES):
            size += len(chunk)
            if size > limit:
                raise TaskRefused("too_large")
            file.write(chunk)
    return size


def _base_name(entry: zipfile.ZipInfo) -> str:
    return entry.filename.rpartition("/")[2]
