"""Thoughts that a model writes into its text, between tags -> Reasoning pieces."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence

from ...events import Finish, Piece, Reasoning, Text, ToolCallArgs, ToolCallEnd, ToolCallResult, ToolCallStart, Withdraw
from .harmony import START, HarmonyReader, could_start
from .tags import (
    AFTER_THOUGHT,
    ANSWER,
    ANSWER_TAGS,
    AT_START,
    BARE,
    BARE_HELD,
    BARE_START,
    BY_CLOSING,
    BY_OPENING,
    CLOSING,
    IN_TEXT,
    IN_TEXT_PATTERN,
    MAX_LENGTH,
    OPENING,
    SPOKEN_LENGTH,
    SPOKEN_OF,
    Position,
    Tag,
    any_of,
    could_begin,
    held_length,
)

MAX_HELD_SPACE = 200  # characters
MAX_READ = 4_096  # characters at once; each change of state copies the rest of them
MAX_LEARNED = 1_000  # models
BREAKS = (Reasoning, ToolCallStart, ToolCallArgs, ToolCallEnd, ToolCallResult)  # no tag goes on behind these

THINK_CLOSING = ("</think>", "</thinking>")

# Model -> the tag with which it ends the thought that it begins in; None if it has answered without one. So nobody can
# make it write a closing tag to have the answers of others look like thoughts.
_learned: OrderedDict[Hashable, Tag | None] = OrderedDict()


class ThoughtReader:
    """The text of one response -> Text and Reasoning pieces.

    An opening tag counts at the start and behind a thought; a closing tag alone counts where the text does not speak of
    it. Then all of the text was a thought, and is withdrawn and sent again as one. A `model` that always answers so is
    remembered: its next responses are thoughts from the start. If one ends without that tag, it was the answer.
    """

    def __init__(self, model: Hashable = None) -> None:
        self.model = model
        self.is_plain = False  # an answer in which only "<" may begin something
        self.in_answer = False
        self.held = ""  # text that may belong to a tag
        self.tag: Tag | None = None  # around the thought that is open
        self.closing_marks: tuple[str, ...] = ()  # of which one ends it
        self.closing = CLOSING
        self.last_tag: Tag | None = None
        self.is_guessed = False  # whether the thought had no opening tag
        self.is_empty = True  # the thought so far, or the answer between marks
        self.answer_end = ""  # the mark that ends the answer
        self.may_be_thought = True  # whether a closing tag alone may still come
        self.has_spoken = False  # of an opening tag
        self.sent: list[str] | None = []  # the answer, or a guessed thought, in case it has to be withdrawn
        self.position = Position()
        self.unread = 0  # index of the first in `sent` that `position` has not read
        self.harmony: HarmonyReader | None = None

    @property
    def may_be_harmony(self) -> bool:
        return bool(self.harmony) or (not (self.in_answer or self.tag) and self.held.lstrip().startswith("<|"))

    def feed(self, text: str) -> Sequence[Piece]:
        if self.is_plain and "<" not in text:  # as nearly always
            if self.sent is not None:
                self.sent.append(text)
            return (Text(text),)
        if len(text) <= MAX_READ:
            return self._read(text)
        parts = (text[start : start + MAX_READ] for start in range(0, len(text), MAX_READ))
        return [piece for part in parts for piece in self._read(part)]

    def feed_all(self, pieces: Iterable[Piece]) -> list[Piece]:
        """Returns these pieces of a response, with their texts read."""
        read: list[Piece] = []
        for piece in pieces:
            if type(piece) is Text:
                read += self.feed(piece.delta)
                continue
            if isinstance(piece, Finish):
                read += self.finish(piece.reason)
            elif isinstance(piece, BREAKS):
                read += self._break(is_thought=type(piece) is Reasoning)
            read.append(piece)
        return read

    def finish(self, reason: str | None = None) -> list[Piece]:
        """Returns what is left at the end; without a reason, the response was cut."""
        read = self._read("", is_end=True)
        if self.harmony:
            read += self.harmony.feed("", is_end=True)
        if self.tag and self.is_guessed and reason == "stop":
            read += self._withdraw_thought()
        elif self.in_answer and not self.last_tag and reason == "stop":
            _learn(self.model, None)
        self.tag = None
        return read

    def _break(self, is_thought: bool) -> list[Piece]:
        """Returns what is held before another piece, behind which no text can be withdrawn.

        A server that tells thoughts apart itself leaves no closing tag alone in the text.
        """
        if not self.in_answer and not self.tag and not self.held.strip():
            self.may_be_thought = self.may_be_thought and not is_thought
            return []
        read = self._read("", is_end=True)
        if is_thought and self.tag and self.is_guessed:
            read += self._withdraw_thought()
            self.tag = None
            self.in_answer = True
        self.may_be_thought = False
        self.sent = None
        return read

    def _read(self, text: str, is_end: bool = False) -> list[Piece]:
        """Reads the text behind what is held, state by state."""
        rest = self.held + text
        self.held = ""
        read: list[Piece] = []
        while rest:
            if self.harmony:
                return read + self.harmony.feed(rest, is_end)
            if self.tag:
                rest = self._read_thought(self.tag, rest, is_end, read)
            elif self.in_answer:
                rest = self._read_answer(rest, is_end, read)
            else:
                rest = self._read_start(rest, is_end)
        self.is_plain = self.in_answer and not (self.held or self.tag or self.answer_end)
        return read

    # Each state reads what it can, holds what it cannot tell yet, and returns the rest for the next state.

    def _read_start(self, text: str, is_end: bool) -> str:
        """Reads the start of the response, or what follows a thought."""
        visible = text.lstrip()
        if not visible and not is_end and len(text) < MAX_HELD_SPACE:
            self.held = text
            return ""
        if not self.last_tag and (start := START.match(visible)):
            self.harmony = HarmonyReader()
            return visible[start.end() :]
        if not self.last_tag and self.may_be_thought and BARE_START.match(visible):
            self._open_tag(BARE, is_guessed=True)
            return visible[len(BARE.opening) :]
        for pattern, begin in MARKS_AT_START:
            mark = pattern.match(visible)
            if mark and (self.last_tag or pattern is not ANSWER):
                if _is_open_end(visible, mark.end(), is_end):
                    self.held = text
                    return ""
                if not SPOKEN_OF.match(visible, mark.end()):
                    begin(self, mark[0].lower())
                    return visible[mark.end() :]
        if visible and not is_end and self._could_begin(visible):
            self.held = text
            return ""
        return self._begin_answer(text)

    def _could_begin(self, visible: str) -> bool:
        if self.last_tag:
            return could_begin(visible, AFTER_THOUGHT)
        is_bare = len(visible) >= BARE_HELD and BARE.opening.startswith(visible)
        return is_bare or could_begin(visible, AT_START) or could_start(visible)

    def _begin_answer(self, text: str) -> str:
        if not self.last_tag and self.may_be_thought and (tag := _learned.get(self.model)):
            self._open_tag(tag, is_guessed=True)
            return text
        self.in_answer = True
        return text.lstrip() if self.last_tag else text

    def _open(self, mark: str) -> None:
        self._open_tag(BY_OPENING[mark], is_guessed=False)

    def _open_tag(self, tag: Tag, is_guessed: bool) -> None:
        self.tag = self.last_tag = tag
        self.closing_marks = THINK_CLOSING if tag.is_think else (tag.closing.lower(),)
        self.closing = any_of(self.closing_marks)
        self.is_guessed = is_guessed
        self.is_empty = True
        self.in_answer = False
        self.may_be_thought = False

    def _pass_over(self, mark: str) -> None:
        """Passes over a closing tag in front of the answer, which some servers leave behind."""
        self.last_tag = BY_CLOSING[mark]
        self.may_be_thought = False

    def _begin_marked_answer(self, mark: str) -> None:
        self.answer_end = ANSWER_TAGS[mark]
        self.in_answer = self.is_empty = True

    def _read_thought(self, tag: Tag, text: str, is_end: bool, read: list[Piece]) -> str:
        if mark := self.closing.search(text):
            self._think(text[: mark.start()].rstrip(), read)
            self.tag = None
            self._forget_sent()
            return text[mark.end() :]
        held = 0
        if not is_end and tag.closing[0] in text[-MAX_LENGTH:]:
            held = max(held_length(text, mark) for mark in self.closing_marks)
        thought = text[: len(text) - held].rstrip()
        if len(text) - len(thought) > MAX_HELD_SPACE:
            thought = text
        self._think(thought, read)
        self.held = "" if is_end else text[len(thought) :]
        return ""

    def _think(self, thought: str, read: list[Piece]) -> None:
        if self.is_empty:
            thought = thought.lstrip()
        if thought:
            self.is_empty = False
            read.append(Reasoning(thought))
            if self.is_guessed and self.sent is not None:
                self.sent.append(thought)

    def _withdraw_thought(self) -> list[Piece]:
        """Returns the pieces that make the thought an answer: the model has not thought this time."""
        _learn(self.model, None)
        text = "".join(self.sent or ())
        if self.tag is BARE:
            text = BARE.opening + text
        return [Withdraw("reasoning"), Text(text)] if text else []

    def _forget_sent(self) -> None:
        self.sent = []
        self.unread = 0
        self.position = Position()

    def _read_answer(self, text: str, is_end: bool, read: list[Piece]) -> str:
        if self.answer_end:
            return self._read_marked_answer(text, is_end, read)
        start = 0
        for mark in IN_TEXT_PATTERN.finditer(text) if self.sent is not None else ():
            self._answer(text[start : mark.start()], read)
            start = mark.start()
            if _is_open_end(text, mark.end(), is_end):
                self.held = text[start:]
                return ""
            if self._is_mark(mark[0].lower(), text[mark.end() : mark.end() + SPOKEN_LENGTH], read):
                return text[mark.end() :]
        end = text.rfind("<", start)
        if self.sent is not None and not is_end and end >= 0 and could_begin(text[end:], IN_TEXT):
            self.held = text[end:]
            text = text[:end]
        self._answer(text[start:], read)
        return ""

    def _read_marked_answer(self, text: str, is_end: bool, read: list[Piece]) -> str:
        """Reads an answer between marks: without the last one, behind which nothing follows."""
        text = text.lstrip() if self.is_empty else text
        end = text.lower().rfind(self.answer_end)
        if end >= 0 and len(text) - end < MAX_HELD_SPACE and not text[end + len(self.answer_end) :].strip():
            if not is_end:
                self.held = text[end:]
            text = text[:end]
        elif not is_end and could_begin(text[text.rfind("<") :], (self.answer_end,)):
            self.held = text[text.rfind("<") :]
            text = text[: -len(self.held)]
        self.is_empty = self.is_empty and not text
        self._answer(text, read)
        return ""

    def _answer(self, text: str, read: list[Piece]) -> None:
        if text:
            read.append(Text(text))
            if self.sent is not None:
                self.sent.append(text)

    def _is_mark(self, mark: str, after: str, read: list[Piece]) -> bool:
        """Whether this tag in the answer ends what was a thought, or begins another one; if so, it does."""
        sent = self.sent or []
        self.position.read("".join(sent[self.unread :]))
        self.unread = len(sent)
        if mark in BY_CLOSING:
            if not self.may_be_thought or not self.position.closes_thoughts(after, self.has_spoken):
                return False
            self._withdraw_answer(BY_CLOSING[mark], read)
            return True
        if self.last_tag is not BY_OPENING[mark] or not self.position.opens_thoughts(after):
            self.has_spoken = True
            return False
        self._open(mark)
        return True

    def _withdraw_answer(self, tag: Tag, read: list[Piece]) -> None:
        """Makes what was sent as the answer a thought."""
        thought = "".join(self.sent or ()).strip()
        self._forget_sent()
        self.last_tag = tag
        self.in_answer = False
        self.may_be_thought = False
        read += [Withdraw("text"), Reasoning(thought)]
        if self.model not in _learned:
            _learn(self.model, tag)


def _learn(model: Hashable, tag: Tag | None) -> None:
    if model is not None:
        _learned[model] = tag
        if len(_learned) > MAX_LEARNED:
            _learned.popitem(last=False)


MARKS_AT_START = (
    (OPENING, ThoughtReader._open),
    (CLOSING, ThoughtReader._pass_over),
    (ANSWER, ThoughtReader._begin_marked_answer),
)


def _is_open_end(text: str, end: int, is_end: bool) -> bool:
    """Whether more is needed behind a tag that ends there, to tell whether the text speaks of it."""
    after = text[end : end + SPOKEN_LENGTH]
    return not is_end and len(after) < SPOKEN_LENGTH and "\n" not in after
