"""Which server a model is on, as its address tells, and whether it may have room for one request only."""

import os
import re
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..near_hosts import is_near
from .hints import SETTINGS

DEFAULT_HOSTS = {"ollama": "127.0.0.1:11434"}


class Server(NamedTuple):
    """A server of models. Many users of one's own share the room of one machine; a vendor has room for all."""

    host: str  # and port; the name of the provider if only its library knows the host
    is_own: bool


def server_of(model_id: str, params: dict[str, Any]) -> Server:
    """Returns the server of an assistant with these params. One that is not near counts as a vendor's."""
    provider = model_id.removeprefix("langchain:").partition(":")[0]
    _keys, variable = SETTINGS.get(provider, ((), ""))
    address = str(params.get("base_url") or os.environ.get(variable, ""))
    host = re.sub(r"^\w+://|[/?#].*", "", address).rpartition("@")[2] or DEFAULT_HOSTS.get(provider, "")
    return Server(host or provider, bool(host) and _is_own(provider, host))


def _is_own(provider: str, host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # no address, so that nothing will answer
        return False
    return is_near(name) or (provider == "ollama" and not f".{name}".endswith(".ollama.com"))
