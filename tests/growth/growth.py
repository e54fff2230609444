"""Measures by which factor the time of a function grows with its input."""

import gc
import inspect
import time

from chat.errors import Refused
from chat.providers import ProviderError
from chat.tools import ToolError

TEXTS = {
    "letters": "a",
    "capital letters": "A",
    "spaces": " ",
    "lines": "\n",
    "words": "a ",
    "paragraphs": "a\n\n",
    "combining marks": "\u0301\u0323",
    "letters that grow": "İ",
    "Japanese": "日本語",
    "halves of emoji": "\ud83d",
    "emoji": "👨\u200d👩\u200d👧",
    "null characters": "\0",
    "digits": "9",
    "quotation marks": '"',
    "apostrophes": "'",
    "backslashes": "\\",
    "backticks": "`",
    "fences": "```\n",
    "stars": "*",
    "hashes": "# ",
    "quotes": "> ",
    "opening brackets": "[",
    "opening braces": "{",
    "opening parentheses": "(",
    "nested lists": "[1,",
    "commas": ",",
    "semicolons": ";",
    "underscores": "_a",
    "signs": "-",
    "powers": "²",
    "roots": "√ ",
    "marks of an import": "\ue200",
    "entities": "&amp;",
    "variables": "${A}",
}
LENGTH = 25_000  # characters; four times that is the longest message
MAX_FACTOR = 9  # between 4, for linear, and 16, for quadratic
NEGLIGIBLE = 0.02  # seconds: a quadratic function would take longer for 100,000 characters
ATTEMPTS = 4  # a measurement can only be too slow


def call(function, arguments):
    """Calls the function, and reads its result if that is a generator."""
    try:
        result = function(*arguments)
        if inspect.isgenerator(result) or hasattr(result, "__next__"):
            for _ in result:
                pass
    except (Refused, ProviderError, ToolError, ValueError, TypeError, AttributeError, KeyError, LookupError):
        pass  # an error is an answer as well


def seconds(function, make_arguments, text):
    arguments = make_arguments(text)
    gc.disable()  # it looks at all objects of the process
    try:
        start = time.thread_time()
        call(function, arguments)
        return time.thread_time() - start
    finally:
        gc.enable()


def growth(function, make_arguments, unit):
    """Returns by which factor the time grows if the text becomes four times as long; 0 if it stays negligible."""
    short, long = (unit * (length // len(unit)) for length in (LENGTH, 4 * LENGTH))
    factor = 0.0
    for _attempt in range(ATTEMPTS):
        of_long = seconds(function, make_arguments, long)
        if of_long < NEGLIGIBLE:
            return 0
        factor = of_long / max(seconds(function, make_arguments, short), 1e-6)
        if factor < MAX_FACTOR:
            return 0
    return factor
