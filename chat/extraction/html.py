"""Web pages, without scripts, styles and what is only for the screen."""

import re
from html.parser import HTMLParser

from ..worker_process import TaskRefused
from .base import SourceFile, TextWriter, join_lines
from .encodings import NotText, decode
from .tables import markdown_table

EXTENSIONS = {"html", "htm", "xhtml"}
START = re.compile(
    rb"(?:<\?xml[^>]{0,200}>\s{0,20})?(?:<!--[^>]{0,500}-->\s{0,20})?<(?:!doctype\s{1,20}html|html)\b", re.IGNORECASE
)
CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,20}=\s{0,20}[\"']?\s{0,20}([\w-]{1,40})", re.IGNORECASE)
SKIPPED = {"script", "style", "template", "noscript", "svg", "iframe", "object", "select", "textarea"}
VOID = {"br", "hr", "img", "input", "meta", "link", "area", "base", "col", "embed", "source", "track", "wbr"}
BLOCKS = {
    *("address", "article", "aside", "blockquote", "body", "dd", "div", "dl", "dt", "fieldset", "figcaption", "figure"),
    *("footer", "form", "head", "header", "html", "li", "main", "nav", "ol", "p", "pre", "section", "title", "ul"),
}
HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
SPACES = re.compile(r"[ \t\r\n\f]+")


def accepts(file: SourceFile) -> bool:
    start = file.head[:2000].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n").replace(b"\0", b"")  # in UTF-16, too
    return START.match(start) is not None or (file.extension in EXTENSIONS and start.startswith(b"<"))


def read(file: SourceFile, writer: TextWriter) -> None:
    data = file.read()
    writer.begin("text/html")
    try:
        text, encoding = _decode(data)
    except NotText as error:
        raise TaskRefused("file_type_unknown") from error
    if encoding != "utf-8":
        writer.note(f"encoding:{encoding}")
    writer.add("", html_to_text(text))


def _decode(data: bytes) -> tuple[str, str]:
    """Returns the text in the encoding that the page names, if it is in that; else in the one that is found."""
    if match := CHARSET.search(data[:4000]):
        try:
            name = match[1].decode().lower()
            return data.decode("cp932" if name in ("shift_jis", "shift-jis", "sjis", "x-sjis") else name), name
        except (LookupError, ValueError):
            pass
    return decode(data)


def html_to_text(source: str) -> str:
    reader = PageReader()
    reader.feed(source)
    reader.close()
    return reader.text()


class PageReader(HTMLParser):
    """Collects the lines of a page. Tables of data become Markdown; in those for layout, a cell is a line."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines = [""]
        self._skipped: list[str] = []  # open elements whose content is not read
        self._rows: list[list[str]] | None = None  # of the open table
        self._depth = 0  # of tables
        self._is_preformatted = False

    def text(self) -> str:
        self._end_table()
        return join_lines(self._lines)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            if tag in ("br", "hr"):
                self._break()
            return
        if self._skipped or tag in SKIPPED or any(name == "hidden" for name, _ in attrs):
            self._skipped.append(tag)
        elif tag == "table":
            self._depth += 1
            if self._depth == 1:
                self._break(2)
                self._rows = []
        elif tag == "tr" and self._depth == 1 and self._rows is not None:
            self._rows.append([])
        elif tag in ("td", "th") and self._depth == 1 and self._rows is not None:
            if not self._rows:
                self._rows.append([])
            self._rows[-1].append("")
        elif tag in HEADINGS:
            self._break(2)
            self._add(HEADINGS[tag])
        elif tag == "li":
            self._break()
            self._add("- ")
        elif tag in BLOCKS:
            self._is_preformatted = self._is_preformatted or tag == "pre"
            self._break(2 if tag in ("p", "pre") else 1)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            if tag in self._skipped:
                while self._skipped.pop() != tag:
                    pass
        elif tag == "table" and self._depth:
            self._depth -= 1
            if not self._depth:
                self._end_table()
        elif tag == "pre":
            self._is_preformatted = False
            self._break(2)
        elif tag in HEADINGS or tag == "p":
            self._break(2)
        elif tag in BLOCKS and not self._lines[-1].startswith("- "):
            self._break()

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        if self._is_preformatted and self._rows is None:
            first, *others = data.split("\n")
            self._add(first)
            for line in others:
                self._lines.append(line)
            return
        text = SPACES.sub(" ", data)
        if text.strip() or (self._lines[-1] and not self._lines[-1].endswith(" ")):
            self._add(text)

    def _add(self, text: str) -> None:
        if self._rows is not None:
            if self._rows and self._rows[-1]:
                self._rows[-1][-1] += text
            return
        self._lines[-1] += text if self._lines[-1] else text.lstrip()

    def _break(self, count: int = 1) -> None:
        if self._rows is not None:
            self._add(" ")
        elif self._lines[-1] or count > 1:
            self._lines += [""] * count  # `join_lines` takes those that are too many

    def _end_table(self) -> None:
        rows, self._rows, self._depth = self._rows, None, 0
        if not rows:
            return
        if max(map(len, rows)) > 1:
            self._lines += ["", *markdown_table(rows).split("\n"), ""]
        else:
            self._lines += [" ".join(cell.split()) for row in rows for cell in row] + [""]
