"""The providers as the form of an assistant offers them, and what each calls the usual parameters."""

import os
from typing import Any

from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..providers import REGISTRY
from ..providers.hints import SETTINGS

LABELS = {
    "openai": _("OpenAI, or any server with its format (chat completions)"),
    "openai_responses": _("OpenAI, Responses API"),
    "anthropic": _("Anthropic (Claude)"),
    "google_genai": _("Google (Gemini)"),
    "google_vertexai": _("Google Vertex AI"),
    "azure_openai": _("Azure OpenAI"),
    "ollama": _("Ollama"),
    "langchain": _("another vendor, through LangChain"),
    "python": _("a Python function of your own"),
    "demo": _("demonstration, without a model"),
}
KEYLESS = {"demo", "ollama", "python", "langchain"}
FIELDS = ("temperature", "max_tokens", "reasoning_effort")
# provider -> field -> the names of its parameter: the first is used for a new value
PARAMS: dict[str, dict[str, tuple[str, ...]]] = {
    "openai": {
        "temperature": ("temperature",),
        "max_tokens": ("max_completion_tokens", "max_tokens"),
        "reasoning_effort": ("reasoning_effort",),
    },
    "openai_responses": {"temperature": ("temperature",), "max_tokens": ("max_output_tokens",)},
    "azure_openai": {
        "temperature": ("temperature",),
        "max_tokens": ("max_tokens",),
        "reasoning_effort": ("reasoning_effort",),
    },
    "anthropic": {"temperature": ("temperature",), "max_tokens": ("max_tokens",)},
    "google_genai": {"temperature": ("temperature",), "max_tokens": ("max_output_tokens",)},
    "google_vertexai": {"temperature": ("temperature",), "max_tokens": ("max_output_tokens",)},
    "ollama": {"temperature": ("temperature",), "max_tokens": ("num_predict",)},
    "langchain": {"temperature": ("temperature",), "max_tokens": ("max_tokens",)},
}
TYPES: dict[str, tuple[type, ...]] = {"temperature": (int, float), "max_tokens": (int,), "reasoning_effort": (str,)}
WITH_ADDRESS = {"openai", "openai_responses", "azure_openai", "anthropic", "google_genai", "google_vertexai", "ollama"}
WITH_ADDRESS |= {"langchain"}


def provider_choices(current: str = "") -> list[tuple[str, str]]:
    """Returns (name, label with what the provider needs), the usual ones first; also `current` if it is unknown."""
    names = [*(name for name in LABELS if name in REGISTRY), *sorted(REGISTRY.keys() - LABELS.keys())]
    if current and current not in names:
        names.append(current)
    return [(name, f"{LABELS.get(name, name)}: {_needs(name)}") for name in names]


def _needs(name: str) -> str:
    if name not in REGISTRY:
        return gettext("no longer available")
    if name == "python":
        listed = ", ".join(settings.PYTHON_PROVIDERS)
        return listed or gettext("PYTHON_PROVIDERS lists none")
    if name == "google_vertexai":
        return gettext("uses Google's own credentials")
    variables = SETTINGS.get(name, ((), ""))[0]
    found = next((variable for variable in variables if os.environ.get(variable, "").strip()), "")
    if found:
        return gettext("the key in %(variable)s is set") % {"variable": found}
    if name in KEYLESS or not variables:
        return gettext("needs no key here")
    return gettext("%(variable)s is not set") % {"variable": gettext(" or ").join(variables)}


def split_params(provider: str, params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the values of FIELDS, and all other params. A value that a field cannot hold is among the others."""
    others, values = dict(params), {}
    for field, names in PARAMS.get(provider, {}).items():
        name = next((name for name in names if type(others.get(name)) in TYPES[field]), None)
        if name:
            values[field] = others.pop(name)
    return values, others


def param_name(provider: str, field: str, before: dict[str, Any], base_url: str) -> str | None:
    """Returns the parameter that holds this field's value, or None. The name that was used before is kept."""
    names = PARAMS.get(provider, {}).get(field, ())
    used = next((name for name in names if name in before), None)
    if used is None and provider == "openai" and field == "max_tokens":
        if base_url or os.environ.get("OPENAI_BASE_URL"):
            return "max_tokens"  # the older name, which other servers know
    return used or (names[0] if names else None)
