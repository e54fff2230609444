"""Web pages and mail."""

import pytest

from chat.extraction.html import html_to_text

PAGE = """<!DOCTYPE html><html><head><title>Prices</title><meta charset="{charset}"><style>p {{ color: red }}</style>
<script>alert("<p>no</p>")</script></head><body><h1>Our  prices</h1>
<p>All in <b>yen</b>,<br>with&nbsp;tax &amp; more.</p>
<ul><li>one<li>two</ul><table><tr><th>Name<th>円</tr><tr><td>Tea<td>500</tr></table>
<div hidden>no</div><noscript>no</noscript>
<pre>a
  b</pre></body></html>"""
TEXT = """Prices

# Our prices

All in yen,
with tax & more.

- one
- two

| Name | 円 |
| --- | --- |
| Tea | 500 |

a
  b"""


@pytest.mark.parametrize(
    ("charset", "note"), [("utf-8", []), ("Shift_JIS", ["encoding:shift_jis"]), ("EUC-JP", ["encoding:euc-jp"])]
)
def test_html_is_read_without_scripts_and_styles(extract, charset, note):
    read = extract(PAGE.format(charset=charset).encode(charset), "page")
    assert (read.media_type, read.text.replace("\xa0", " "), read.notes) == ("text/html", TEXT, note)


@pytest.mark.parametrize(
    "source", ["<html><p>a", "<table><tr><td>a", "</p></table></html>", "<p hidden><div>x", "<!--", "<pre>a\n\nb"]
)
def test_html_that_is_not_closed_is_read(source):
    html_to_text(source)


def test_source_code_with_tags_stays_source_code(extract):
    code = 'print("<html>")\n'
    assert extract(code, "a.py").text == code.strip()
    assert extract("<svg><script>1</script></svg>", "a.svg").text == "<svg><script>1</script></svg>"


MAIL = """From: =?iso-2022-jp?B?GyRCOzNFRBsoQg==?= <yamada@example.jp>
To: b@example.com
Date: Mon, 30 Nov 2026 10:00:00 +0900
Subject: =?utf-8?B?5Lya6K2w?=
X-Secret: no
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: multipart/alternative; boundary="c"

--c
Content-Type: text/plain; charset=utf-8

Plain text.
--c
Content-Type: text/html; charset=utf-8

<p>HTML</p>
--c--
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename="a.pdf"

x
--b--
"""


def test_mail_is_read_with_its_headers(extract):
    read = extract(MAIL, "a.eml")
    assert (read.media_type, read.unit, read.count) == ("message/rfc822", "message", 1)
    assert read.notes == ["attachments_left_out"]
    assert read.text == (
        "From: 山田 <yamada@example.jp>\nTo: b@example.com\nDate: Mon, 30 Nov 2026 10:00:00 +0900\nSubject: 会議\n"
        "Attachments: a.pdf\n\nPlain text."
    )


def test_mail_of_html_alone_is_read_as_text(extract):
    read = extract("From: a@b.c\nSubject: Hi\nContent-Type: text/html\n\n<p>One</p><p>Two</p>")
    assert read.text.endswith("One\n\nTwo")


def test_mailbox_is_read_by_messages(extract):
    message = "From a@b.c Mon Nov 30 2026\nFrom: a@b.c\nSubject: {0}\n\nText {0}\n\n"
    read = extract(message.format(1) + message.format(2), "a.mbox")
    assert (read.unit, read.count, read.labels) == ("message", 2, ["1", "2"])
    assert read.units[1]["text"] == "From: a@b.c\nSubject: 2\n\nText 2"


def test_text_about_email_stays_text(extract):
    assert extract("Subject: a talk\nabout mail").media_type == "text/plain"
