"""PDF files."""

import pytest

from chat.worker_process import TaskRefused
from tests.extraction.made_files import PASSWORD, PICTURE, pdf


def test_pdf_is_read_page_by_page(extract):
    read = extract(
        pdf([[(72, 700, "The first page."), (72, 680, "Second line.")], [(72, 700, "Another page.")]]), "a.pdf"
    )
    assert (read.media_type, read.unit, read.count, read.notes) == ("application/pdf", "page", 2, [])
    assert read.units == [
        {"label": "1", "text": "The first page.\nSecond line."},
        {"label": "2", "text": "Another page."},
    ]


@pytest.mark.parametrize("name", ["a.txt", "a", "a.docx", "報告.png"])
def test_pdf_is_recognized_by_its_content(extract, name):
    read = extract(pdf([[(72, 700, "Plain ASCII.")]]), name)
    assert (read.media_type, read.text) == ("application/pdf", "Plain ASCII.")
    assert read.notes == (["name_differs"] if name.endswith((".txt", ".docx", ".png")) else [])


@pytest.mark.parametrize("cmap", ["UniJIS-UCS2-H", "UniJIS-UCS2-V", "90ms-RKSJ-H", "90ms-RKSJ-V"])
def test_pdf_in_japanese_is_read(extract, cmap):
    text = "国際化と多言語対応、ｶﾀｶﾅ半角"
    assert extract(pdf([[(200, 700, text)]], cmap=cmap)).text == text


@pytest.mark.parametrize("cmap", ["UniJIS-UCS2-V", "90ms-RKSJ-V"])
def test_pdf_of_vertical_columns_is_read_from_right_to_left(extract, cmap):
    page = [(500, 800, "右の列がはじめです"), (480, 800, "次の列がそのつぎで"), (460, 800, "左の列が最後です")]
    below = [(500, 400, "下の段は右からです"), (480, 400, "下の段の左の列です")]
    expected = [text for _, _, text in page + below]
    assert extract(pdf([page + below], cmap=cmap)).text.split("\n") == expected


def test_pdf_of_pictures_says_that_it_has_no_text(extract):
    picture = b"q 100 0 0 100 72 600 cm /I Do Q"
    assert extract(pdf([picture, picture], extra=PICTURE)).notes == ["no_text"]
    mixed = extract(pdf([picture, [(72, 700, "Text.")]], extra=PICTURE))
    assert mixed.notes == ["some_pages_without_text"]
    assert mixed.labels == ["1", "2"]


def test_pdf_with_an_empty_page_is_not_a_scan(extract):
    assert extract(pdf([[(72, 700, "Text.")], b""])).notes == []


def test_pdf_with_a_password_is_refused(extract):
    with pytest.raises(TaskRefused, match="file_encrypted"):
        extract(pdf([[(72, 700, "Secret.")]], trailer=PASSWORD))


@pytest.mark.parametrize("data", [b"%PDF-1.7", b"%PDF-1.7\n" + b"x" * 10_000, pdf([])])
def test_pdf_that_is_damaged_is_refused(extract, data):
    with pytest.raises(TaskRefused, match="file_damaged"):
        extract(data)


def test_pdf_of_very_many_pages_is_cut_by_pages(extract):
    pages = [[(72, 700, f"Page number {number}.")] for number in range(1, 121)]
    read = extract(pdf(pages), max_units=100)
    assert (read.count, len(read.units), read.notes) == (120, 100, ["truncated:100"])
    read = extract(pdf(pages), max_characters=50)
    assert [unit["text"] for unit in read.units] == ["Page number 1.", "Page number 2.", "Page number 3."]
    assert read.notes == ["truncated:3"]


def test_pdf_that_takes_long_is_cut_when_its_time_is_over(extract):
    read = extract(pdf([[(72, 700, "Text.")]] * 3), cpu_seconds=0)
    assert (read.units, read.count, read.notes) == ([], 3, ["no_text", "truncated:0"])
