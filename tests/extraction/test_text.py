"""Plain text, Markdown and source code."""

import pytest

from chat.worker_process import TaskRefused


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("notes.txt", "text/plain"),
        ("README.md", "text/markdown"),
        ("main.py", "text/plain"),
        ("Makefile", "text/plain"),
    ],
)
def test_text_is_one_unit_without_a_label(extract, name, media_type):
    read = extract("one\n\n  二\n", name)
    assert (read.media_type, read.unit, read.count, read.notes) == (media_type, None, None, [])
    assert read.units == [{"label": "", "text": "one\n\n  二"}]


def test_text_that_is_too_long_is_cut_at_a_line(extract):
    read = extract("line one\nline two\nline three\n", max_characters=20)
    assert read.text == "line one\nline two"
    assert read.notes == ["truncated:1"]


@pytest.mark.parametrize("data", [b"", b"\0", b"\1\2\3"])
def test_binary_file_is_refused(extract, data):
    with pytest.raises(TaskRefused):
        extract(data)


@pytest.mark.parametrize(("encoding", "note"), [("cp932", "encoding:cp932"), ("utf-16", "encoding:utf-16")])
def test_text_of_another_encoding_says_which(extract, encoding, note):
    read = extract("はい、そうです。\r\n次の行".encode(encoding))
    assert (read.text, read.notes) == ("はい、そうです。\n次の行", [note])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", '名前,"a, b"\n"two\nlines",2\n'),
        ("a.csv", "名前;a, b\ntwo lines;2\n"),
        ("a.tsv", "名前\ta, b\ntwo lines\t2\n"),
    ],
)
def test_csv_becomes_a_table(extract, name, text):
    assert extract(text, name).text == "| 名前 | a, b |\n| --- | --- |\n| two lines | 2 |"


def test_csv_of_one_column_stays_text(extract):
    assert extract("one\ntwo\n", "a.csv").text == "one\ntwo"
