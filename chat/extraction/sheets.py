"""Spreadsheets, by calamine: XLSX, XLSM, XLSB, XLS, ODS."""

import datetime
import io
from collections.abc import Iterator
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from ..worker_process import TaskRefused
from .base import Full, SourceFile, TextWriter
from .package import Package, is_package
from .tables import markdown_lines

EXTENSIONS = {"xlsx", "xlsm", "xltx", "xlsb", "xls", "ods"}
OPEN_DOCUMENT = b"application/vnd.oasis.opendocument.spreadsheet"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
WORKBOOKS = {"xl/workbook.xml", "xl/workbook.bin"}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLS = "application/vnd.ms-excel"
CHUNK_BYTES = 1_000_000


def accepts(file: SourceFile) -> bool:
    if file.head.startswith(OLE):
        return not is_encrypted_package(file) and any(name in file.read() for name in _streams("Workbook", "Book"))
    return is_package(file) and (bool(WORKBOOKS & file.entries) or is_open_document(file, OPEN_DOCUMENT))


def is_encrypted_package(file: SourceFile) -> bool:
    """Whether it is an Office file with a password, which is a file in a file of the old format."""
    return file.head.startswith(OLE) and any(name in file.read() for name in _streams("EncryptedPackage"))


def kind_of_old_file(file: SourceFile) -> str:
    """Returns the code of the refusal for a file of the old format that is no workbook."""
    data = file.read()
    if any(name in data for name in _streams("__properties_version1.0")):
        return "file_type_outlook"
    is_office = any(name in data for name in _streams("WordDocument", "PowerPoint Document", "PP40"))
    return "file_type_old" if is_office else "file_type_unknown"


def is_open_document(file: SourceFile, media_type: bytes) -> bool:
    return b"mimetype" + media_type in file.head[:200]


def _streams(*names: str) -> list[bytes]:
    """Returns the names of streams as an OLE file holds them."""
    return [name.encode("utf-16-le") + b"\0\0" for name in names]


def read(file: SourceFile, writer: TextWriter) -> None:
    if file.head.startswith(OLE):
        media_type = XLS
    else:
        package = Package(file)
        media_type = OPEN_DOCUMENT.decode() if "content.xml" in package else XLSX
        if package.has_macros:
            writer.note("macros_ignored")
        if any(b"<f>" in data or b"<f " in data for data in _sheet_data(package)):
            writer.note("formulas_shown_as_values")
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(file.read()))
        sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
        shown = [sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
        writer.begin(media_type, "sheet", len(shown))
        if len(shown) < len(sheets):
            writer.note("hidden_sheets_left_out")
        for name in shown:
            writer.check_limits()
            _read_sheet(workbook, name, writer)
    except PasswordError as error:
        raise TaskRefused("file_encrypted") from error
    except (CalamineError, OSError, ValueError) as error:
        raise TaskRefused("file_damaged") from error


def _sheet_data(package: Package) -> Iterator[bytes]:
    for name in package.names("xl/worksheets/"):
        if name.endswith(".xml"):
            yield package.read(name)


def _read_sheet(workbook: CalamineWorkbook, name: str, writer: TextWriter) -> None:
    """Writes the sheet, if not all of it the first rows; then Full is raised."""
    lines: list[str] = []
    room = writer.room
    for line in markdown_lines(_rows(workbook, name)):
        room -= len(line) + 1
        if room < 0:
            if lines and not writer.written:
                writer.add(name, "\n".join(lines))
            raise Full
        lines.append(line)
    writer.add(name, "\n".join(lines))


def _rows(workbook: CalamineWorkbook, name: str) -> Iterator[list[str]]:
    for row in workbook.get_sheet_by_name(name).iter_rows():
        yield [_cell(value) for value in row]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, datetime.datetime):
        return str(value.date() if value.time() == datetime.time() else value)
    return str(value)
