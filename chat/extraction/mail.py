"""Mail: one message (.eml), or a mailbox of several (.mbox)."""

import email
import re
from collections.abc import Iterator
from email.message import EmailMessage, Message
from email.policy import default
from typing import cast

from .base import SourceFile, TextWriter
from .encodings import NotText, decode
from .html import html_to_text

EXTENSIONS = {"eml", "mbox"}
HEADER = re.compile(rb"([A-Za-z][A-Za-z-]{0,60}):[ \t]?")
KNOWN = {b"from", b"to", b"subject", b"date", b"message-id", b"received", b"return-path", b"mime-version", b"x-mailer"}
MIN_KNOWN = 2
SHOWN = ("From", "To", "Cc", "Date", "Subject")
MAX_HEADER_LENGTH = 2_000


def accepts(file: SourceFile) -> bool:
    head = file.head.removeprefix(b"\xef\xbb\xbf")
    if head.startswith(b"From "):
        head = head.partition(b"\n")[2]
    names = set()
    for line in head.split(b"\n")[:100]:
        if match := HEADER.match(line):
            names.add(match[1].lower())
        elif not line.startswith((b" ", b"\t")):
            break
    return len(names & KNOWN) >= MIN_KNOWN and b"from" in names


def read(file: SourceFile, writer: TextWriter) -> None:
    messages = list(_messages(file.read()))
    writer.begin("application/mbox" if len(messages) > 1 else "message/rfc822", "message", len(messages))
    for number, data in enumerate(messages, 1):
        writer.check_limits()
        writer.add(str(number), _read_message(email.message_from_bytes(data, policy=default), writer))


def _messages(data: bytes) -> Iterator[bytes]:
    """Yields the messages of a mailbox: each begins with a line "From ", after an empty line."""
    if not data.startswith(b"From "):
        yield data
        return
    start = data.find(b"\n") + 1
    while start:
        end = data.find(b"\n\nFrom ", start)
        if end < 0:
            end = data.find(b"\r\n\r\nFrom ", start)
        yield data[start : end if end >= 0 else len(data)]
        start = data.find(b"\n", end + 4) + 1 if end >= 0 else 0


def _read_message(message: Message, writer: TextWriter) -> str:
    lines = [f"{name}: {value}" for name in SHOWN if (value := _header(message, name))]
    body, names = "", []
    for part in message.walk():
        if part.is_multipart():
            continue
        name = _file_name(part)
        kind = part.get_content_type()
        if name or part.get_content_disposition() == "attachment":
            names.append(name or kind)
        elif kind == "text/plain" and not body:
            body = _text(part)
        elif kind == "text/html" and not body:
            body = html_to_text(_text(part))
    if names:
        writer.note("attachments_left_out")
        lines.append(f"Attachments: {', '.join(names)}")
    return "\n".join([*lines, "", body.replace("\r\n", "\n")])


def _header(message: Message, name: str) -> str:
    try:
        return " ".join(str(message[name] or "").split())[:MAX_HEADER_LENGTH]
    except Exception:  # the parser of addresses raises all kinds of errors for odd ones
        return ""


def _file_name(part: Message) -> str:
    try:
        return " ".join((part.get_filename() or "").split())[:200]
    except Exception:
        return ""


def _text(part: Message) -> str:
    data = cast(EmailMessage, part).get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    try:
        return data.decode(str(part.get_content_charset() or "ascii"))
    except (LookupError, ValueError):
        try:
            return decode(data)[0]
        except NotText:
            return ""
