"""Finds out which server a model is on, and whether that server may process only one request at a time."""

import os
import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..local_hosts import is_local
from .hints import SETTINGS

DEFAULT_HOSTS = {"ollama": "127.0.0.1:11434"}


class Server(NamedTuple):
    """A server of models. A self-hosted one may be a single machine for all users; a vendor's is large enough."""

    host: str  # and port; the name of the provider if only its library knows the host
    is_self_hosted: bool


def server_of(model_id: str, params: dict[str, Any]) -> Server:
    """Returns the server of an assistant with these params. A server that is not local counts as a vendor's."""
    provider = model_id.removeprefix("langchain:").partition(":")[0]
    _keys, variable = SETTINGS.get(provider, ((), ""))
    address = str(params.get("base_url") or os.environ.get(variable, ""))
    host = re.sub(r"^\w+://|[/?#].*", "", address).rpartition("@")[2] or DEFAULT_HOSTS.get(provider, "")
    return Server(host or provider, bool(host) and _is_self_hosted(provider, host))


def _is_self_hosted(provider: str, host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # no address, so that nothing will answer
        return False
    return is_local(name) or (provider == "ollama" and not f".{name}".endswith(".ollama.com"))
