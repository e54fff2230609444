"""Removes keys and passwords from what is logged, stored as an error, or shown.

Servers repeat a key that they refuse, and libraries put it into their exceptions. Secret are the values of environment
variables whose name says so, and what `remember` was given, such as the key in an assistant's params.
"""

import os
import re
from collections.abc import Iterator

SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)\Z")
MIN_LENGTH = 8  # characters; shorter values, such as "none", are also words
MAX_REMEMBERED = 1_000
REDACTED = "***"

_remembered: dict[str, None] = {}  # in the order of their last use


def remember(secret: str | None) -> None:
    """Makes `redact` remove this value, too. The oldest of many is forgotten."""
    if secret and len(secret) >= MIN_LENGTH:
        _remembered.pop(secret, None)
        _remembered[secret] = None
        if len(_remembered) > MAX_REMEMBERED:
            _remembered.pop(next(iter(_remembered)), None)


def redact(text: str) -> str:
    """Returns the text with `***` in place of each secret. Shorten the text afterwards: half a key is not found."""
    found = [secret for secret in _secrets() if secret in text]
    for secret in sorted(found, key=len, reverse=True):  # one may be a part of another
        text = text.replace(secret, REDACTED)
    return text


def _secrets() -> Iterator[str]:
    yield from tuple(_remembered)
    for name, value in list(os.environ.items()):
        if len(value := value.strip()) >= MIN_LENGTH and SECRET_NAME.search(name):
            yield value
