"""Takes the marks of Markdown out of a text, so that a search reads what people read."""

import html
import re

FENCE = re.compile(r"`{3,}(?=[^`]*$)|~{3,}")
MAY_BE_FENCE = re.compile("```|~~~")
BLOCK_MARKS = re.compile(r"^(?:[ \t]*(?:>|[-*+][ \t]+(?:\[[ xX]\](?=[ \t]))?|#{1,6}(?=[ \t]|$)))+")
RULE = re.compile(r"[-=*_|:+][-=*_|:+ \t]*$")  # below a heading or the head of a table, and between paragraphs
CELL_BORDER = re.compile(r"(?<!\\)\|")
CODE = r"(?<!`)(?P<ticks>`+)(?P<code>[^`]+)(?P=ticks)(?!`)"
LINK = (
    r"!?\[(?P<label>[^\[\]]{0,1000})\]"
    r"\((?P<address>(?:[^\s()<>]|\([^\s()<>]{0,200}\)){1,2000})(?:[ \t]+\"[^\"]{0,300}\")?\)"
)
PLACE = "\ue000"  # stands for what no further mark is looked for in
MARK = re.compile(
    rf"{CODE}|{LINK}|\\(?P<escaped>[!-/:-@\[-`{{-~])|<(?P<link>https?:[^\s<>]{{1,2000}})>"
    r"|(?P<line_break><[bB][rR] ?/?>)"
    rf"|(?P<entity>&(?:\#\d{{1,7}}|\#[xX][0-9a-fA-F]{{1,6}}|\w{{2,31}});)|(?P<place>{PLACE})"
)
TYPED_MARK = re.compile(f"{CODE}|{LINK}|(?P<place>{PLACE})")
MAY_BE_MARK = re.compile(rf"[`\[\\<&{PLACE}]")
EMPHASIS = {
    "*": re.compile(r"(\*{1,3})(?=[^\s*])([^*]+)(?<=\S)\1"),
    "_": re.compile(r"(?<!\w)(_{1,3})(?=[^\s_])([^_]+)(?<=\S)\1(?!\w)"),
    "~~": re.compile(r"(~~)(?=[^\s~])([^~]+)(?<=\S)~~"),
}
ELEMENT = re.compile(r"<(sub|sup|kbd|u|mark|small|s|del|ins|b|strong|i|em|ruby|rt|rp)>(.{0,500}?)</\1>", re.IGNORECASE)
MAX_NESTING = 2  # of emphasis, and of HTML elements


def markdown_to_text(text: str, *, is_typed: bool = False, keeps_addresses: bool = True) -> str:
    """Returns the text of an answer on one line. Code, tables and links keep their words and addresses.

    `is_typed`: a person has typed it, so only code and links are marks, as in the page. `keeps_addresses` false: a link
    keeps its words alone.
    """
    return _convert(text, "", is_typed, keeps_addresses)


def excerpt_to_text(text: str, place: int, length: int, *, is_typed: bool = False) -> str:
    """Returns the text of the lines around a place, with at least `length` characters on each side of it. Where lines
    are left out stands an ellipsis.
    """
    start = text.rfind("\n", 0, max(0, place - length)) + 1
    end = text.find("\n", place + length)
    end = len(text) if end < 0 else end
    lines = _convert(text[start:end], _fence_before(text, start, is_typed), is_typed, True)
    return f"{'… ' if start else ''}{lines}{' …' if end < len(text) else ''}"


def _fence_before(text: str, end: int, is_typed: bool) -> str:
    """Returns the mark of the code block that is open at this place, or ""."""
    fence = ""
    line_end = -1
    for mark in MAY_BE_FENCE.finditer(text, 0, end):
        if mark.start() > line_end:
            line_start = text.rfind("\n", line_end + 1, mark.start()) + 1 or line_end + 1
            line_end = text.find("\n", mark.start())
            line_end = len(text) if line_end < 0 else line_end
            fence = _fence_after(_content(text[line_start:line_end].rstrip(), fence, is_typed), fence)
    return fence


def _content(line: str, fence: str, is_typed: bool) -> str:
    return line.strip(" \t>") if is_typed or fence else BLOCK_MARKS.sub("", line).strip()


def _fence_after(content: str, fence: str) -> str:
    """Returns the mark of the code block that is open after this line, or ""."""
    if fence:
        return "" if content.startswith(fence) and not content.strip(fence[0]) else fence
    opening = FENCE.match(content)
    return opening[0] if opening else ""


def _convert(text: str, fence: str, is_typed: bool, keeps_addresses: bool) -> str:
    lines = []
    for line in text.splitlines():
        content = _content(line, fence, is_typed)
        before, fence = fence, _fence_after(content, fence)
        if before or fence:
            if before and fence:
                lines.append(line)
        elif is_typed:
            lines.append(_without_marks(line, TYPED_MARK, keeps_addresses))
        elif not RULE.match(content):
            if content.startswith("|"):
                content = CELL_BORDER.sub(" ", content).replace(r"\|", "|")
            lines.append(_without_marks(content, MARK, keeps_addresses))
    return " ".join(" ".join(lines).split())


def _without_marks(line: str, marks: re.Pattern[str], keeps_addresses: bool) -> str:
    kept: list[str] = []

    def keep(text: str) -> str:
        kept.append(text)
        return PLACE

    def replace(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        if kind == "address":
            label = marks.sub(replace, match["label"])
            return f"{label} ({keep(match['address'])})" if keeps_addresses and match[0][0] != "!" else label
        if kind == "line_break":
            return " "
        return keep(html.unescape(match[0]) if kind == "entity" else match[kind])

    if MAY_BE_MARK.search(line):
        line = marks.sub(replace, line)
    if marks is MARK:
        line = _without_emphasis(line)
    if not kept:
        return line
    pieces = line.split(PLACE)
    return "".join([piece + text for piece, text in zip(pieces, [*kept, ""], strict=True)])


def _without_emphasis(line: str) -> str:
    for mark, expression in {**EMPHASIS, "</": ELEMENT}.items():
        for _ in range(MAX_NESTING):
            if mark not in line:
                break
            line = expression.sub(r"\2", line)
    return line
