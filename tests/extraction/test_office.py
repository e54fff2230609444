"""Word documents, spreadsheets, presentations, and their relatives of OpenDocument."""

import io
import zipfile

import pytest

from chat.extraction import package
from chat.worker_process import TaskRefused
from tests.extraction.made_files import archive, docx, open_document, paragraph, pptx, shape, xlsx

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504


# Word documents -------------------------------------------------------------------------------------------------------


def test_docx_is_read_with_headings_lists_and_tables(extract):
    styles = '<w:style w:styleId="a1"><w:name w:val="heading 2"/></w:style>'
    wide = '<w:tcPr><w:gridSpan w:val="2"/></w:tcPr>'
    table = (
        f"<w:tbl><w:tr><w:tc>{paragraph('Name')}</w:tc><w:tc>{paragraph('a|b')}</w:tc></w:tr>"
        f"<w:tr><w:tc>{wide}{paragraph('東京')}{paragraph('都')}</w:tc></w:tr></w:tbl>"
    )
    body = (
        paragraph("Title", '<w:pPr><w:pStyle w:val="a1"/></w:pPr>')
        + "<w:p><w:r><w:t>one</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three</w:t></w:r></w:p>"
        + paragraph("item", "<w:pPr><w:numPr/></w:pPr>")
        + table
    )
    read = extract(docx(body, styles), "a.docx")
    assert (read.unit, read.count, read.notes) == (None, None, [])
    assert read.text == "## Title\n\none\ttwo\nthree\n\n- item\n\n| Name | a\\|b |\n| --- | --- |\n| 東京 都 |  |"


def test_docx_is_read_without_what_was_deleted_or_hidden(extract):
    body = (
        "<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r>"
        '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> shown</w:t></w:r></w:p>'
    )
    read = extract(docx(body))
    assert (read.text, read.notes) == ("new shown", ["hidden_text_left_out"])


def test_docx_is_read_with_text_boxes_once_and_readings_of_kanji(extract):
    box = f"<w:txbxContent>{paragraph('In a box')}</w:txbxContent>"
    body = (
        f"<w:p><w:r><w:AlternateContent><w:Choice>{box}</w:Choice><w:Fallback>{box}</w:Fallback></w:AlternateContent>"
        "<w:t>Before </w:t></w:r><w:r><w:ruby><w:rt><w:r><w:t>かんじ</w:t></w:r></w:rt>"
        "<w:rubyBase><w:r><w:t>漢字</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>"
    )
    assert extract(docx(body)).text == "Before 漢字(かんじ)\n\nIn a box"


def test_docx_is_read_with_its_headers_and_notes(extract):
    parts = {
        "word/header1.xml": f"<w:hdr xmlns:w='w'>{paragraph('Confidential')}</w:hdr>",
        "word/header2.xml": f"<w:hdr xmlns:w='w'>{paragraph('Confidential')}</w:hdr>",
        "word/footnotes.xml": f"<w:footnotes xmlns:w='w'><w:footnote>{paragraph('A note')}</w:footnote></w:footnotes>",
    }
    related = {"a": ("header", "header1.xml"), "b": ("header", "header2.xml"), "c": ("footnotes", "footnotes.xml")}
    assert extract(docx(paragraph("Body"), others=parts, related=related)).text == "Confidential\n\nBody\n\nA note"


def test_docx_with_macros_says_that_they_are_ignored(extract):
    read = extract(docx(paragraph("Body"), others={"word/vbaProject.bin": b"\0"}), "a.docm")
    assert (read.text, read.notes) == ("Body", ["macros_ignored"])


# Spreadsheets ---------------------------------------------------------------------------------------------------------


def test_xlsx_is_read_by_visible_sheets(extract):
    sheets = {
        "売上": ([["月", "額"], ["4月", 1200], ["5月", 0.5]], "visible"),
        "Secret": ([["hidden"]], "hidden"),
        "More": ([["very hidden"]], "veryHidden"),
        "Last": ([["x"]], "visible"),
    }
    read = extract(xlsx(sheets), "a.xlsx")
    assert (read.unit, read.count, read.notes) == ("sheet", 2, ["hidden_sheets_left_out"])
    assert read.units == [
        {"label": "売上", "text": "| 月 | 額 |\n| --- | --- |\n| 4月 | 1200 |\n| 5月 | 0.5 |"},
        {"label": "Last", "text": "| x |\n| --- |"},
    ]


def test_xlsx_shows_the_values_of_formulas(extract):
    rows = '<row><c t="str"><f>CONCAT("a","b")</f><v>ab</v></c><c><f>1+1</f><v>2</v></c></row>'
    read = extract(xlsx({"S": (rows, "visible")}))
    assert (read.text, read.notes) == ("| ab | 2 |\n| --- | --- |", ["formulas_shown_as_values"])


def test_xlsx_that_is_long_is_cut_by_rows(extract):
    read = extract(xlsx({"S": ([["row", number] for number in range(1000)], "visible")}), max_characters=60)
    assert read.text == "| row | 0 |\n| --- | --- |\n| row | 1 |\n| row | 2 |"
    assert read.notes == ["truncated:1"]


def test_xlsx_with_a_cell_far_away_is_refused_or_read(extract):
    """The row and column between are not held in memory."""
    rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="9999"><c r="Z9999"><v>2</v></c></row>'
    assert extract(xlsx({"S": (rows, "visible")})).text.count("2") == 1


# Presentations --------------------------------------------------------------------------------------------------------


def test_pptx_is_read_by_slides_with_notes(extract):
    table = "<a:tbl><a:tr><a:tc>{0}</a:tc><a:tc>{0}</a:tc></a:tr></a:tbl>".format("<a:p><a:r><a:t>x</a:t></a:r></a:p>")
    slides = [
        (shape("Title") + shape("Body"), "", "What I say"),
        (shape("Backup"), 'show="0"', ""),
        (f"<p:graphicFrame>{table}</p:graphicFrame>", "", ""),
    ]
    read = extract(pptx(slides), "a.pptx")
    assert (read.unit, read.count, read.notes) == ("slide", 3, ["hidden_slides_left_out"])
    assert read.units == [
        {"label": "1", "text": "Title\nBody\n\nNotes:\n\nWhat I say"},
        {"label": "3", "text": "| x | x |\n| --- | --- |"},
    ]


# OpenDocument ---------------------------------------------------------------------------------------------------------


def test_odt_is_read(extract):
    content = (
        '<office:text><text:h text:outline-level="1">Title</text:h>'
        "<text:p>one<text:s text:c='2'/>two <text:span>three</text:span> four<text:line-break/>five</text:p>"
        "<table:table><table:table-row><table:table-cell table:number-columns-repeated='2'><text:p>x</text:p>"
        "</table:table-cell></table:table-row></table:table></office:text>"
    )
    read = extract(open_document("text", content), "a.odt")
    assert read.text == "# Title\n\none  two three four\nfive\n\n| x | x |\n| --- | --- |"


def test_odp_is_read_by_slides(extract):
    page = "<draw:page><draw:frame><text:p>{}</text:p></draw:frame></draw:page>".format
    read = extract(open_document("presentation", page("One") + page("Two")), "a.odp")
    assert (read.unit, read.count, read.text) == ("slide", 2, "One\nTwo")


def test_odt_with_a_password_is_refused(extract):
    data = open_document("text", "", manifest="<manifest><encryption-data/></manifest>")
    with pytest.raises(TaskRefused, match="file_encrypted"):
        extract(data)


# Files that are not what they should be -------------------------------------------------------------------------------


WHOLE_FILES = [docx(paragraph("x" * 500)), xlsx({"S": ([["x"]], "visible")}), pptx([(shape("x"), "", "")])]
ENTITIES = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><w:document xmlns:w="w">&b;</w:document>'
EXTERNAL = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><w:document xmlns:w="w">&a;</w:document>'


@pytest.mark.parametrize("xml", [ENTITIES, EXTERNAL, "<w:document>", "", "\0\1"])
def test_office_file_with_entities_or_damaged_xml_is_refused(extract, xml):
    with pytest.raises(TaskRefused, match="file_damaged"):
        extract(docx("", others={"word/document.xml": xml}))


def test_office_file_that_unpacks_to_very_much_is_refused(extract):
    bomb = b"<w:document xmlns:w='w'>" + b" " * 70_000_000 + b"</w:document>"
    with pytest.raises(TaskRefused, match="file_too_large"):
        extract(docx("", others={"word/document.xml": bomb}))


def test_office_file_of_very_many_entries_is_refused(extract, monkeypatch):
    monkeypatch.setattr(package, "MAX_ENTRIES", 10)
    with pytest.raises(TaskRefused, match="file_too_large"):
        extract(docx("", others={f"word/{number}": "" for number in range(20)}))


def test_office_file_may_name_paths_outside_of_it(extract, tmp_path):
    others = {"../../outside": "x", "/etc/passwd": "x"}
    related = {"a": ("header", "../../../../../etc/passwd"), "b": ("header", "/etc/passwd")}
    assert extract(docx(paragraph("Body"), others=others, related=related | {"c": ("header", "nothing")})).text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "target"]


def test_office_file_with_a_password_is_refused(extract):
    with pytest.raises(TaskRefused, match="file_encrypted"):
        extract(OLE + "EncryptedPackage".encode("utf-16-le") + b"\0\0" * 50)


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        ("WordDocument", "file_type_old"),
        ("PowerPoint Document", "file_type_old"),
        ("__properties_version1.0", "file_type_outlook"),
        ("VisioDocument", "file_type_unknown"),
    ],
)
def test_office_file_of_the_old_format_is_refused_by_its_name(extract, stream, code):
    with pytest.raises(TaskRefused, match=code):
        extract(OLE + stream.encode("utf-16-le") + b"\0\0" * 50)


@pytest.mark.parametrize("name", ["a.docx", "a.xlsx", "a.pptx"])
def test_office_file_that_is_another_zip_file_is_refused(extract, name):
    with pytest.raises(TaskRefused, match="file_damaged"):
        extract(archive({"a.txt": "x"}), name)
    with pytest.raises(TaskRefused, match="file_type_unknown"):
        extract(archive({"a.txt": "x"}), "a.zip")


@pytest.mark.parametrize(
    "whole", [docx(paragraph("x" * 500)), xlsx({"S": ([["x"]], "visible")}), pptx([(shape("x"), "", "")])]
)
def test_office_file_that_is_cut_is_refused(extract, whole):
    for length in range(30, len(whole), 41):
        with pytest.raises(TaskRefused):
            extract(whole[:length], "a.docx")


@pytest.mark.parametrize(
    "whole", [docx(paragraph("x" * 500)), xlsx({"S": ([["x"]], "visible")}), pptx([(shape("x"), "", "")])]
)
def test_office_file_with_wrong_bytes_is_read_or_refused(extract, whole):
    for place in range(0, len(whole), 13):
        try:
            extract(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :], "a.docx")
        except TaskRefused as refusal:
            assert refusal.code.startswith("file_")


def test_zip_file_whose_text_is_stored_is_read(extract):
    with zipfile.ZipFile(io.BytesIO(docx(paragraph("Body")))) as file:
        files = {name: file.read(name) for name in file.namelist()}
    assert extract(archive(files, zipfile.ZIP_STORED)).text == "Body"
