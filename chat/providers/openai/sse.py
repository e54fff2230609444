"""Server-sent events, as model servers send them.

Tolerates what servers were seen to send: comments, `id:` and `event:` lines, a BOM, CR line ends, multi-line data, a
missing last newline, one JSON object in place of a stream.
"""

from collections.abc import Iterable, Iterator

import orjson
from django.utils.translation import gettext

from ...response_limits import MAX_EVENT_SIZE
from .. import errors
from ..base import ProviderError

MAX_TEXT_LENGTH = 10_000  # bytes of a response in plain text, which is taken for an error
MAX_LEADING_SPACE = 1_000  # bytes before the first character that tells what the response is
FIELDS = (b"data", b"event", b"id", b"retry", b":")
BOM = b"\xef\xbb\xbf"


class SSEDecoder:
    """Packets of a server-sent event stream -> the `data` of each event, as bytes; `error` events as error objects.

    One JSON object in place of a stream is its only event; a web page is refused; a plain text is an error.
    """

    def __init__(self) -> None:
        self.started = False
        self.is_json = False  # one JSON document, no events
        self.after_cr = False
        self.line: list[bytes] = []  # packets of the line that has not ended yet
        self.data: list[bytes] = []  # lines of the event that has not ended yet
        self.size = 0  # bytes of both
        self.event_name = b""
        self.has_event = False
        self.text: list[bytes] = []  # lines that are none of an event stream, until the first event
        self.text_length = 0  # bytes

    def feed(self, packet: bytes) -> Iterable[bytes]:
        """Returns the events that end with this packet."""
        is_between = self.started and not (self.is_json or self.after_cr or self.line or self.data or self.event_name)
        if is_between and packet.startswith((b"data: {", b"event: response.")):
            start = 0 if packet.startswith(b"d") else packet.find(b"\n") + 1
            if packet.startswith(b"data: {", start) and packet.find(b"\n", start) == len(packet) - 2:
                if packet.endswith(b"\n") and b"\r" not in packet:
                    return (packet[start + 6 : -2],)  # one event and nothing else, as nearly always
        return self._decode(packet)

    def close(self) -> Iterator[bytes]:
        """Yields what is left when the stream ends, which may have cut it anywhere.

        Raises ProviderError if the response was empty.
        """
        if self.is_json:
            yield b"".join(self.line)
            return
        if not self.started and not b"".join(self.line).strip():
            raise errors.empty()
        yield from self.feed(b"\n\n")
        if self.text and not self.has_event:
            yield _error(b"\n".join(self.text))

    def _decode(self, packet: bytes) -> Iterator[bytes]:
        if not self.started:
            packet = self._start(packet)
        if self.after_cr or b"\r" in packet:
            packet = self._normalize_newlines(packet)
        if self.is_json or b"\n" not in packet:
            self.line.append(packet)
            self._add_size(len(packet))
            return
        if self.line:
            self.size -= sum(map(len, self.line))  # counted again below
            packet = b"".join([*self.line, packet])
        *lines, rest = packet.split(b"\n")
        self.line = [rest] if rest else []
        for line in lines:
            if line.startswith(b"data:"):
                self.data.append(line[6:] if line[5:6] == b" " else line[5:])
                self.size += len(line)
            elif not line:
                if self.data:
                    yield self._take_event()
                self.event_name = b""
            elif line.startswith(b"event:"):
                self.event_name = line[6:].strip()
            elif line.startswith(b"error:"):  # as llama.cpp reports errors
                yield _error(line[6:])
            elif not (self.has_event or line.startswith(FIELDS)):
                self._add_text(line)
        self._add_size(len(rest))

    def _start(self, packet: bytes) -> bytes:
        """Returns the stream's first bytes without a BOM, and tells from them what kind of response it is."""
        packet = b"".join([*self.line, packet])
        self.line = []
        if len(packet) < 3 and BOM.startswith(packet):
            self.line = [packet]
            return b""
        packet = packet.removeprefix(BOM)
        first = packet.lstrip()[:1]
        if first == b"<":
            sentence = gettext("The model's address returned a web page.")
            raise ProviderError(sentence, "not_a_stream", broken_off=True)
        self.started = bool(first) or len(packet) > MAX_LEADING_SPACE
        self.is_json = first in (b"{", b"[")
        return packet

    def _normalize_newlines(self, packet: bytes) -> bytes:
        """Returns the packet with LF for CR and CR LF, also if a CR LF is split between two packets."""
        if self.after_cr and packet:
            packet = packet.removeprefix(b"\n")
            self.after_cr = False
        if b"\r" in packet:
            self.after_cr = packet.endswith(b"\r")
            packet = packet.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return packet

    def _add_size(self, size: int) -> None:
        self.size += size
        if self.size > MAX_EVENT_SIZE:
            raise errors.endless()

    def _add_text(self, line: bytes) -> None:
        if self.text_length < MAX_TEXT_LENGTH and not any(field.startswith(line) for field in FIELDS):
            self.text.append(line[:MAX_TEXT_LENGTH])
            self.text_length += len(line)

    def _take_event(self) -> bytes:
        data = b"\n".join(self.data)
        self.data = []
        self.size = 0
        self.has_event = True
        if self.event_name == b"error":
            return _error(data)
        if self.event_name and not data.lstrip().startswith((b"{", b"[DONE]")):
            return b""  # such as a ping, whose data may be anything
        return data


def _error(data: bytes) -> bytes:
    """Returns an error object for what a server says, which may be one already."""
    try:
        error = orjson.loads(data)
    except orjson.JSONDecodeError:
        error = data.decode(errors="replace").strip()
    if type(error) is dict and error.get("error"):
        return data
    return orjson.dumps({"error": error or "no reason given"})
