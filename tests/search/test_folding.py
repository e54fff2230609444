"""Other spellings of a word are equal, for the server and for the page."""

import json
import random
import subprocess
import unicodedata

import pytest

from chat.folding import find_in_original, fold, fold_words
from scripts.environment import ROOT

SPELLINGS = [  # each list: spellings of one word
    ["café", "cafe\u0301", "CAFÉ", "Cafe", "ｃａｆé"],
    ["ガギグゲゴ", "ｶﾞｷﾞｸﾞｹﾞｺﾞ", "がぎぐげご", "か\u3099き\u3099く\u3099け\u3099こ\u3099"],
    ["パソコン", "ﾊﾟｿｺﾝ", "ぱそこん"],
    ["ヴァイオリン", "ゔぁいおりん", "ｳﾞｧｲｵﾘﾝ"],
    ["ＡＢＣ１２３", "abc123", "ABC123", "ａｂｃ①②③"],
    ["it’s", "it's", "it‘s", "it´s", "it＇s", "itʼs"],
    ["“quoted”", '"quoted"', "„quoted‟"],
    ["state‑of‑the‑art", "state-of-the-art", "state‐of‐the–art"],
    ["Straße", "STRASSE", "STRAẞE", "strasse"],
    ["İstanbul", "istanbul", "ISTANBUL", "ıstanbul"],
    ["ΣΊΣΥΦΟΣ", "σίσυφος", "Σισυφος"],
    ["Łódź", "lodz"],
    ["Smørrebrød", "smorrebrod"],
    ["œuvre", "Œuvre", "oeuvre"],
    ["ﬁancée", "fiancee"],
    ["col·lecció", "coŀlecció"],
    ["한국어", unicodedata.normalize("NFD", "한국어")],
    ["㍿", "株式会社"],
    ["葛\U000e0100城", "葛城"],
    ["co\u00adoperate", "cooperate"],
    ["Tiếng Việt", "tieng viet"],
    ["مُحَمَّد", "محمد"],
]
DIFFERENT = [
    ("か", "が"),
    ("は", "ぱ"),
    ("ハ", "バ"),
    ("ー", "一"),
    ("=", "≠"),
    ("가", "각"),
    ("東", "東京"),
    ("o", "0"),
]


@pytest.mark.parametrize("spellings", SPELLINGS)
def test_spellings_are_equal(spellings):
    assert len({fold(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_words_stay_different(one, other):
    assert fold(one) != fold(other)


def test_long_vowel_mark_at_the_end_of_a_long_word_is_not_searched():
    assert fold_words("サーバー コピー キー ｻｰﾊﾞｰ ー") == ["さーば", "こぴー", "きー", "ー"]


def test_words_are_different_and_without_spaces():
    assert fold_words("　Äpfel  apfel\tNoël\u00a0") == ["apfel", "noel"]
    assert fold_words("\u200b \u0301") == []


TEXT = "A㍿ cafe\u0301, ｶﾞｷﾞ ﬁn"


@pytest.mark.parametrize(
    ("word", "found"),
    [("a", "A"), ("会", "㍿"), ("cafe", "cafe\u0301"), ("か゛", ""), ("が", "ｶﾞ"), ("i", "ﬁ"), ("n", "n")],
)
def test_original_is_found(word, found):
    start = fold(TEXT).find(fold(word))
    assert (start < 0) == (found == "")
    if found:
        first, last = find_in_original(TEXT, start, start + len(fold(word)))
        assert TEXT[first:last] == found


def test_original_is_found_in_a_long_text():
    text = "日本語e\u0301" * 2_000 + "needle é" + "日本語" * 500
    start = fold(text).find("needle e")
    first, last = find_in_original(text, start, start + 8)
    assert text[first:last] == "needle é"


# The page -------------------------------------------------------------------------------------------------------------

BLOCKS = [
    *((0x20, 0x7F), (0xA0, 0x180), (0x180, 0x250), (0x2B0, 0x300), (0x300, 0x370), (0x370, 0x400), (0x400, 0x530)),
    *((0x590, 0x600), (0x600, 0x700), (0x900, 0xA00), (0xE00, 0xE80), (0x1100, 0x1200), (0x1E00, 0x2000)),
    *((0x2000, 0x2070), (0x20D0, 0x20F1), (0x2100, 0x2200), (0x2200, 0x2300), (0x2460, 0x2500), (0x3000, 0x3100)),
    *((0x3130, 0x3190), (0x3200, 0x3400), (0x4E00, 0x4F00), (0xAC00, 0xAD00), (0xF900, 0xFA00), (0xFB00, 0xFB50)),
    *((0xFE00, 0xFE30), (0xFF00, 0xFFF0), (0x1F600, 0x1F650), (0xE0100, 0xE0110)),
]
IN_PAGE = """
import { fold, foldWords } from "./static/chat/js/data/folding.js"
import { readFileSync } from "node:fs"
const texts = JSON.parse(readFileSync(0, "utf8"))
console.log(JSON.stringify(texts.map((text) => [fold(text), foldWords(text)])))
"""


def is_assigned(character):
    return unicodedata.category(character) not in ("Cn", "Cs", "Cc")


def generated_texts(count):
    dice = random.Random(1)
    characters = [[chr(code) for code in range(*block) if is_assigned(chr(code))] for block in BLOCKS]
    for number in range(count):
        chosen = dice.choices(characters, k=3)
        text = "".join(dice.choice(dice.choice(chosen)) for _ in range(dice.randint(1, 60)))
        yield unicodedata.normalize(["NFC", "NFD", "NFKC", "NFKD"][number % 8], text) if number % 8 < 4 else text
    for length in (1, 30, 31, 32, 33, 63, 64, 65, 2_000):
        yield "e" + "\u0301\u0323" * length + "か" + "\u3099" * length + "ㅋ" * length
        yield "a" * length + "\u0301" + "日" * length + "ﾞ" + "\u1100\u1161\u11a8" * length


def test_page_folds_as_the_server_does():
    texts = [*generated_texts(2_000), *(spelling for spellings in SPELLINGS for spelling in spellings)]
    texts += [chr(code) for code in range(0x20, 0x1F000) if is_assigned(chr(code)) and not 0xD7FF < code < 0xF900]
    command = ["node", "--input-type=module", "--eval", IN_PAGE]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(texts), capture_output=True, text=True, check=True)
    in_page = json.loads(done.stdout)
    differences = [
        (text, fold(text), *page)
        for text, page in zip(texts, in_page, strict=True)
        if page != [fold(text), fold_words(text)]
    ]
    assert differences == []


def test_clusters_fold_as_the_whole_text_does():
    for text in generated_texts(500):
        folded = fold(text)
        for place in range(0, len(folded), 7):
            first, last = find_in_original(text, place, place + 1)
            assert folded[place] in fold(text[first:last])
