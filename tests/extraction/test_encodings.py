"""The encodings of texts."""

import pytest

from chat.extraction.encodings import NotText, decode

JAPANESE = "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。ﾃｽﾄ①\n"
ENCODINGS = {
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
    "utf-32": "utf-32",
    "cp932": "cp932",
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_japanese_text_is_read(encoding):
    assert decode(JAPANESE.encode(encoding)) == (JAPANESE, ENCODINGS[encoding])


@pytest.mark.parametrize(
    ("encoding", "name"), [("euc_jp", "euc-jp"), ("iso2022_jp", "iso-2022-jp"), ("iso2022_jp_ext", "iso-2022-jp")]
)
def test_japanese_text_of_the_older_kinds_is_read(encoding, name):
    text = JAPANESE.replace("①", "").replace("ﾃｽﾄ", "" if encoding == "iso2022_jp" else "ﾃｽﾄ")
    assert decode(text.encode(encoding)) == (text, name)


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp"])
@pytest.mark.parametrize(
    "text", ["氏名,住所\n山田,東京都\n", "カタカナ\n", "東京都千代田区霞が関\n", "price: 100円\n", "はい\n"]
)
def test_short_japanese_text_is_read(encoding, text):
    assert decode(text.encode(encoding))[0] == text


def test_half_width_kana_of_a_bank_are_read():
    text = "ﾌﾘｺﾐ ﾔﾏﾀﾞ ﾀﾛｳ\r\nｷﾀﾞ ｼﾞﾛｳ 12,000\r\n"
    assert decode(text.encode("cp932")) == (text, "cp932")


@pytest.mark.parametrize(
    "text", ["déjà vu à l’école, naïve café\n", "Müller fährt nach Köln – „schön“\n", "señor, ¿qué?\n"]
)
def test_text_of_western_europe_is_read(text):
    assert decode(text.encode("cp1252")) == (text, "cp1252")


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 10,
        b"\0" * 100,
        b"\x7fELF\2\1\1" + b"\0\1\2\3" * 100,
        b"\1\2\3" * 9,
        b"\xff\xfe\0\1" * 9,  # many marks of UTF-16
        b"\xff\xfe" + bytes(range(256)) * 10,
        b"\xff\xfe\0\0" + bytes(range(1, 256)) * 8,
        b"\xef\xbb\xbf" + bytes(range(32, 256)) * 8,
    ],
)
def test_binary_data_is_refused(data):
    with pytest.raises(NotText):
        decode(data)


def test_empty_text_is_text():
    assert decode(b"") == ("", "utf-8")
