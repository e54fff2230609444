"""What staff can do about the error of a run: for them, behind the sentence for everybody."""

import os
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

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

ADVICE = {  # error code -> what those who run the site can do; the sentence of a timeout names its setting
    "context_length": _(
        "Choose a model with a larger context window, or correct the context window in the assistant, so that older "
        "messages are left out in time."
    ),
    "empty_response": _("Check that the assistant's address belongs to its provider."),
    "internal": _("The server's log has the details."),
    "malformed": _("Check that the assistant's address belongs to its provider."),
    "not_configured": _("Check the assistant's model, address and key."),
    "permission": _("Give the key access to “%(model)s” at the provider, or choose another model in the assistant."),
    "quota": _("Add credit to the provider's account, or use a key of another account."),
    "rate_limited": _("If this happens often, raise the limit at the provider."),
    "redirected": _("In the assistant, enter the address to which the server redirects."),
    "sees_no_images": _("Turn off images in the assistant, or choose a model that can see them."),
    "unknown_model": _("Check the assistant's model (“%(model)s”) and address."),
}


def advice(code: str, model_id: str, params: dict[str, Any]) -> str:
    """Returns what those who run the site can do about an error of an assistant with these params, or nothing.

    It may name variables of the environment, so it is not for everybody.
    """
    if code == "authentication":
        return _key_advice(model_id, params)
    if code == "unreachable":
        return _address_advice(model_id, params)
    return str(ADVICE[code]) % {"model": model_id} if code in ADVICE else ""


def with_advice(error: ProviderError, model_id: str, params: dict[str, Any]) -> str:
    """Returns the error's sentence and the advice."""
    hint = advice(error.code, model_id, params)
    is_whole = error.code == "authentication" and hint == missing_key(model_id, params)
    return hint if is_whole else f"{error} {hint}".strip()


def _key_advice(model_id: str, params: dict[str, Any]) -> str:
    keys, _variable = SETTINGS.get(model_id.partition(":")[0], ((), ""))
    if params.get("api_key"):
        return gettext("Correct the API key in the assistant.")
    variables = () if params.get("base_url") else keys
    variable = params.get("api_key_env") or next((name for name in variables if os.environ.get(name)), "")
    if variable:
        return gettext("Correct %(variable)s.") % {"variable": variable}
    return missing_key(model_id, params) if keys else ""


def _address_advice(model_id: str, params: dict[str, Any]) -> str:
    _keys, variable = SETTINGS.get(model_id.partition(":")[0], ((), ""))
    if params.get("base_url"):
        return gettext("Start the server, or correct its address in the assistant.")
    if os.environ.get(variable) or variable == "OLLAMA_HOST":  # which has a default: this machine
        return gettext("Start the server, or correct %(variable)s.") % {"variable": variable}
    return ""


def missing_key(model_id: str, params: dict[str, Any]) -> str:
    """Returns the sentence for a server that requires a key where none is configured."""
    keys, _variable = SETTINGS.get(model_id.partition(":")[0], ((), ""))
    if params.get("base_url") or not keys:
        return gettext(
            "The server requires an API key. Set an environment variable whose name ends in _KEY to it, and enter that "
            "name in the assistant (api_key_env)."
        )
    return gettext("The server requires an API key. Set the environment variable %(variable)s.") % {"variable": keys[0]}
