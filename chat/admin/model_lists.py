"""Asks a model's server which models it has, for the form of an assistant."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext

from ..model_servers import FoundModel, Unusable, compatible_models, fetch, ollama_model, ollama_models, ollama_url
from ..natural_order import natural_key
from ..providers import ProviderError, missing_key
from ..providers.credentials import environment_address, only_bound_keys, resolve_server
from ..providers.forbidden_hosts import check_resolved
from ..providers.hints import SETTINGS
from ..providers.vision import is_known_to_see

LIST_TIMEOUT = 15  # seconds for the list; each of its documents has limits of its own
MAX_LISTED = 1000
ADDRESSES = {
    "openai": "https://api.openai.com/v1",
    "openai_responses": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "google_genai": "https://generativelanguage.googleapis.com",
}
# A slow server takes one of these threads, and none of the site's.
_threads = ThreadPoolExecutor(2, "model-lists")


async def list_models(
    provider: str, base_url: str, key_variable: str, model: str = "", *, may_bind_keys: bool
) -> dict[str, Any]:
    """Returns {"models": [a dict of FoundModel], "error": why there are none}. `model` is the one that is asked about.

    `may_bind_keys`: as in `providers.check`.
    """
    try:
        models = await _ask(provider, base_url, key_variable, model, may_bind_keys)
    except ProviderError as error:
        return {"models": [], "error": str(error)}
    except TimeoutError:
        sentence = gettext("The server did not answer within %(seconds)s seconds.") % {"seconds": LIST_TIMEOUT}
        return {"models": [], "error": sentence}
    if not models:
        return {
            "models": [],
            "error": gettext("The server has no models for conversations. Type the name of the model."),
        }
    models = sorted(models[:MAX_LISTED], key=lambda model: natural_key(model.name))
    return {"models": [asdict(_with_sight(model)) for model in models], "error": ""}


async def _ask(provider: str, base_url: str, key_variable: str, model: str, may_bind_keys: bool) -> list[FoundModel]:
    if provider == "python":
        return [FoundModel(path) for path in settings.PYTHON_PROVIDERS]
    if provider not in LISTS:
        raise ProviderError(gettext("This provider has no list of models. Type the name of the model."))
    keys, address_variable = SETTINGS[provider]
    params = {"base_url": base_url or None, "api_key_env": key_variable or None}
    with only_bound_keys(not may_bind_keys):
        address, key = resolve_server(params, *keys, address_variable=address_variable, required=False)
    try:
        address = address or (ollama_url() if provider == "ollama" else environment_address(address_variable))
        address = (address or ADDRESSES[provider]).rstrip("/")
        host = urlsplit(address).hostname or ""
    except ValueError:
        raise ProviderError(gettext("The address is not a URL.")) from None
    if not address.startswith(("http://", "https://")) or not host:
        raise ProviderError(gettext("The address must begin with http:// or https://."))
    await check_resolved(host)
    asked = asyncio.get_running_loop().run_in_executor(_threads, LISTS[provider], address, key or "", model)
    try:
        async with asyncio.timeout(LIST_TIMEOUT):
            return await asked
    except Unusable as error:
        raise ProviderError(_reason(error.reason, address, provider, key, params_of(base_url, key_variable))) from None


def params_of(base_url: str, key_variable: str) -> dict[str, Any]:
    given = {"base_url": base_url, "api_key_env": key_variable}
    return {name: value for name, value in given.items() if value}


def _reason(reason: str, address: str, provider: str, key: str | None, params: dict[str, Any]) -> str:
    if reason == "unreachable":
        return gettext("No server answers at %(address)s.") % {"address": address}
    if reason == "key" and not key:
        return missing_key(f"{provider}:", params)
    if reason == "key":
        return gettext("The server at %(address)s rejects the key.") % {"address": address}
    return gettext("There is no list of models at %(address)s.") % {"address": address}


def _with_sight(model: FoundModel) -> FoundModel:
    if model.sees_images is None and is_known_to_see(model.name):
        return FoundModel(**asdict(model) | {"sees_images": True})
    return model


def _compatible(address: str, key: str, model: str) -> list[FoundModel]:
    return compatible_models(address, key)


def _anthropic(address: str, key: str, model: str) -> list[FoundModel]:
    document = fetch(f"{address}/v1/models?limit=1000", {"x-api-key": key, "anthropic-version": "2023-06-01"})
    return [FoundModel(row["id"]) for row in _rows(document, "data") if isinstance(row.get("id"), str)]


def _google(address: str, key: str, model: str) -> list[FoundModel]:
    document = fetch(f"{address}/v1beta/models?pageSize=1000", {"x-goog-api-key": key})
    return [
        FoundModel(row["name"].removeprefix("models/"))
        for row in _rows(document, "models")
        if isinstance(row.get("name"), str) and "generateContent" in (row.get("supportedGenerationMethods") or ())
    ]


def _ollama(address: str, key: str, model: str) -> list[FoundModel]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    names = ollama_models(address, timeout=3)
    return [ollama_model(address, name, headers) if name == model else FoundModel(name) for name in names]


def _rows(document: Any, name: str) -> list[dict[str, Any]]:
    rows = document.get(name) if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise Unusable("no_list")
    return [row for row in rows if isinstance(row, dict)]


LISTS: dict[str, Callable[[str, str, str], list[FoundModel]]] = {
    "openai": _compatible,
    "openai_responses": _compatible,
    "anthropic": _anthropic,
    "google_genai": _google,
    "ollama": _ollama,
}
