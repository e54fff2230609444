"""Which arguments of a chat model an assistant's params may set."""

import re
from collections.abc import Collection, Iterable
from typing import Any

from django.utils.translation import gettext

from ..base import ProviderError

# Not for an assistant to set: what the engine decides, and other ways to choose where a key is sent.
RESERVED = re.compile(
    r"(.*_)?(api_key|access_key|key_id|(ad|api|auth|session)_token|token_provider|credentials"
    r"|url|api_base|api_type|endpoint|host|proxy|headers|query|deployment|organization|vertexai"
    r"|client|(client|model)_(kwargs|args|options)|socket_options|timeout|retries|rate_limiter"
    r"|callbacks|cache|metadata|metadata_input|profile|tags|verbose|custom_get_token_ids|response_headers)"
    r"|validate_.*|streaming|disable_streaming|stream_.*|deployment_name|model|model_name|name|n|candidate_count"
)
SAMPLING = {"temperature": "temperature", "top_p": "top_p"}


def _limited_by(name: str) -> dict[str, str]:
    return {"max_tokens": name, "max_completion_tokens": name}


PENALTIES = {name: name for name in ("presence_penalty", "frequency_penalty")}
GOOGLE = SAMPLING | PENALTIES | _limited_by("max_output_tokens") | {"seed": "seed", "stop": "stop"}
OPENAI = SAMPLING | PENALTIES | _limited_by("max_tokens") | {"seed": "seed", "stop": "stop", "logit_bias": "logit_bias"}
PARAM_NAMES = {  # vendor -> {OpenAI's name of a parameter: the argument of the vendor's chat model}
    "anthropic": SAMPLING | _limited_by("max_tokens") | {"stop": "stop_sequences"},
    "azure_openai": OPENAI,
    "google_genai": GOOGLE,
    "google_vertexai": GOOGLE,
    "ollama": SAMPLING | _limited_by("num_predict") | {"seed": "seed", "stop": "stop"},
    "openai": OPENAI,
}
MAX_NAME_LENGTH = 100  # characters of a name that a sentence quotes


def check_params(cls: Any, params: Iterable[str], allowed: Collection[str] = ()) -> None:
    """Raises ProviderError if a param is reserved, or is not an argument of the chat model's class.

    `allowed` are arguments that we set ourselves: they may be reserved, but the class must have them.
    """
    fields = {name for field, info in cls.model_fields.items() for name in (field, info.alias) if name}
    for name in [*params, *allowed]:
        if name not in fields or (RESERVED.fullmatch(name) and name not in allowed):
            sentence = gettext("The model has no parameter “%(name)s”.") % {"name": name[:MAX_NAME_LENGTH]}
            raise ProviderError(sentence, "not_configured")
