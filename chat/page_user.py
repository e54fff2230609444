"""The user that a page was made for, which it names in each call: another may have logged in in its browser since."""

from typing import Any


def is_for_another(user: Any, named: str | None) -> bool:
    """Whether the call comes from a page of another user. Programs name nobody."""
    return bool(named) and named != str(user.pk)
