"""The body of POST /v1/chat/completions: which parameters there are, and what each may be."""

import json
import math
from typing import Any, Literal

from django.utils.translation import gettext
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chat.errors import Refused
from chat.schemas import describe_error, validate_text

from .errors import BadParameter

MAX_MESSAGES = 2_000  # as many as a model is shown of a conversation
MAX_STOPS = 4
MAX_LEVELS = 50  # of values in values
# What no assistant can do here yet, unless the value asks for nothing.
UNSUPPORTED: dict[str, list[Any]] = {
    "audio": [None],
    "function_call": [None, "none", "auto"],
    "functions": [None, []],
    "logprobs": [None, False],
    "modalities": [None, ["text"]],
    "n": [None, 1],
    "prediction": [None],
    "service_tier": [None, "auto", "default"],
    "tool_choice": [None, "none", "auto"],
    "tools": [None, []],
    "top_logprobs": [None, 0],
    "web_search_options": [None],
}
# They change nothing here: they name the client's user, or tell OpenAI how to store and count.
IGNORED = (
    *("metadata", "parallel_tool_calls", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"),
)
# Those that the assistant's model gets, if its provider takes them.
MODEL_PARAMS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "stop", "seed", "presence_penalty"),
    *("frequency_penalty", "logit_bias", "reasoning_effort", "verbosity", "response_format"),
)


class Strict(BaseModel):
    """A JSON object without other fields, whose values have the types that they should have."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ImageURL(Strict):
    url: str
    detail: str | None = None  # images are scaled down by the site


class ContentPart(Strict):
    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageURL | None = None


class MessageIn(Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[ContentPart]
    name: str | None = None  # ignored, like the thoughts that clients send back
    reasoning_content: str | None = None


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: bool | None = None


class ChatRequest(Strict):
    model: str = Field(min_length=1, max_length=200)
    messages: list[MessageIn] = Field(min_length=1, max_length=MAX_MESSAGES)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    max_tokens: int | None = Field(None, ge=1, le=10_000_000)
    max_completion_tokens: int | None = Field(None, ge=1, le=10_000_000)
    stop: str | list[str] | None = None
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    logit_bias: dict[str, float] | None = None
    reasoning_effort: str | None = Field(None, max_length=20)
    verbosity: str | None = Field(None, max_length=20)
    response_format: dict[str, Any] | None = None

    def model_params(self) -> dict[str, Any]:
        """Returns the parameters for the model that are given."""
        values = {name: getattr(self, name) for name in MODEL_PARAMS}
        return {name: value for name, value in values.items() if value is not None}


def loads(text: str | bytes) -> Any:
    """Parses JSON in which no name stands twice and every number is one. Raises ValueError or RecursionError."""
    return json.loads(text, object_pairs_hook=_object, parse_float=_finite, parse_constant=_refuse_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a name stands twice")
    return result


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):  # which no database stores
        raise ValueError("a number is too large")
    return number


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def parse_chat_request(data: Any) -> ChatRequest:
    """Returns the checked request. Raises Refused, with the name of the parameter that is wrong."""
    if not isinstance(data, dict):
        raise BadParameter(gettext("Must be a JSON object."), None)
    _check_texts(data)
    for name, harmless in UNSUPPORTED.items():
        if name in data and not any(type(data[name]) is type(value) and data[name] == value for value in harmless):
            sentence = gettext("The parameter “%(name)s” is not supported with this value.") % {"name": name}
            raise BadParameter(sentence, name, "unsupported_parameter")
    known = {name: value for name, value in data.items() if name not in UNSUPPORTED and name not in IGNORED}
    try:
        request = ChatRequest.model_validate(known)
    except ValidationError as error:
        raise _bad_parameter(max(error.errors(), key=lambda detail: len(detail["loc"]))) from None  # the most exact
    if isinstance(request.stop, list) and len(request.stop) > MAX_STOPS:
        raise BadParameter(gettext("At most %(max_length)s are allowed.") % {"max_length": MAX_STOPS}, "stop")
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        raise BadParameter(gettext("Send max_tokens or max_completion_tokens, not both."), "max_tokens")
    return request


def _check_texts(value: Any, levels: int = MAX_LEVELS) -> None:
    """Raises Refused if a text in the request cannot be stored, or if the request is nested too deeply."""
    if not levels:
        raise BadParameter(gettext("The request is nested too deeply."), None)
    if isinstance(value, str):
        validate_text(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            validate_text(name)
            _check_texts(item, levels - 1)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item, levels - 1)


def _bad_parameter(error: Any) -> Refused:
    param = ".".join(str(step) for step in error["loc"] if step not in ("str", "list[ContentPart]", "list[str]"))
    if error["type"] == "extra_forbidden":
        return BadParameter(
            gettext("Unknown parameter: “%(name)s”.") % {"name": param[:100]}, param, "unknown_parameter"
        )
    code = "missing_required_parameter" if error["type"] == "missing" else "invalid_value"
    return BadParameter(f"{param}: {describe_error(error)}", param, code)
