"""Rich Text Format: a text in bytes of one or more code pages, with control words in groups."""

import codecs
import re
from dataclasses import dataclass, replace

from ..worker_process import TaskRefused
from .base import Full, SourceFile, TextWriter, join_lines
from .tables import markdown_table

EXTENSIONS = {"rtf", "doc"}  # Word used to save RTF under the name .doc, too
MEDIA_TYPE = "application/rtf"
START = b"{\\rtf"
MAX_DEPTH = 10_000  # of groups; documents have some tens
TOKEN = re.compile(
    rb"\\(?P<word>[A-Za-z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<byte>[0-9A-Fa-f]{2})|\\(?P<symbol>[^A-Za-z])"
    rb"|(?P<bracket>[{}])|(?P<text>[^\\{}\r\n]+)"
)
# Groups whose text the reader does not see. Of those that are marked as unknown to old programs, only SHOWN are read.
NOT_SHOWN = frozenset(
    "fonttbl colortbl stylesheet info filetbl pict nonshppict objdata fldinst xe tc sn sv atnid atnauthor template"
    " nonesttables listtable listoverridetable rsidtbl".split()
)
SHOWN = frozenset("shppict shpinst annotation moMath moMathPara".split())
NOTES = frozenset({"footnote", "annotation"})
CHARACTERS = {
    **{"line": "\n", "tab": "\t", "nestcell": " ", "nestrow": "\n"},
    **dict(zip("lquote rquote ldblquote rdblquote bullet endash emdash".split(), "‘’“”•–—", strict=True)),
    **dict.fromkeys("emspace enspace qmspace".split(), " "),
}
SYMBOLS = {b"~": " ", b"_": "-"}
CHARACTER_SETS = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}
CODE_PAGES = {10000: "mac_roman", 10001: "cp932", 20932: "euc_jp", 51932: "euc_jp", 65001: "utf-8"}
FONT_CODE_PAGES = {  # of the \fcharset of a font; 0 and 1 are the document's
    **{77: 10000, 78: 10001, 128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258},
    **{177: 1255, 178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437, 255: 850},
}
SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def accepts(file: SourceFile) -> bool:
    return file.head.lstrip().startswith(START)


def read(file: SourceFile, writer: TextWriter) -> None:
    writer.begin(MEDIA_TYPE)
    reader = Reader(file.read(), writer.room)
    text = reader.read()
    if reader.has_hidden_text:
        writer.note("hidden_text_left_out")
    writer.add("", text)
    if reader.is_cut:
        raise Full


@dataclass(frozen=True)
class State:
    """What holds until the end of a group."""

    is_shown: bool = True
    is_starred: bool = False  # the next control word may be left out
    is_fonts: bool = False  # the table of fonts
    is_hidden: bool = False
    encoding: str = ""  # "": the document's
    fallback_length: int = 1  # characters after each \u, for programs that do not know it
    ending: str = ""


class Body:
    """The text with its paragraphs and tables."""

    def __init__(self) -> None:
        self.heading = ""  # what a paragraph of this kind begins with
        self.is_in_table = False
        self.length = 0  # characters, paragraphs and cells: a file may consist of empty ones
        self._paragraph: list[str] = []
        self._texts: list[str] = []
        self._cells: list[str] = []
        self._rows: list[list[str]] = []
        self._start: int | None = None  # where in the paragraph the text begins that is after an open row, if any is

    def reset_paragraph(self) -> None:
        """Called where a paragraph loses all its properties. It is in a table only if the file says so again."""
        self.heading, self.is_in_table = "", False
        if self._start is None:
            self._start = len(self._paragraph)

    def put_in_table(self, is_in_table: bool) -> None:
        self.is_in_table = is_in_table
        if is_in_table:
            self._start = None

    def add(self, text: str) -> None:
        self._paragraph.append(text)
        self.length += len(text)

    def end_paragraph(self) -> None:
        self.length += 1
        if self._cells and self._start is not None:
            self._end_open_row(self._start)
        if self.is_in_table or self._cells:
            return self.add("\n")
        self._end_table()
        text = "".join(self._paragraph)
        self._texts.append(self.heading + text if text.strip() else "")
        self._paragraph = []

    def end_cell(self) -> None:
        self.length += 1
        self._cells.append("".join(self._paragraph).strip())
        self._paragraph = []
        self._start = None

    def end_row(self) -> None:
        self._rows.append(self._cells)
        self.length += 1 + max(0, len(self._rows[0]) - len(self._cells))  # the table gets cells where some are missing
        self._cells = []

    def _end_open_row(self, length: int) -> None:
        """Ends a row without an end; of the paragraph, so many pieces are its last cell."""
        cell, self._paragraph = self._paragraph[:length], self._paragraph[length:]
        if text := "".join(cell).strip():
            self._cells.append(text)
        self.end_row()

    def text(self) -> str:
        if self._cells:  # the end of the row is missing
            self.end_row()
        self.is_in_table = False
        self.end_paragraph()
        lines = "\n\n".join(filter(str.strip, self._texts)).split("\n")
        return SURROGATES.sub(_join, join_lines(lines))

    def _end_table(self) -> None:
        if self._rows:
            self._texts.append(markdown_table(self._rows))
            self._rows = []


def _join(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


class Reader:
    def __init__(self, data: bytes, max_characters: int) -> None:
        self.has_hidden_text = False
        self.is_cut = False
        self._data = data
        self._max_characters = max_characters
        self._body = Body()
        self._state = State()
        self._outer: list[State] = []
        self._bytes = bytearray()  # of one encoding: a character may have two, of which one may look like a letter
        self._skipped = 0  # characters of a fallback that are still to come
        self._encoding = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = 0  # the one that the table of fonts describes

    def read(self) -> str:
        """Returns the text, or somewhat more than `max_characters` of it. Raises TaskRefused."""
        position = self._data.find(START)
        while position < len(self._data):
            if self._body.length > self._max_characters:
                self.is_cut = True
                break
            match = TOKEN.match(self._data, position)
            if match is None:  # a line break, which means nothing, or a backslash at the end
                position += 1
                continue
            position = match.end()
            if match["bracket"]:
                self._bracket(match["bracket"])
                if not self._outer:
                    break
            elif match["word"]:
                position += self._word(match["word"].decode(), match["number"])
            else:
                self._characters(match)
        self._flush()
        return self._body.text()

    def _bracket(self, bracket: bytes) -> None:
        self._flush()
        self._skipped = 0
        if bracket == b"{":
            if len(self._outer) >= MAX_DEPTH:
                raise TaskRefused("file_damaged")
            self._outer.append(self._state)
            self._state = replace(self._state, is_starred=False, ending="")
        elif self._outer:
            self._show(self._state.ending)
            self._state = self._outer.pop()

    def _characters(self, match: re.Match[bytes]) -> None:
        if match["symbol"] == b"*":
            self._state = replace(self._state, is_starred=True)
        elif match["byte"]:
            self._add_bytes(bytes([int(match["byte"], 16)]))
        elif match["text"]:
            self._add_bytes(match["text"])
        elif self._skipped:
            self._skipped -= 1
        elif match["symbol"] in (b"\n", b"\r"):
            self._break("par")
        elif match["symbol"] in (b"\\", b"{", b"}"):
            self._add_bytes(match["symbol"])  # it may be the second half of a character
        else:
            self._show(SYMBOLS.get(match["symbol"], ""))

    def _add_bytes(self, data: bytes) -> None:
        skipped = min(self._skipped, len(data))
        self._skipped -= skipped
        if self._state.is_shown:
            self._bytes += data[skipped:]

    def _flush(self) -> None:
        if self._bytes:
            text = self._bytes.decode(self._state.encoding or self._encoding, "replace")
            self._bytes.clear()
            self._show(text)

    def _show(self, text: str) -> None:
        self._flush()
        if not text or not self._state.is_shown:
            return
        if self._state.is_hidden:
            self.has_hidden_text = True
        else:
            self._body.add(text)

    def _word(self, word: str, digits: bytes | None) -> int:
        """Obeys a control word; returns how many bytes after it are skipped."""
        number = None if digits is None else int(digits)
        if word == "bin":
            return max(0, number or 0)
        if self._skipped and word != "u":
            self._skipped -= 1
            return 0
        self._flush()
        if word == "u":
            self._skipped = self._state.fallback_length
            self._show(chr((number or 0) & 0xFFFF))
        elif word in NOT_SHOWN or (self._state.is_starred and word not in SHOWN) or word.endswith("Pr"):
            self._state = replace(self._state, is_shown=False, is_fonts=word == "fonttbl")
        elif word in NOTES:
            self._show(" [")
            self._state = replace(self._state, ending="]")
        elif self._state.is_fonts:
            self._describe_font(word, number)
        elif self._state.is_shown:
            self._break(word)
            self._format(word, number)
        self._state = replace(self._state, is_starred=False)
        return 0

    def _describe_font(self, word: str, number: int | None) -> None:
        if word == "f":
            self._font = number or 0
        elif word == "fcharset" and number in FONT_CODE_PAGES:
            self._fonts[self._font] = _codec(FONT_CODE_PAGES[number])
        elif word == "cpg" and number:
            self._fonts[self._font] = _codec(number)

    def _break(self, word: str) -> None:
        if word in ("par", "sect", "page"):
            self._body.end_paragraph()
        elif word == "cell":
            self._body.end_cell()
        elif word == "row":
            self._body.end_row()
        else:
            self._show(CHARACTERS.get(word, ""))

    def _format(self, word: str, number: int | None) -> None:
        is_on = number != 0
        if word == "f":
            self._state = replace(self._state, encoding=self._fonts.get(number or 0, ""))
        elif word in ("v", "deleted"):
            self._state = replace(self._state, is_hidden=is_on)
        elif word == "plain":
            self._state = replace(self._state, is_hidden=False, encoding="")
        elif word == "uc":
            self._state = replace(self._state, fallback_length=max(0, number or 0))
        elif word == "pard":
            self._body.reset_paragraph()
        elif word == "intbl":
            self._body.put_in_table(is_on)
        elif word == "outlinelevel" and number is not None and 0 <= number < 6:
            self._body.heading = "#" * (number + 1) + " "
        elif word == "ansicpg" and number:
            self._encoding = _codec(number)
        elif word in CHARACTER_SETS:
            self._encoding = CHARACTER_SETS[word]


def _codec(code_page: int) -> str:
    name = CODE_PAGES.get(code_page, "johab" if code_page == 1361 else f"cp{code_page}")
    try:
        codecs.lookup(name)
    except LookupError:
        return "cp1252"
    return name
