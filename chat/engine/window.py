"""How much of a conversation fits into its model's context window.

A model's window is known from its assistant's setting, from the model's parameters, from its server, which is asked, or
from the first request that the server refuses. What is learned is kept for an hour, in this process. Tokens are
estimated from the characters, and the estimate is corrected by what the server counts.
"""

import asyncio
import itertools
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from .. import providers
from ..per_loop import PerLoop
from ..providers import ContextOverflow, Request
from .file_window import cut_files, file_tokens, without_files

Turn = tuple[str, list[dict[str, Any]]]  # a role and its parts

MAX_ATTEMPTS = 4  # to ask with fewer turns; the last is with the question alone
MAX_ANSWER_TOKENS = 4_096  # that are kept free for an answer, unless its assistant sets a number
MIN_COUNTED_TOKENS = 500  # of a request that corrects the estimate: in a short one, what it leaves out weighs more
CORRECTIONS = (0.4, 4.0)  # the least, below which the server counts something else, and the most
MIN_CHANGE = 0.1  # of the correction; with each change other turns would be left out
LEARNED_SECONDS = 3_600  # after which the whole conversation is tried again: a server may have a larger window now
LOOK_UP_INTERVAL = 60  # seconds between questions to a server; a model that is not loaded has no window yet
LOOK_UP_TIMEOUT = 2  # seconds
MIN_LOOKED_UP_TOKENS = 1_000  # of a conversation whose model's window matters
MAX_MODELS = 1_000  # of which something is remembered
STEPS = 4  # of the window in which turns are left out, so that a request mostly begins like the one before it
TURN_TOKENS = 4  # for the role
IMAGE_TOKENS = 1_000
ANSWER_PARAMS = ("max_completion_tokens", "max_tokens", "max_output_tokens", "num_predict")

logger = logging.getLogger(__name__)


def estimate_tokens(text: str) -> float:
    """Returns about how many tokens the text has: a quarter of its Latin letters, all of its Chinese characters."""
    length = len(text)
    return length / 4 if text.isascii() else length / 4 + 3 / 8 * (len(text.encode(errors="replace")) - length)


def _turn_tokens(parts: list[dict[str, Any]]) -> float:
    tokens: float = TURN_TOKENS
    for part in parts:
        if part["type"] == "image":
            tokens += IMAGE_TOKENS
        elif part["type"] != "reasoning":  # is not sent; what is below "file" is no text
            tokens += sum(estimate_tokens(value) for value in part.values() if type(value) is str)
    return tokens


class ContextWindow:
    """What this process has learned of one model on one server."""

    def __init__(self) -> None:
        self.size: int | None = None  # tokens, as the server told
        self.max_input: float | None = None  # tokens that a request had at most, where it did not tell
        self.correction = 1.0  # the server's tokens for each that is estimated
        self.learned_at = 0.0  # seconds
        self.looked_up_at = float("-inf")

    def learn(self, error: ContextOverflow, tokens: float) -> None:
        """Takes what the server told when it refused a request of so many tokens by our estimate."""
        self._calibrate(error.input_tokens, tokens)
        self.size = error.window or self.size
        if error.window is None or self.correction * tokens < error.window / 2:  # then it is not what the limit is
            self.max_input = self.correction * tokens / 2
        self.learned_at = time.monotonic()

    def correct(self, counted: int | None, tokens: float) -> None:
        """Takes how many tokens the server counted in a request that it answered, of so many by our estimate."""
        self._calibrate(counted, tokens)
        if counted and self.max_input is not None:
            self.max_input = max(self.max_input, counted)
        if counted and self.size is not None and counted > self.size:
            self.size = None  # it was misread, or the server has another one now

    def _calibrate(self, counted: int | None, tokens: float) -> None:
        lowest, highest = CORRECTIONS
        if counted and tokens >= MIN_COUNTED_TOKENS and counted >= lowest * tokens:
            correction = min(counted / tokens, highest)
            if abs(correction - self.correction) > MIN_CHANGE * self.correction:
                self.correction = correction

    def forget_old(self) -> None:
        if time.monotonic() - self.learned_at > LEARNED_SECONDS:
            self.size = self.max_input = None


_windows: PerLoop[OrderedDict[tuple[str, str], ContextWindow]] = PerLoop(OrderedDict)


def window_of(request: Request) -> ContextWindow:
    """Returns what is known of the request's model, on the running event loop."""
    windows = _windows.get()
    key = f"{request.provider}:{request.model}", str(request.params.get("base_url", ""))
    window = windows.setdefault(key, ContextWindow())
    windows.move_to_end(key)
    if len(windows) > MAX_MODELS:
        windows.popitem(last=False)
    window.forget_old()
    return window


async def look_up(request: Request) -> None:
    """Asks the model's server for the window until it is known. Not every server tells it, nor reports an overflow."""
    window = window_of(request)
    if window.size is not None or time.monotonic() - window.looked_up_at < LOOK_UP_INTERVAL:
        return
    window.looked_up_at = time.monotonic()
    try:
        async with asyncio.timeout(LOOK_UP_TIMEOUT):
            size = await providers.context_window(request)
    except Exception as error:  # of any kind, for servers of any kind; the request itself shows what is wrong
        logger.info("%s does not tell its context window: %s", request.model, type(error).__name__)
        return
    if size and size > 0:
        window.size = size
        window.learned_at = time.monotonic()


class Prompt:
    """A run's request, with as many of the conversation's turns as fit into the model's context window.

    `build(turns)` makes the request of turns that begin with a question; `size` is the window as the assistant sets it,
    in tokens. `is_cut` says that the turns are not the whole conversation; `shown_images` is as in `History`. `kept`
    counts the messages in the request, or is None if it has all.
    """

    def __init__(
        self,
        build: Callable[[list[Turn]], Request],
        turns: Sequence[Turn],
        size: int | None = None,
        is_cut: bool = False,
        shown_images: int | None = None,
    ) -> None:
        self.build = build
        self.turns = self._whole = list(turns)
        self.trimmed_files: list[dict[str, Any]] = []  # what of the files is not in the request: see `file_window`
        self.request = build(without_files(self.turns))
        self.size = size
        self.is_cut = is_cut
        self.shown_images = shown_images
        self.attempts = 0
        self.start = 0  # index of the first turn in the request
        self.max_tokens: float | None = None  # that the next attempt may have by our estimate
        self._count_tokens()
        self.instructions = estimate_tokens(self.request.system_prompt)
        questions = [index for index, (role, _) in enumerate(self.turns) if role == "user"]
        self.questions = [0, *(index for index in questions if index)]  # where a request may begin

    def _count_tokens(self) -> None:
        """Estimates the tokens of all turns before each one, and of all."""
        self.tokens = list(itertools.accumulate((_turn_tokens(parts) for _, parts in self.turns), initial=0.0))

    @property
    def kept(self) -> int | None:
        return len(self.turns) - self.start if self.start or self.is_cut else None

    async def look_up(self) -> None:
        """Asks the model's server for the window of a long conversation, unless the assistant sets one."""
        if self.size is None and self._estimate(0) >= MIN_LOOKED_UP_TOKENS:
            await look_up(self.request)

    def fit(self) -> None:
        """Cuts files, then leaves out the oldest turns, if the request is known not to fit. The last question stays."""
        limit = self._limit()
        if limit is None or self._estimate(self.start) <= limit:
            return
        self._cut_files(limit)
        later = [index for index in self.questions if index > self.start]
        if self.attempts < MAX_ATTEMPTS:
            later = [index for index in later if self._estimate(index) <= limit] or later[-1:]
            # What is left out grows by steps, so that the requests of the next turns begin like this one.
            step = max(limit / STEPS, 1)
            left_out = -(-self.tokens[later[0]] // step) * step if later else 0
            later = [index for index in later if self.tokens[index] <= left_out]
        if later and self._estimate(self.start) > limit:
            self.start = later[-1]
        self.request = self.build(without_files(self.turns[self.start :]))

    def _cut_files(self, limit: float) -> None:
        """Leaves the files what the texts do not need, at least half of the window, rounded down.

        The room changes by steps, too, so that the files are mostly cut as they were for the question before.
        """
        files = file_tokens(self._whole[self.start :], estimate_tokens)
        if not files:
            return
        step = max(limit / STEPS / 2, 1)
        whole_estimate = self.instructions + sum(_turn_tokens(parts) for _, parts in self._whole[self.start :])
        room = max((limit - (whole_estimate - files)) // step * step, limit / 2)
        cut, self.trimmed_files = cut_files(self._whole[self.start :], room, estimate_tokens)
        self.turns = [*self._whole[: self.start], *cut]
        self._count_tokens()

    def shorten(self, error: ContextOverflow) -> bool:
        """Leaves out more turns, because the server refused the request as too long; returns whether there were any."""
        tokens = self._estimate(self.start)
        window = window_of(self.request)
        window.learn(error, tokens)
        self.attempts += 1
        # The estimate may be wrong, or the size may include what is not known here, so each attempt is shorter.
        self.max_tokens = 0.9 * tokens if self.attempts == 1 and error.window else tokens / 2
        before = self.start, self.trimmed_files
        self.fit()
        return (self.start, self.trimmed_files) != before

    def correct(self, counted: int | None) -> None:
        """Takes how many tokens the server counted in this request."""
        window_of(self.request).correct(counted, self._estimate(self.start))

    def _estimate(self, start: int) -> float:
        return self.instructions + self.tokens[-1] - self.tokens[start]

    def _limit(self) -> float | None:
        """Returns how many tokens the request may have by our estimate, or None if nothing is known."""
        window = window_of(self.request)
        sizes = [size for size in (self.size, window.size, _param(self.request, "num_ctx")) if size]
        limits = [window.max_input] if window.max_input else []
        if sizes:
            limits.append(min(sizes) - self._reserve(min(sizes)))
        limits = [limit / window.correction for limit in limits]
        return min([*limits, *([self.max_tokens] if self.max_tokens else [])], default=None)

    def _reserve(self, size: int) -> float:
        """Returns the tokens of the window that are kept free for the answer."""
        wanted = next(filter(None, (_param(self.request, name) for name in ANSWER_PARAMS)), None)
        return min(wanted, size / 2) if wanted else min(size / 4, MAX_ANSWER_TOKENS)


def _param(request: Request, name: str) -> int | None:
    value = request.params.get(name)
    return value if type(value) is int and value > 0 else None
