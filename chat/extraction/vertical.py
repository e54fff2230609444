"""Puts the columns of vertical Japanese text into their order: PDFium reads them from left to right."""

import re

from pypdfium2 import PdfTextPage, raw

CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff]")
MIN_LENGTH = 4  # characters of a column
SHARE = 0.6  # of the page's characters that stand in columns

Column = tuple[float, float, float, str]  # its right edge, its top, its bottom, its text


def ordered_text(text_page: PdfTextPage, text: str) -> str:
    """Returns the text of a page, from right to left if its lines are vertical; columns above others come first."""
    if len(CJK.findall(text)) < MIN_LENGTH:
        return text
    columns = _columns(text_page)
    vertical = [column for column in columns if column[1] - column[2] > 0]
    if sum(len(column[3]) for column in vertical) < SHARE * sum(len(column[3]) for column in columns):
        return text
    rows: list[list[Column]] = []
    for column in sorted(columns, key=lambda column: -column[1]):
        if rows and column[1] > min(other[2] for other in rows[-1]):  # it begins beside those of the row
            rows[-1].append(column)
        else:
            rows.append([column])
    return "\n".join(column[3] for row in rows for column in sorted(row, key=lambda column: -column[0]))


def _columns(text_page: PdfTextPage) -> list[Column]:
    """Returns the lines as PDFium tells them apart; of one that is not vertical, top and bottom are the same."""
    columns: list[Column] = []
    line: list[tuple[str, float, float, float, float]] = []
    for index in range(text_page.count_chars() + 1):
        code = raw.FPDFText_GetUnicode(text_page, index) if index < text_page.count_chars() else 10
        if code in (10, 13):
            if line:
                columns.append(_column(line))
            line = []
        elif code:
            line.append((chr(code), *text_page.get_charbox(index)))
    return columns


def _column(line: list[tuple[str, float, float, float, float]]) -> Column:
    text = "".join(character for character, *_ in line)
    left, bottom = min(box[1] for box in line), min(box[2] for box in line)
    right, top = max(box[3] for box in line), max(box[4] for box in line)
    is_vertical = len(line) >= MIN_LENGTH and top - bottom > 2 * (right - left)
    return right, top, bottom if is_vertical else top, text
