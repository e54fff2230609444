"""Asks a server which models it has, and what each of them can do. Sync, for `manage.py prepare`.

Servers tell that in fields of their own, beside the list of OpenAI's format or in a document of their own. What a
server does not tell is None.
"""

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from .local_hosts import is_local

TIMEOUT = 3  # seconds in which a server has to send something
DOCUMENT_TIMEOUT = 10  # seconds for a whole document
MAX_DOCUMENT_BYTES = 8_000_000  # OpenRouter's list of 400 models has half a megabyte
MAX_SHOWN = 20  # models that are asked about one by one
MIN_WINDOW = 256  # tokens; as the assistant's field
MAX_WINDOW = 100_000_000  # tokens; a larger number is no context window
NOT_FOR_CHAT = re.compile(
    r"embed|bge-|gte-|minilm|rerank|whisper|transcri|tts|dall-e|image-|-image|imagen|sora|veo-|moderation|guard|realtime"
    r"|audio|davinci|babbage|instruct-0914|-ocr",
    re.IGNORECASE,
)
NUM_CTX = re.compile(r"^num_ctx\s+([0-9]{1,9})\s*$", re.MULTILINE)


@dataclass(frozen=True)
class FoundModel:
    """A model that a server offers. None: the server does not tell."""

    name: str
    sees_images: bool | None = None
    thinks: bool | None = None
    uses_tools: bool | None = None
    window: int | None = None  # tokens, as the server has set it up
    max_window: int | None = None  # tokens that the model could have on another setting

    def abilities(self) -> str:
        """Returns what is known to be possible, for the terminal."""
        abilities = {"images": self.sees_images, "reasoning": self.thinks, "tools": self.uses_tools}
        known = [ability for ability, is_possible in abilities.items() if is_possible]
        return ", ".join([*known, *([f"{self.window:,} tokens"] if self.window else [])])


class Unusable(Exception):
    """A server does not list its models. `reason` is "unreachable", "key" or "no_list"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> None:
        """Another host would get the key."""


def fetch(url: str, headers: Mapping[str, str] | None = None, body: Any = None, timeout: float = TIMEOUT) -> Any:
    """Returns the JSON document at this address; raises Unusable if there is none."""
    handlers: list[Any] = [_NoRedirects()]
    if _is_local_url(url):
        handlers.append(urllib.request.ProxyHandler({}))  # a proxy is for the way out, and would keep us waiting
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})})
        with urllib.request.build_opener(*handlers).open(request, timeout=timeout) as response:
            return json.loads(_read(response, time.monotonic() + DOCUMENT_TIMEOUT))
    except urllib.error.HTTPError as error:
        error.close()
        raise Unusable("key" if error.code in (401, 403) else "no_list") from error
    except OSError as error:
        raise Unusable("unreachable") from error
    except (ValueError, RecursionError, AttributeError) as error:  # no JSON, or no address
        raise Unusable("no_list") from error


def _read(response: Any, deadline: float) -> bytes:
    """Returns the body. One that takes too long, such as an endless stream of events, is no document."""
    body = b""
    while packet := response.read1(MAX_DOCUMENT_BYTES):
        body += packet
        if len(body) > MAX_DOCUMENT_BYTES or time.monotonic() > deadline:
            raise Unusable("no_list")
    return body


def _is_local_url(url: str) -> bool:
    try:
        return is_local(urlsplit(url).hostname or "")
    except ValueError:  # no address
        return False


# Servers that speak OpenAI's format -----------------------------------------------------------------------------------


def compatible_models(base_url: str, key: str = "") -> list[FoundModel]:
    """Returns the chat models of a server that speaks OpenAI's format; raises Unusable if it does not tell."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    base_url = base_url.rstrip("/")
    document = fetch(f"{base_url}/models", headers)
    rows = document.get("data", document.get("models")) if isinstance(document, dict) else document
    if not isinstance(rows, list):
        raise Unusable("no_list")
    rows = [row for row in rows if isinstance(row, dict) and _name(row) and _is_for_chat(row)]
    models = [_listed_model(row) for row in rows]
    more = _more_known(base_url.removesuffix("/v1"), headers, {str(row.get("owned_by")) for row in rows}, models)
    return [_merged(model, more.get(model.name)) for model in models]


def _name(row: dict[str, Any]) -> str:
    return next((value for value in (row.get("id"), row.get("name")) if isinstance(value, str)), "")


def _is_for_chat(row: dict[str, Any]) -> bool:
    if isinstance(kind := row.get("type"), str):  # LM Studio, Together
        return kind.lower() in ("llm", "vlm", "chat", "language", "code", "model")
    abilities = row.get("capabilities")
    if isinstance(abilities, dict) and isinstance(abilities.get("completion_chat"), bool):  # Mistral
        return abilities["completion_chat"]
    output = _inside(row, "architecture", "output_modalities")
    if isinstance(output, list) and "text" not in output:
        return False
    return row.get("supports_chat") is not False and not NOT_FOR_CHAT.search(_name(row))


def _listed_model(row: dict[str, Any]) -> FoundModel:
    """Reads what servers and gateways add to a model of the list."""
    abilities = row.get("capabilities")
    # A list of abilities names few of them: what is missing is not known.
    ability = _told(
        {name: True for name in abilities if isinstance(name, str)} if isinstance(abilities, list) else abilities
    )
    modality = _told(_inside(row, "architecture", "input_modalities"))
    parameter = _told(row.get("supported_parameters"))
    seeing = [modality("image"), row.get("supports_image_input"), row.get("supports_vision"), ability("vision")]
    tools = [parameter("tools"), row.get("supports_tools"), ability("function_calling"), ability("tool_use")]
    return FoundModel(
        _name(row),
        sees_images=_first_bool(seeing),
        thinks=_first_bool([parameter("reasoning"), row.get("supports_reasoning"), ability("reasoning")]),
        uses_tools=_first_bool(tools),
        window=listed_window(row),
    )


def listed_window(row: dict[str, Any]) -> int | None:
    """Returns the context window, in tokens, that a server tells in a list of its models."""
    windows = [row.get("loaded_context_length"), row.get("max_model_len"), _inside(row, "meta", "n_ctx")]
    windows += [row.get(name) for name in ("context_length", "context_window", "max_context_length")]
    return _first_window(windows)


def llama_cpp_window(document: Any) -> int | None:
    """Returns the context window of one of llama.cpp's slots, in tokens, from its /props."""
    return _first_window([_inside(document, "default_generation_settings", "n_ctx")])


def _more_known(
    address: str, headers: Mapping[str, str], owners: set[str], models: list[FoundModel]
) -> dict[str, FoundModel]:
    """Returns what the server tells in a document of its own, by the model's name. `address` is without `/v1`."""
    try:
        if "llamacpp" in owners:
            return {models[0].name: _llama_cpp_model(models[0].name, fetch(f"{address}/props", headers))}
        if "library" in owners:
            return {model.name: ollama_model(address, model.name, headers) for model in models[:MAX_SHOWN]}
        if "organization_owner" in owners:
            rows = fetch(f"{address}/api/v0/models", headers)["data"]
            return {_name(row): _lm_studio_model(row) for row in rows}
    except (Unusable, KeyError, TypeError, AttributeError):
        pass  # what it would add is not needed
    return {}


def _llama_cpp_model(name: str, document: Any) -> FoundModel:
    return FoundModel(
        name,
        sees_images=_first_bool([_inside(document, "modalities", "vision")]),
        uses_tools=_first_bool([_inside(document, "chat_template_caps", "supports_tools")]),
        window=llama_cpp_window(document),
    )


def _lm_studio_model(row: dict[str, Any]) -> FoundModel:
    return replace(_listed_model(row), sees_images=row.get("type") == "vlm")


def _merged(model: FoundModel, more: FoundModel | None) -> FoundModel:
    known = {name: value for name, value in vars(more).items() if value is not None} if more else {}
    return replace(model, **known)


# Ollama ---------------------------------------------------------------------------------------------------------------


def ollama_url() -> str:
    """Reads OLLAMA_HOST as Ollama does: any of scheme, port and path may be missing."""
    host = os.environ.get("OLLAMA_HOST", "").strip() or "127.0.0.1"
    parts = urlsplit(host if "://" in host else f"http://{host}")
    if "://" in host:
        default_port = {"https": 443}.get(parts.scheme, 80)
    else:
        default_port = 11434
    name = parts.hostname or "127.0.0.1"
    if ":" in name:  # IPv6
        name = f"[{name}]"
    return f"{parts.scheme}://{name}:{parts.port or default_port}{parts.path.rstrip('/')}"


def ollama_models(address: str, timeout: float) -> list[str]:
    """Returns the names of the chat models of an Ollama; raises Unusable if none answers."""
    rows = _inside(fetch(f"{address}/api/tags", timeout=timeout), "models")
    if not isinstance(rows, list):
        raise Unusable("no_list")
    rows = [row for row in rows if isinstance(row, dict) and isinstance(row.get("name"), str)]
    families = [str(_inside(row, "details", "family")) for row in rows]
    return [
        row["name"]
        for row, family in zip(rows, families, strict=True)
        if not NOT_FOR_CHAT.search(row["name"]) and "bert" not in family
    ]


def ollama_model(address: str, name: str, headers: Mapping[str, str] | None = None) -> FoundModel:
    """Returns what Ollama tells about a model. The window is that of the model's parameters, if they set one."""
    try:
        document = fetch(f"{address}/api/show", headers, {"model": name})
    except Unusable:
        return FoundModel(name)
    ability = _told(_inside(document, "capabilities"))
    parameters = _inside(document, "parameters")
    chosen = NUM_CTX.search(parameters) if isinstance(parameters, str) else None
    info = _inside(document, "model_info")
    largest = (
        [value for key, value in info.items() if key.endswith(".context_length")] if isinstance(info, dict) else []
    )
    return FoundModel(
        name,
        sees_images=_first_bool([ability("vision")]),
        thinks=_first_bool([ability("thinking")]),
        uses_tools=_first_bool([ability("tools")]),
        window=_first_window([int(chosen[1])] if chosen else []),
        max_window=_first_window(largest),
    )


# Fields ---------------------------------------------------------------------------------------------------------------


def _told(values: Any) -> Callable[[str], Any]:
    """Returns whether a name is in a list, or its value in a dict; None if there is neither."""
    if isinstance(values, list):
        return lambda name: name in values
    return values.get if isinstance(values, dict) else lambda name: None


def _inside(document: Any, *names: str) -> Any:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def _first_bool(values: Iterable[Any]) -> bool | None:
    return next((value for value in values if isinstance(value, bool)), None)


def _first_window(values: Iterable[Any]) -> int | None:
    return next((value for value in values if type(value) is int and MIN_WINDOW <= value <= MAX_WINDOW), None)
