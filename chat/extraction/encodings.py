"""Finds the encoding of a text: UTF-8, UTF-16, UTF-32, the three of Japanese, or Windows-1252."""

import codecs
import re

BOMS = (  # UTF-32 first: its mark begins as that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
NAMES = {"utf-8-sig": "utf-8", "iso2022_jp_ext": "iso-2022-jp", "euc_jis_2004": "euc-jp", "utf-16-le": "utf-16"}
CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")
MAX_CONTROLS = 0.01  # of the characters; old texts have a page break here and there
KANA = re.compile("[\u3001\u3002\u3041-\u3096\u30a1-\u30fc]")
HALF_WIDTH = re.compile("[\uff61-\uff9f]")
# Among half-width kana, these are what EUC-JP's full-width kana look like when they are read as Shift_JIS.
MISREAD_KANA = re.compile("[\uff64\uff65]")
WIDE = re.compile("[\u3000-\u9fff\uff01-\uffef]")
# A kanji between two Latin letters is mostly an accented letter and the one after it.
ACCENTED = re.compile("(?<=[A-Za-z])[\u4e00-\u9fff](?=[A-Za-z\\s.,;:!?]|$)")
MIN_HALF_WIDTH = 6
SAMPLE_BYTES = 200_000


class NotText(ValueError):
    """The data are of no known encoding."""


def decode(data: bytes) -> tuple[str, str]:
    """Returns the text and the name of its encoding. Raises NotText."""
    for bom, encoding in BOMS:
        if data.startswith(bom):
            marked = data.decode(encoding, "replace")
            if marked.count("\ufffd") > MAX_CONTROLS * len(marked):
                raise NotText
            return _checked(marked, encoding)
    if b"\0" in data[:SAMPLE_BYTES]:
        return _utf_16(data)
    if b"\x1b" in data and data.isascii() and (text := _try(data, "iso2022_jp_ext")) is not None:
        return _checked(text, "iso2022_jp_ext")
    if (text := _try(data, "utf-8")) is not None:
        return _checked(text, "utf-8")
    for encoding in _guesses(data):
        if (text := _try(data, encoding)) is not None:
            return _checked(text, encoding)
    return _checked(data.decode("latin-1"), "latin-1")


def _try(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _checked(text: str, encoding: str) -> tuple[str, str]:
    if len(CONTROLS.findall(text)) > MAX_CONTROLS * len(text):
        raise NotText
    return text, NAMES.get(encoding, encoding)


def _utf_16(data: bytes) -> tuple[str, str]:
    """Without a mark, the zeros of spaces, digits and line ends tell where a character begins."""
    sample = data[:SAMPLE_BYTES]
    first, second = sample[::2].count(0), sample[1::2].count(0)
    encoding = "utf-16-be" if first > second else "utf-16-le"
    if min(first, second) > 0.1 * max(first, second) or (text := _try(data, encoding)) is None:
        raise NotText
    return _checked(text, "utf-16")


def _guesses(data: bytes) -> list[str]:
    """Returns the encodings to try, the likeliest first."""
    sample = data[:SAMPLE_BYTES]
    sample = sample[: sample.rfind(b"\n") + 1] or sample  # no character is cut
    shift_jis, euc = _try(sample, "cp932"), _try(sample, "euc_jis_2004")
    if euc is not None and not _is_half_width(shift_jis) and _is_japanese(euc):
        return ["euc_jis_2004", "cp932", "cp1252"]
    if shift_jis is not None and _is_japanese(shift_jis):
        return ["cp932", "euc_jis_2004", "cp1252"]
    return ["cp1252", "cp932"]


def _is_half_width(text: str | None) -> bool:
    """Whether all that is not ASCII are half-width kana, as in the data of banks."""
    if text is None:
        return False
    kana = len(HALF_WIDTH.findall(text))
    others = sum(not character.isascii() for character in text) - kana
    return kana >= MIN_HALF_WIDTH and others == 0 and len(MISREAD_KANA.findall(text)) < kana / 5


def _is_japanese(text: str) -> bool:
    wide = len(WIDE.findall(text))
    return wide > 0 and (len(KANA.findall(text)) > 0 or len(ACCENTED.findall(text)) < wide / 2)
