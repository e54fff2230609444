"""Folds texts for search, so that other spellings of a word are equal: é and e, ＡＢＣ and abc, カナ and かな, ’ and '.

static/chat/js/data/folding.js does the same in the page, and a test compares the two.
"""

import re
import unicodedata

MAX_PIECE_LENGTH = 1_000  # characters, so that no call keeps the interpreter for long
SHORT_PIECE_LENGTH = 32
MAX_CLUSTER_LENGTH = 32  # characters; Unicode's normalization takes quadratic time for a run of marks
MIN_LENGTH_TO_CUT = 4  # characters of a word that is searched without the long vowel mark at its end

SPELLINGS = {
    **dict.fromkeys("‘’‚‛′ʼ", "'"),
    **dict.fromkeys("“”„‟", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **{"ß": "ss", "ς": "σ", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ı": "i"},
    **{chr(code): chr(code - 0x60) for code in (*range(0x30A1, 0x30F7), 0x30FD, 0x30FE)},  # katakana to hiragana
}
LEFT_OUT = re.compile(
    "["
    "\u0300-\u0337\u0339-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"  # accents, without the stroke of ≠
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670"  # points in Hebrew, vowels in Arabic
    "\u00ad\u200b-\u200f\u2060\ufeff"  # invisible characters
    "\ufe00-\ufe0f"  # variants of a character
    "]"
)
VARIANTS = range(0xE0100, 0xE01F0)  # more of them
# What may unite with the character before it: marks, half-width voicing marks, and the parts of Korean syllables.
MARKS = "".join(
    [
        chr(code)
        for code in (*range(0x0300, 0x3100), *range(0xA600, 0xAC00))
        if unicodedata.category(chr(code))[0] == "M"
    ]
)
MARKS += "\ufe00-\ufe0f\ufe20-\ufe2f\uff9e\uff9f\U000e0100-\U000e01ef\u1160-\u11ff\u3131-\u318e\uffa0-\uffdc"
REST = f"[{MARKS}]{{0,{MAX_CLUSTER_LENGTH - 1}}}"
PIECE, SHORT_PIECE = [
    re.compile(f"[^{MARKS}]{{1,{length}}}{REST}|[{MARKS}]{REST}") for length in (MAX_PIECE_LENGTH, SHORT_PIECE_LENGTH)
]
CLUSTER = re.compile(f".{REST}", re.DOTALL)


class _FoldedCharacters(dict[int, str]):
    """Code point -> folded character, for `str.translate`. Remembers what it was asked for."""

    def __missing__(self, code: int) -> str:
        if code in VARIANTS:
            return ""
        decomposed = LEFT_OUT.sub("", unicodedata.normalize("NFD", chr(code)))
        folded = unicodedata.normalize("NFC", "".join([SPELLINGS.get(letter, letter) for letter in decomposed]))
        if code < 0x10000:
            self[code] = folded
        return folded


FOLDED_CHARACTERS = _FoldedCharacters()


def fold(text: str) -> str:
    """Returns the text as it is compared."""
    if text.isascii():  # most are, and cutting them into pieces takes ten times as long or more
        return text.lower()
    return "".join(map(_fold_piece, PIECE.findall(text)))


def fold_words(words: str) -> list[str]:
    """Returns the different words of a search, folded.

    A long word goes without the long vowel mark at its end: サーバー finds サーバ, too.
    """
    folded = fold(words).split()
    return list(
        dict.fromkeys(word[:-1] if word[-1] == "ー" and len(word) >= MIN_LENGTH_TO_CUT else word for word in folded)
    )


def find_in_original(text: str, start: int, end: int) -> tuple[int, int]:
    """Returns the first and last place in a text of what `fold(text)[start:end]` comes from."""
    if text.isascii():
        return start, end
    first, _, offset = _cluster_of(text, start)
    _, length, _ = _cluster_of(text[first:], offset + end - 1 - start)
    return first, first + length


def _cluster_of(text: str, index: int) -> tuple[int, int, int]:
    """Returns start and end of the character, with its marks, that gave `fold(text)[index]`; and which part of it."""
    for piece in SHORT_PIECE.finditer(text):
        length = len(_fold_piece(piece[0]))
        if index >= length:
            index -= length
            continue
        for cluster in CLUSTER.finditer(text, piece.start(), piece.end()):
            length = len(_fold_piece(cluster[0]))
            if index < length:
                return *cluster.span(), index
            index -= length
    raise IndexError


def _fold_piece(piece: str) -> str:
    if piece.isascii():
        return piece.lower()
    composed = unicodedata.normalize("NFKC", piece.replace("´", "'"))
    return composed.lower().translate(FOLDED_CHARACTERS)
