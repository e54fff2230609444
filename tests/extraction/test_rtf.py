"""Rich Text Format, as Word, WordPad, LibreOffice and TextEdit write it."""

import time

import pytest

from chat.extraction.rtf import Reader
from chat.worker_process import TaskRefused

HEAD = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fnil\fcharset0 Arial;}{\f1\fnil\fcharset128 MS Mincho;}"
HEAD += r"{\f2\fnil\fcharset204 Arial CYR;}}{\colortbl;\red0\green0\blue0;}{\*\generator Riched20 10.0;}"


def escaped(text, encoding):
    r"""Returns the text as RTF has it, \'xx for each byte that is not a letter."""
    return "".join(
        chr(byte) if chr(byte).isalpha() and byte < 128 else f"\\'{byte:02x}" for byte in text.encode(encoding)
    )


def test_rtf_is_recognized_by_its_content(extract):
    read = extract(HEAD + r"\pard Hello\par}", "a.txt")
    assert (read.media_type, read.text, read.notes) == ("application/rtf", "Hello", ["name_differs"])
    assert extract(HEAD + r"\pard Hello\par}", "a.rtf").notes == []
    assert extract(r"Write {\rtf1 at the beginning.", "a.txt").media_type == "text/plain"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"\'93Caf\'e9\'94 \ldblquote x\rdblquote  a\~b 3\endash 4", "“Café” “x” a b 3–4"),
        (r"soft\-hyphen non\_breaking", "softhyphen non-breaking"),
        (r"\{a\\b\}", r"{a\b}"),
        (r"\f1 \'93\'fa\'96\'7b\f0  \'e9 {\f2\'cf\'f0\'e8} \f0\'e9", "日本 é При é"),
        ("\\f1 \\'83\\\\\\'83A\\'83\\'5c", "ソアソ"),  # the second byte may be a backslash or a letter
        (r"\uc1\u26085?\u26412 ?\u233\'e9!", "日本é!"),
        (r"\uc2\u26085\'93\'fa\u-10179??\u-8704??{\uc0\u9731}", "日😀☃"),
        (r"\uc1\u8364{}x\u8364\tab y", "€x€y"),
        ("a\r\nb", "ab"),
        (r"one\par two\line three\tab four\page five", "one\n\ntwo\nthree\tfour\n\nfive"),
        (r"{\outlinelevel1 Title\par}\pard text", "## Title\n\ntext"),
        (r"seen{\v hidden}{\deleted gone} too{\v0 !}", "seen too!"),
        (r"a{\footnote b}{\*\annotation c}{\*\unknown d}{\info{\title e}}", "a [b] [c]"),
        (r'{\field{\*\fldinst HYPERLINK "https://a.b"}{\fldrslt link}}', "link"),
        (r"{\upr{plain}{\*\ud{\u26085?}}}", "plain"),
        (r"a{\pict\pngblip 89504e47}b{\*\shppict{\pict ffff}}c{\object{\*\objdata 0105}{\result d}}", "abcd"),
        (r"a{\pict\bin5 }}}}}}b", "ab"),
        (r"{\listtext\bullet\tab}item", "•\titem"),
    ],
)  # fmt: skip
def test_rtf_is_read(extract, source, text):
    assert extract(HEAD + source + "}").text == text


def test_rtf_is_read_in_the_code_page_of_the_document(extract):
    japanese = "～吾輩は猫である。ソ表示能力ｶﾅ"
    assert extract(rf"{{\rtf1\ansi\ansicpg932 {escaped(japanese, 'cp932')}\par}}").text == japanese
    assert extract(rf"{{\rtf1\mac {escaped('déjà', 'mac_roman')}}}").text == "déjà"
    assert extract(r"{\rtf1\ansi\ansicpg99999 caf\'e9}").text == "café"
    assert extract(rf"{{\rtf1\ansi\ansicpg949 {escaped('한국어', 'cp949')}}}").text == "한국어"


def test_rtf_is_read_with_its_tables(extract):
    row = r"\trowd\cellx100\cellx200\pard\intbl {}\cell {}\cell\row"
    source = r"Before\par" + row.format("Item", "Price") + row.format(r"Tea\par green", "3|4") + r"\pard After\par"
    table = "| Item | Price |\n| --- | --- |\n| Tea green | 3\\|4 |"
    assert extract(HEAD + source + "}").text == f"Before\n\n{table}\n\nAfter"
    assert extract(HEAD + row.format("Item", "Price").removesuffix(r"\row")).text == "| Item | Price |\n| --- | --- |"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"\pard\intbl a\cell b\cell\pard After\par End\par", "| a | b |\n| --- | --- |\n\nAfter\n\nEnd"),
        (r"\pard\intbl a\cell\pard\intbl b\pard After\pard !\par", "| a | b |\n| --- | --- |\n\nAfter!"),
        (r"\pard\intbl a\cell\pard\intbl b\par c\cell\row\pard After\par", "| a | b c |\n| --- | --- |\n\nAfter"),
        (r"\trowd\pard a\cell\pard b\cell\row After\par", "| a | b |\n| --- | --- |\n\nAfter"),
    ],
    ids=["a row without end", "a cell without end", "a cell of two paragraphs", "cells that are not marked"],
)
def test_rtf_is_read_on_after_a_table(extract, source, text):
    assert extract(HEAD + source + "}").text == text


def test_rtf_says_that_hidden_text_was_left_out(extract):
    assert extract(HEAD + r"a{\v b}}").notes == ["hidden_text_left_out"]


@pytest.mark.parametrize(
    "source", ["", "\\", "\\u", "\\'9", "{" * 50, "}" * 50, "\\bin-5 a", "\\bin99999999 a", "\\uc-1\\u65 a"]
)
def test_rtf_that_is_damaged_is_read_as_far_as_it_goes(extract, source):
    assert extract(r"{\rtf1 before " + source).text.startswith("before")


def test_rtf_is_bounded(extract):
    with pytest.raises(TaskRefused, match="file_damaged"):
        extract(HEAD + "{" * 100_000)
    read = extract(HEAD + r"line\par " * 10_000 + "}", max_characters=500)
    assert len(read.text) <= 500
    assert read.notes == ["truncated:1"]


@pytest.mark.parametrize("word", ["par", "cell", "row", "sect", "page"])
def test_rtf_of_empty_paragraphs_and_cells_is_bounded(extract, word):
    read = extract(HEAD + r"before\par" + rf"\{word}" * 1_000 + " after}", max_characters=500)
    assert (read.text, read.notes) == ("before", ["truncated:1"])


def test_rtf_with_short_rows_below_a_long_one_is_bounded(extract):
    source = r"a\cell " * 100 + r"\row" + r" b\cell\row" * 1_000
    reader = Reader((HEAD + source + "}").encode(), max_characters=2_000)
    assert len(reader.read()) < 10_000


def test_rtf_with_large_pictures_is_read_fast(extract):
    start = time.process_time()
    picture = "{\\pict\\pngblip\n" + ("0123456789abcdef" * 8 + "\n") * 100_000 + "}"
    assert extract(HEAD + "a" + picture + "b}").text == "ab"
    assert time.process_time() - start < 5
