"""The order of names as people know it: upper and lower case side by side, numbers by their value: a, B, c 2, C 10."""

import re

NUMBER = re.compile("[0-9]+")
DIGITS = 10  # which each number has at least in the key; also in models.lookups


def natural_key(text: str) -> str:
    """Returns what a name is sorted by."""
    return NUMBER.sub(lambda number: number[0].lstrip("0").zfill(DIGITS), text.lower())
