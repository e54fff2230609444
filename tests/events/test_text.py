"""Texts are shortened between visible letters, in time that does not depend on what is left out."""

import unicodedata

import pytest

from chat.events import shorten

FAMILY = "👨\u200d👩\u200d👧\u200d👦"
ENGLAND = "🏴" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbeng") + "\U000e007f"


@pytest.mark.parametrize(
    ("text", "shortened"),
    [
        ("", ""),
        ("Trains", "Trains"),
        ("Trains to Kyoto", "Trains to…"),
        ("Trains t", "Trains t"),
        ("東京から京都までの電車の時刻表", "東京から京都までの…"),
        ("Families" + FAMILY, "Families…"),
        ("Waving hi👋🏽!!", "Waving hi…"),
        ("Cafe\u0301s and more", "Cafe\u0301s an…"),
        ("Wochenende\u0301 so", "Wochenend…"),
        ("Flags 12🇯🇵🇫🇷", "Flags 12…"),
        ("Flags 1🇯🇵🇫🇷", "Flags 1🇯🇵…"),
        ("Teams 1" + ENGLAND + "!", "Teams 1…"),
        ("Press ab1\ufe0f\u20e3!", "Press ab…"),
        ("I like y❤\ufe0f!!", "I like y…"),
        ("Seoul is \u1112\u1161\u11ab!", "Seoul is…"),
        ("テスト12345ﾊﾞｽ6", "テスト12345…"),
        ("12345678क्षति", "12345678…"),
        ("12345678กำลัง", "12345678…"),
    ],
)
def test_shorten_cuts_between_graphemes(text, shortened):
    assert shorten(text, 10) == shortened
    assert len(shortened) <= 10


def test_shorten_never_exceeds_the_maximum():
    for text in (
        "a" + "\u0301" * 1000,
        "\u200d" * 1000,
        FAMILY * 100,
        "👍🏽" * 100,
        "🇯🇵" * 100,
        ENGLAND * 100,
        " " * 1000,
    ):
        for length in range(1, 100):
            assert len(shorten(text, length)) <= length


def test_shorten_reads_only_the_beginning(monkeypatch):
    looked_at = []
    category = unicodedata.category
    monkeypatch.setattr(unicodedata, "category", lambda letter: looked_at.append(letter) or category(letter))
    shorten("a" + "\u0301" * 50_000 + "\u0323" * 49_999, 60)
    assert len(looked_at) < 60
