"""Assistants for the models that the servers of the environment offer. Sync, for `manage.py prepare`.

Each step returns lines for the terminal: which models there are, and Faults: what to change about a server or a key.
"""

import os
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import urlsplit

from django.utils.text import slugify
from django.utils.translation import gettext_noop

from .default_assistants import VENDORS, create_once
from .model_servers import FoundModel, Unusable, compatible_models, fetch, ollama_model, ollama_models, ollama_url
from .models import Assistant
from .providers.vision import is_known_to_see

MAX_MODELS = 20  # of a server that become assistants; some people collect them, and gateways offer hundreds
OLLAMA_TIMEOUT = 0.5  # seconds for the list of models on this machine, where there may be no Ollama
OLLAMA_HOST_TIMEOUT = 3  # seconds for the same at OLLAMA_HOST
OLLAMA_WINDOW = 8_192  # tokens at most, unless the model's parameters set more: Ollama does not tell its own default
COMPATIBLE_DESCRIPTION = gettext_noop("Answers through your own server.")
OLLAMA_DESCRIPTION = gettext_noop("Answers through Ollama.")
KEY_CHECKS = {  # vendor's slug -> an address that needs the key, and its header
    "openai": ("https://api.openai.com/v1/models", "Authorization", "Bearer "),
    "anthropic": ("https://api.anthropic.com/v1/models", "x-api-key", ""),
    "google": ("https://generativelanguage.googleapis.com/v1beta/models", "x-goog-api-key", ""),
}


class Fault(str):
    """A line that says what is wrong with a server or a key, and what to change."""


def create_found_assistants() -> list[str]:
    """Creates an assistant for each model that is offered, and returns lines for the terminal."""
    return [*_from_compatible_server(), *_from_ollama(), *_check_keys()]


# A server that speaks OpenAI's format ---------------------------------------------------------------------------------


def _from_compatible_server() -> list[str]:
    address = _variable("OPENAI_BASE_URL").rstrip("/")
    if not address or urlsplit(address).hostname == "api.openai.com":
        return []
    if not address.startswith(("http://", "https://")):
        return [Fault(f"OPENAI_BASE_URL is {address}, but must begin with http:// or https://.")]
    try:
        models = compatible_models(address, _variable("OPENAI_API_KEY"))
    except Unusable as error:
        return [Fault(_what_to_change(error.reason, address))]
    chosen = _variable("OPENAI_MODEL")
    lines: list[str] = []
    if chosen:
        known = {model.name: model for model in models}
        if chosen not in known:
            names = ", ".join(list(known)[:MAX_MODELS])
            lines.append(Fault(f"{address} does not list OPENAI_MODEL={chosen}. It lists: {names or 'nothing'}."))
        models = [known.get(chosen, FoundModel(chosen))]
    elif not models:
        return [Fault(f"{address} has no chat model. Load one, and start the site again.")]
    elif len(models) > MAX_MODELS:
        lines.append(f"{address} offers {len(models)} models. OPENAI_MODEL chooses one; until then it is the first.")
        models = models[:1]
    offered = {f"openai:{model.name}" for model in models}
    for number, model in enumerate(models):
        _create_or_update("openai" if number == 0 else f"openai-{_slug(model.name)}"[:50], model, offered)
    return [*lines, _listing(address, models)]


def _what_to_change(reason: str, address: str) -> str:
    key = _variable("OPENAI_API_KEY")
    if reason == "unreachable":
        return f"No server answers at {address}. Start it, or correct OPENAI_BASE_URL."
    if reason == "key":
        return (
            f"{address} rejects OPENAI_API_KEY. Correct it." if key else f"{address} needs a key. Set OPENAI_API_KEY."
        )
    if not address.endswith("/v1"):
        try:
            compatible_models(f"{address}/v1", key)
            return f"OPENAI_BASE_URL lacks the end of the address. Set it to {address}/v1."
        except Unusable:
            pass
    return f"{address}/models is no list of models. Correct OPENAI_BASE_URL, or name the model in OPENAI_MODEL."


def _create_or_update(slug: str, model: FoundModel, offered: set[str]) -> None:
    """Creates the assistant. One that nobody has edited follows its server to another model."""
    model_id, fields = f"openai:{model.name}", _abilities(model)
    if create_once(slug, model_id, COMPATIBLE_DESCRIPTION, **fields):
        return
    row = Assistant.objects.filter(slug=slug).first()
    if row is None or row.name != row.model.partition(":")[2] or row.system_prompt or row.params:
        return
    if row.model not in offered:
        row.model, row.name, row.context_window = model_id[:200], model.name[:100], None
    if row.model == model_id and row.context_window is None:
        row.description, row.sees_images = COMPATIBLE_DESCRIPTION, fields["sees_images"]
        row.context_window = fields["context_window"]
        row.save()


def _abilities(model: FoundModel) -> dict:
    sees = model.sees_images
    return {
        "sees_images": is_known_to_see(model.name) if sees is None else sees,
        "context_window": model.window,
    }


# Ollama ---------------------------------------------------------------------------------------------------------------


def _from_ollama() -> list[str]:
    """Creates an assistant for each model of the Ollama on this machine or at OLLAMA_HOST, if one answers there."""
    host, chosen = _variable("OLLAMA_HOST"), _variable("OLLAMA_MODEL")
    try:
        address = ollama_url()
    except ValueError:
        return [Fault(f"OLLAMA_HOST={host} is no address. Correct it.")]
    try:
        names = ollama_models(address, OLLAMA_HOST_TIMEOUT if host else OLLAMA_TIMEOUT)
    except Unusable:
        if not host and not chosen:
            return []
        if chosen:
            _create_for_ollama(_with_window(FoundModel(chosen)))
        return [Fault(f"No Ollama answers at {address}. Start it with “ollama serve”, or correct OLLAMA_HOST.")]
    lines: list[str] = []
    if chosen and not {chosen, f"{chosen}:latest"} & set(names):
        lines.append(Fault(f"Ollama does not have OLLAMA_MODEL={chosen}. Download it with “ollama pull {chosen}”."))
    elif not names:
        return [Fault("Ollama has no chat model. Download one with “ollama pull llama3.2”, and start again.")]
    models = [_with_window(ollama_model(address, name)) for name in ([chosen] if chosen else names[:MAX_MODELS])]
    for model in models:
        _create_for_ollama(model)
    return [*lines, _listing(address, models)]


def _with_window(model: FoundModel) -> FoundModel:
    return replace(model, window=model.window or min(model.max_window or OLLAMA_WINDOW, OLLAMA_WINDOW))


def _create_for_ollama(model: FoundModel) -> None:
    """Creates the assistant. The window is sent with each request, since Ollama cuts longer ones without a word."""
    params = {"num_ctx": model.window} | ({"reasoning": True} if model.thinks else {})
    slug = f"ollama-{_slug(model.name)}"[:50]
    create_once(slug, f"ollama:{model.name}", OLLAMA_DESCRIPTION, params=params, **_abilities(model))


# Keys -----------------------------------------------------------------------------------------------------------------


def _check_keys() -> Iterable[str]:
    """Yields what is wrong with the keys of the vendors whose own addresses are used."""
    for vendor in VENDORS:
        variable = next((name for name in vendor.key_variables if _variable(name)), "")
        if not variable or vendor.slug not in KEY_CHECKS or _variable(vendor.address_variable):
            continue
        url, header, prefix = KEY_CHECKS[vendor.slug]
        try:
            fetch(url, {header: prefix + _variable(variable), "anthropic-version": "2023-06-01"})
        except Unusable as error:
            if error.reason == "unreachable":
                yield Fault(f"{vendor.host} cannot be reached from this machine, so its models cannot answer.")
            else:
                yield Fault(f"{vendor.host} rejects the key in {variable}. Correct it.")


def _listing(address: str, models: Iterable[FoundModel]) -> str:
    abilities = ((model.name, model.abilities()) for model in models)
    return f"Models at {address}: " + ", ".join(f"{name} ({known})" if known else name for name, known in abilities)


def _slug(name: str) -> str:
    return slugify(name.replace(":", "-").replace("/", "-").replace(".", "-"))


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip() if name else ""
