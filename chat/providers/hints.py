"""What to change when a key or an address of the environment is wrong, behind the sentence that says so."""

import os
from typing import Any

from django.utils.translation import gettext

from .base import ProviderError

OPENAI = (("OPENAI_API_KEY",), "OPENAI_BASE_URL")
SETTINGS = {  # provider -> the variables of its key, and that of its address
    "anthropic": (("ANTHROPIC_API_KEY",), "ANTHROPIC_BASE_URL"),
    "azure_openai": (("AZURE_OPENAI_API_KEY",), "AZURE_OPENAI_ENDPOINT"),
    "google_genai": (("GOOGLE_API_KEY", "GEMINI_API_KEY"), "GOOGLE_GEMINI_BASE_URL"),
    "ollama": (("OLLAMA_API_KEY",), "OLLAMA_HOST"),
    "openai": OPENAI,
    "openai_responses": OPENAI,
}


def with_hint(error: ProviderError, model_id: str, params: dict[str, Any]) -> str:
    """Returns the error's sentence, with the variable to correct if an assistant with these params uses one."""
    keys, address = SETTINGS.get(model_id.partition(":")[0], ((), ""))
    if error.code == "authentication":
        own_key = params.get("api_key") or params.get("base_url")
        variables = () if own_key else keys
        variable = params.get("api_key_env") or next((name for name in variables if os.environ.get(name)), "")
        if variable:
            return gettext("%(sentence)s Correct %(variable)s.") % {"sentence": error, "variable": variable}
    has_default = address == "OLLAMA_HOST"  # this machine
    if error.code == "unreachable" and not params.get("base_url") and (os.environ.get(address) or has_default):
        return gettext("%(sentence)s Start it, or correct %(variable)s.") % {"sentence": error, "variable": address}
    return str(error)
