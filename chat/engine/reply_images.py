"""The images in a reply: taken out of what the provider yields, and stored like those that users send."""

import asyncio
import base64
import binascii
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from ..errors import Refused
from ..events import GeneratedImage, Piece, StoredImage, Text
from ..outages import DATABASE_ERRORS

MAX_IMAGES = 20  # of one reply
MAX_OPENING_LENGTH = 300  # characters of an image in Markdown before its data
MAX_CODE_CHECKS = 100  # of one reply; each reads the text so far
# Without a bracket in the description, so that no part of a text is read twice.
OPENING = re.compile(r"!\[[^\[\]\n]{0,200}\]\(\s?<?data:image/[\w.+-]{1,40};base64,")
# What may become an opening once more of the text is here.
UNFINISHED_OPENING = re.compile(r"!(?:\[[^\[\]\n]{0,200}(?:\](?:\(\s?<?(?:[a-z][\w:;/.+-]{0,60},?)?)?)?)?")
FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)

Save = Callable[[bytes], Awaitable[dict[str, Any]]]  # stores an image and returns its part; raises Refused

logger = logging.getLogger(__name__)


class ReplyImages:
    """Reads the pieces of one reply: `GeneratedImage`, and `![…](data:image/…;base64,…)` in the text.

    `is_open` says that a text is held back, because it may be the beginning of an image. `shown_text()` returns the
    text of the answer so far.
    """

    def __init__(self, save: Save | None, shown_text: Callable[[], str]) -> None:
        self.save = save
        self.shown_text = shown_text
        self.is_open = False
        self._held = ""  # the beginning of an opening
        self._data: list[str] | None = None  # of an image in Markdown, as long as its end has not come
        self._length = 0  # characters of it
        self._code_checks = 0
        self._digests: set[bytes] = set()  # of the images so far; some servers send each twice

    async def read(self, piece: Piece) -> list[Piece]:
        """Returns the pieces with stored images in place of others."""
        if type(piece) is Text:
            pieces = self._split(piece.delta)
        else:
            pieces = [*self.close(), piece]
        return [stored for piece in pieces for stored in await self._stored(piece)]

    def close(self) -> list[Piece]:
        """Returns what is held back when the text is over; the data of an image without its end is lost."""
        pieces: list[Piece] = [Text(self._held)] if self._held else []
        if self._data is not None:
            pieces.append(_not_shown())
        self._held = ""
        self._data = None
        self.is_open = False
        return pieces

    def _split(self, delta: str) -> list[Piece]:
        pieces: list[Piece] = []
        while delta:
            if self._data is None:
                delta = self._read_text(delta, pieces)
            else:
                delta = self._read_data(delta, pieces)
        self.is_open = bool(self._held) or self._data is not None
        return pieces

    def _read_text(self, delta: str, pieces: list[Piece]) -> str:
        """Adds the text before the next image; returns the rest, which is the image's data."""
        text = self._held + delta
        self._held = ""
        start = text.find("!")
        while start >= 0:
            if opening := OPENING.match(text, start):
                if not self._is_code(text[:start]):
                    self._data = []
                    self._length = 0
                    break
            elif len(text) - start <= MAX_OPENING_LENGTH and UNFINISHED_OPENING.fullmatch(text, start):
                self._held = text[start:]
                break
            start = text.find("!", start + 1)
        if before := text[:start] if start >= 0 else text:
            pieces.append(Text(before))
        return text[opening.end() :] if start >= 0 and opening else ""

    def _read_data(self, delta: str, pieces: list[Piece]) -> str:
        """Adds the image when its end has come; returns the text after it."""
        data, end, rest = delta.partition(")")
        assert self._data is not None
        self._length += len(data)
        if self._length <= _max_length():
            self._data.append(data)
        if not end:
            return ""
        image = "".join(self._data) if self._length <= _max_length() else None
        self._data = None
        pieces.append(GeneratedImage(re.split(r"[>\s\"']", image)[0]) if image else _not_shown())
        return rest

    def _is_code(self, text: str) -> bool:
        """Returns whether what follows this text is in code, which may show how images are written."""
        self._code_checks += 1
        if self._code_checks > MAX_CODE_CHECKS:
            return True
        text = self.shown_text() + text
        return len(FENCE.findall(text)) % 2 == 1 or text.rpartition("\n")[2].count("`") % 2 == 1

    async def _stored(self, piece: Piece) -> list[Piece]:
        if type(piece) is not GeneratedImage:
            return [piece]
        if len(self._digests) >= MAX_IMAGES or self.save is None:
            return [_note(gettext("This answer has more images than can be shown."))] if self.save else []
        if len(piece.data) > _max_length():
            return [_not_shown()]
        try:
            data = await asyncio.to_thread(base64.b64decode, piece.data)
        except (binascii.Error, ValueError):
            return [_not_shown()]
        digest = hashlib.sha256(data).digest()
        if digest in self._digests:
            return []
        self._digests.add(digest)
        try:
            return [StoredImage(await self.save(data))]
        except Refused as error:
            return [_note(str(error.message)) if error.code == "storage_full" else _not_shown()]
        except DATABASE_ERRORS:
            logger.warning("An image of a reply could not be stored", exc_info=True)
            return [_not_shown()]


def _max_length() -> int:
    """Returns how many characters of base64 the largest image has."""
    return settings.MAX_IMAGE_BYTES * 4 // 3 + 4


def _not_shown() -> Text:
    return _note(gettext("An image in this answer cannot be shown."))


def _note(sentence: str) -> Text:
    return Text(f"\n\n*{sentence}*\n\n")
