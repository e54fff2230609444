"""Recognizes what model servers report when a request does not fit into the model's context window.

Nearly every server has words of its own for it, few have a code. The wordings are those of the servers in
tests/providers/overflows/.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

MAX_READ_LENGTH = 4_000  # characters of a report; proxies put it behind words of their own
MIN_WINDOW = 256  # tokens; a smaller number in the report means something else
MAX_WINDOW = 2**31  # tokens
OTHER_STATUSES = (401, 402, 403, 404)
WORDS = {
    "ContextWindowExceededError",
    "context_length_exceeded",
    "exceed_context_size_error",
    "model_max_prompt_tokens_exceeded",
    "request_too_large",
    "tokens_limit_reached",
}
TOO_LARGE = re.compile(r"request too large|long context (?:requests|beta)")  # also where the status is 429
RATE = re.compile(r"per[ -](?:second|minute|hour|day)|rate limit|quota")
TOO_LONG = re.compile(
    r"(?:maximum|max|available|supported) (?:context|model|prompt|input) ?(?:length|size|window)"
    r"|context (?:length|size|window)(?: limit)? (?:is only|of only|has been exceeded|is exceeded|exceed|full)"
    r"|(?:exceed|exceeds|exceeded|than|overflows|reached) (?:the |this |your )?(?:model |model's |requested )?"
    r"(?:available |max |maximum )?context (?:length|size|window|limit)"
    r"|(?:prompt|inputs?|conversation|messages?)(?: is| are)? too (?:long|large)"
    r"|(?:prompt|input) (?:tokens?|token count|length)\b[^.]{0,60}\bexceeds?\b"
    r"|token count is \d+ but|tokens of image and text exceed|maximum number of tokens allowed"
    r"|`? must be <= \d+\. given|must have less than \d+ tokens|range of input length should be"
    r"|exceeded model token limit|prompt exceeds max length|prompt ?超长|too many (?:total )?(?:input )?(?:tokens|text)"
    r"|>= ?n_ctx|than max_seq_len|length is \d+ while limit is \d+"
    r"|reduce the length of (?:the|your) (?:messages|prompt|input)"
)
# More tokens of an answer than the window holds: shorter conversations do not help.
MAX_TOKENS = re.compile(r"max_(?:completion_)?tokens\W{0,3} is too large: (\d+)")
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
NUMBER = re.compile(r"(?<![\w.-])\d+(?![\w-])")
# Where the size of the window stands; the first that is found counts.
SIZES = (
    re.compile(r"> (\d+)"),
    re.compile(r"(\d{1,10}) maximum context length"),
    re.compile(r"max_seq_len (\d+)"),
    re.compile(r"\[\d+, ?(\d+)\]"),
    re.compile(
        r"(?:context (?:length|size|window|limit)|(?:model|prompt|allowed) length|(?:token|configured|the) limit"
        r"|tokens allowed|n_ctx|max size|\(tpm\): limit|while limit|cannot exceed|only supports|<=|less than)"
        r"(?: limit)?[\s:(\"\\]{0,4}(?:is|of|up to)?(?: only)?[\s:(\"\\]{0,4}(\d+)"
    ),
)
# Where the size of the input stands beside that of the answer. Elsewhere, it is the number beyond the window.
INPUT = re.compile(r"(\d{1,10}) (?:in the messages|in your prompt|of text input|tokens from the input|input tokens)")


class Overflow(NamedTuple):
    """What a report tells of the sizes, in tokens; None where it does not."""

    window: int | None = None
    input_tokens: int | None = None


def read_overflow(
    error: Mapping[str, Any], message: str, words: Iterable[str], status: int | None = None
) -> Overflow | None:
    """Returns the sizes that a report of an overflow tells, or None if it is about something else.

    `message` is its text, `words` its codes and types.
    """
    text = THOUSANDS.sub("", message[:MAX_READ_LENGTH].lower())
    window = _count(error.get("n_ctx")) or _window(text)
    if not _is_overflow(text, words, status) or _asks_too_much(text, window):
        return None
    return Overflow(window, _count(error.get("n_prompt_tokens")) or _input_tokens(text, window))


def _is_overflow(text: str, words: Iterable[str], status: int | None) -> bool:
    if TOO_LARGE.search(text) or not WORDS.isdisjoint(words):
        return True
    if status == 429 or status in OTHER_STATUSES:
        return False
    return bool(TOO_LONG.search(text)) and not RATE.search(text)


def _asks_too_much(text: str, window: int | None) -> bool:
    answer = MAX_TOKENS.search(text)
    return bool(answer and window and int(answer[1]) >= window)


def _window(text: str) -> int | None:
    matches = (pattern.search(text) for pattern in SIZES)
    return next((size for match in matches if match and (size := _count(match[1]))), None)


def _input_tokens(text: str, window: int | None) -> int | None:
    if match := INPUT.search(text):
        return _count(match[1])
    beyond = [size for number in NUMBER.findall(text) if (size := _count(number)) and window and size > window]
    return min(beyond, default=None)


def _count(value: Any) -> int | None:
    """Returns a number of tokens that a window may have, or None."""
    text = str(value) if type(value) in (int, str) else ""
    if not text.isdecimal() or len(text) > len(str(MAX_WINDOW)):
        return None
    return int(text) if MIN_WINDOW <= int(text) <= MAX_WINDOW else None
