"""The tags around thoughts in a model's text, and how a text that speaks of them is told from one that uses them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Tag:
    """A pair of marks. An `is_lone` closing mark may come without the opening one, which is then in the prompt."""

    opening: str
    closing: str
    is_lone: bool = False
    answer: tuple[str, str] | None = None  # the marks around the answer that follows

    @property
    def is_think(self) -> bool:
        return self.opening in ("<think>", "<thinking>")


TAGS = (
    # DeepSeek, Qwen, QwQ, MiniMax, Kimi, GLM, Magistral and many others; Granite and Hunyuan also mark the answer
    Tag("<think>", "</think>", is_lone=True),
    Tag("<thinking>", "</thinking>", is_lone=True),
    Tag("<thought>", "</thought>", is_lone=True),  # Gemini's compatible address, EXAONE
    Tag("<thoughts>", "</thoughts>"),
    Tag("<reasoning>", "</reasoning>"),
    Tag("<reason>", "</reason>"),
    Tag("<seed:think>", "</seed:think>", is_lone=True),  # Seed-OSS
    Tag("<mm:think>", "</mm:think>", is_lone=True),
    Tag("[THINK]", "[/THINK]"),  # Magistral
    Tag("◁think▷", "◁/think▷"),  # Kimi-VL
    Tag("<|begin_of_thought|>", "<|end_of_thought|>", answer=("<|begin_of_solution|>", "<|end_of_solution|>")),
    Tag("<|START_THINKING|>", "<|END_THINKING|>", answer=("<|START_RESPONSE|>", "<|END_RESPONSE|>")),  # Command A
    Tag("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    Tag("<|channel>thought", "<channel|>"),  # Gemma 4
)
# The channels of gpt-oss from a server that leaves out their marks: "analysisThe user …assistantfinalHello".
BARE = Tag("analysis", "assistantfinal")
BARE_HELD = 4  # characters of it for which a response is held: not each that begins with "a"
BARE_START = re.compile(r"analysis(?=[A-Z“\"'])")
ANSWER_TAGS = {"<answer>": "</answer>", "<response>": "</response>", "<output>": "</output>"}
ANSWER_TAGS |= {tag.answer[0].lower(): tag.answer[1].lower() for tag in TAGS if tag.answer}
BY_OPENING = {tag.opening.lower(): tag for tag in TAGS}
BY_CLOSING = {tag.closing.lower(): tag for tag in TAGS}
MAX_LENGTH = 30  # characters of a mark


def any_of(marks: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, sorted(marks))), re.IGNORECASE)


OPENING = any_of(BY_OPENING)
CLOSING = any_of(BY_CLOSING)
ANSWER = any_of(ANSWER_TAGS)
AT_START = (*BY_OPENING, *BY_CLOSING)
AFTER_THOUGHT = (*AT_START, *ANSWER_TAGS)
IN_TEXT = tuple(
    mark for tag in TAGS if tag.is_lone for mark in (tag.closing.lower(), tag.opening.lower())
)  # those that begin with "<"
IN_TEXT_PATTERN = any_of(IN_TEXT)

# How a sentence goes on behind a tag that it speaks of: "<think> is", "<think>タグは", "</think>, which".
SPOKEN_LENGTH = 12  # characters that tell it
SPOKEN_OF = re.compile(
    r"""
    [ ]?(?:tags?|tokens?|blocks?|elements?|markers?|sections?)\b | [ ]?(?:タグ|ブロック|トークン|标签|標籤|标记|태그)
    | [ ](?:is|are|was|were|and|or|in|on|at|of|to|as|for|from|has|means?|marks?|tells?|opens?|closes?|starts?|begins?|
        ends?|denotes?|wraps?|stands?|goes|comes|would|will|can|must|should|with|without|before|after|inside|which)\b
    | [ ]?[,;)\]、。」』】] | [.:](?:\s|$)
    | を | [はがとやでにの](?=[一-鿿ァ-ヺ、<「])
    """,
    re.VERBOSE,
)
QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "「": "」", "『": "』", "(": ")", "[": "]", "（": "）", "`": "`"}
SENTENCE_END = ".!?。！？…\"'”’」』)）*"
LETTERS = re.compile(r"[぀-ヿ一-鿿가-힯]")  # of scripts without spaces between words


def could_begin(text: str, marks: tuple[str, ...]) -> bool:
    """Whether this may be the beginning of one of these marks (in lower case)."""
    text = text.lower()
    return len(text) < MAX_LENGTH and any(mark.startswith(text) for mark in marks)


def held_length(text: str, mark: str) -> int:
    """Returns how many characters at the end of the text may be the beginning of the mark (in lower case)."""
    end = text[-len(mark) :].lower()
    return next((length for length in range(len(mark) - 1, 0, -1) if end.endswith(mark[:length])), 0)


class Position:
    """Where in its Markdown a text has arrived: in code or not, and behind what. Reads each part once."""

    def __init__(self) -> None:
        self.fence = ""  # that is open
        self.ticks = 0  # backticks of the code that is open on this line
        self.line = ""  # the beginning of this line
        self.last = ""  # character of this line, and the last one that is no space
        self.last_visible = ""

    def read(self, text: str) -> None:
        *lines, rest = text.split("\n")
        for line in lines:
            self._read_line(line)
            self._end_line()
        self._read_line(rest)

    def _read_line(self, text: str) -> None:
        self.line = (self.line + text[:100])[:100]
        for run in re.finditer("`+", text):
            length = len(run[0])
            self.ticks = length if not self.ticks else 0 if self.ticks == length else self.ticks
        self.last = text[-1:] or self.last
        self.last_visible = text.rstrip()[-1:] or self.last_visible

    def _end_line(self) -> None:
        if fence := re.match(r"\s*(`{3,}|~{3,})", self.line):
            if not self.fence:
                self.fence = fence[1]
            elif fence[1].startswith(self.fence) and not self.line.replace(fence[1], "").strip():
                self.fence = ""
        self.ticks = 0
        self.line = self.last = self.last_visible = ""

    @property
    def is_in_code(self) -> bool:
        return bool(self.fence or self.ticks)

    def opens_thoughts(self, after: str) -> bool:
        """Whether an opening tag here begins another thought of a text that has used it before."""
        return not (self.is_in_code or self.last_visible or SPOKEN_OF.match(after))

    def closes_thoughts(self, after: str, has_spoken: bool) -> bool:
        """Whether a closing tag here, with this text behind it, ends the thoughts that the text has been so far.

        `has_spoken`: the text has named the opening tag, so it may speak of the closing one as well.
        """
        if self.is_in_code:
            return False
        is_line_end = after.lstrip(" \t")[:1] in ("", "\n", "\r")
        is_line_start = not self.last_visible
        if has_spoken:
            return is_line_start and is_line_end
        if is_line_start:
            return is_line_end or not SPOKEN_OF.match(after)
        if QUOTES.get(self.last) == after[:1]:
            return False
        if self.last.isspace():
            return self.last_visible in SENTENCE_END and not SPOKEN_OF.match(after)
        if is_line_end:
            return True
        if LETTERS.match(self.last) and LETTERS.match(after):
            return False
        return not SPOKEN_OF.match(after)
