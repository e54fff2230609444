"""Which of OpenAI's models have only the Responses API, by their names: OpenAI's list of models does not say it."""

import re

RESPONSES_ONLY = re.compile(r"(?:o\d|gpt-\d[\d.]*)-pro\b|\bcodex\b|\bdeep-research\b|\bcomputer-use\b|gpt-5\.6-sol\b")


def has_only_responses(model: str) -> bool:
    """Returns whether OpenAI refuses this model in a chat completion."""
    return RESPONSES_ONLY.search(model) is not None
