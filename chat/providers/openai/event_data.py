"""The data of an event as JSON, and what is said if it cannot be read."""

import json
import logging
from typing import Any

import orjson

from ...json_limits import check_json
from ...redaction import redact
from ...response_limits import MAX_JSON_VALUES
from .. import errors
from ..base import ProviderError

MAX_SAMPLE_LENGTH = 200  # characters of what cannot be read, in the log
UNREADABLE = (ValueError, TypeError, AttributeError, KeyError, RecursionError)  # raised where a document is read

logger = logging.getLogger(__name__)


def load(data: bytes) -> Any:
    """Returns the JSON; raises ValueError or RecursionError if it is none or too large."""
    check_json(data, MAX_JSON_VALUES)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # orjson refuses invalid UTF-8 and lone surrogates, which servers do send; the EventBuilder repairs both.
        return json.loads(data.decode("utf-8", "replace"))


def malformed(data: bytes) -> ProviderError:
    """Returns the error for data that cannot be read; the log has the beginning of it."""
    sample = redact(data[: errors.MAX_READ_LENGTH].decode("utf-8", "replace"))[:MAX_SAMPLE_LENGTH]
    logger.warning("The model's server sent a malformed event: %r", sample)
    return errors.malformed()
