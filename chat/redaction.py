"""Removes keys and passwords from what is logged, stored as an error, or shown.

Servers repeat a key that they refuse, and libraries put it into their exceptions. The secrets are the values of
environment variables with a name such as `…_KEY`, and the values passed to `add_secret`, such as the key in an
assistant's params.
"""

import os
import re
from collections.abc import Iterator

SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)\Z")
MIN_LENGTH = 8  # characters; a shorter value, such as "none", may be an ordinary word
MAX_ADDED = 1_000
REDACTED = "***"

_added: dict[str, None] = {}  # secret -> None, the most recently added last


def add_secret(secret: str | None) -> None:
    """Makes `redact` remove this value, too. Only the last MAX_ADDED values are kept."""
    if secret and len(secret) >= MIN_LENGTH:
        _added.pop(secret, None)
        _added[secret] = None
        if len(_added) > MAX_ADDED:
            _added.pop(next(iter(_added)), None)


def redact(text: str) -> str:
    """Returns the text with `***` in place of each secret. Redact before you shorten: part of a key is not found."""
    found = [secret for secret in _secrets() if secret in text]
    for secret in sorted(found, key=len, reverse=True):  # one secret may contain another
        text = text.replace(secret, REDACTED)
    return text


def _secrets() -> Iterator[str]:
    yield from tuple(_added)
    for name, value in list(os.environ.items()):
        if len(value := value.strip()) >= MIN_LENGTH and SECRET_NAME.search(name):
            yield value
