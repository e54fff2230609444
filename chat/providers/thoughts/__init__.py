"""Thoughts that models write into their text."""

from typing import Any

from ..base import Request
from .reader import ThoughtReader

__all__ = ["ThoughtReader", "reader_for"]


def reader_for(request: Request) -> ThoughtReader:
    """Returns the reader for a response; those of the same model on the same server share what they learn."""
    address: Any = request.params.get("base_url")
    return ThoughtReader((request.provider or "openai", request.model, str(address)))
