"""The server and the API key of a request, from the assistant's params or from the environment."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext

from .. import redaction
from . import forbidden_hosts
from .base import ProviderError

# Staff choose the variable and the server that its value is sent to: only names of keys, and not Django's own.
KEY_VARIABLE = re.compile("[A-Z][A-Z0-9_]*_(KEY|TOKEN)")
FORBIDDEN_VARIABLE = re.compile("SECRET")


# Whether a key of the environment may be sent only to addresses that the environment allows.
_only_bound_keys: ContextVar[bool] = ContextVar("only_bound_keys", default=False)


@contextmanager
def only_bound_keys(value: bool = True) -> Iterator[None]:
    """While the block runs, `resolve_server` raises ProviderError for a key and an address that nobody has bound.

    An operator binds them in API_KEY_HOSTS. Without this, whoever edits an assistant could have any key of the
    environment sent to a server of theirs.
    """
    token = _only_bound_keys.set(value)
    try:
        yield
    finally:
        _only_bound_keys.reset(token)


def resolve_server(
    params: dict[str, Any], *variables: str, address_variable: str | None = None, required: bool = True
) -> tuple[str | None, str | None]:
    """Returns (address or None, key or None), and removes `base_url`, `api_key_env` and `api_key` from the params.

    If the params name neither a server nor a key, the key is the first of the environment's `variables` that is set.
    It is required unless `address_variable` names a server. The environment's keys are sent to no other address than
    the provider's own and that variable's.
    """
    base_url = params.pop("base_url", None)
    variable = params.pop("api_key_env", None)
    key = params.pop("api_key", None)
    if not all(param is None or type(param) is str for param in (base_url, variable, key)):
        sentence = gettext("The parameters base_url, api_key_env and api_key must be strings.")
        raise ProviderError(sentence, "not_configured")
    if base_url:
        forbidden_hosts.choose(base_url)
    if variable and (not KEY_VARIABLE.fullmatch(variable) or FORBIDDEN_VARIABLE.search(variable)):
        sentence = gettext(
            "“%(name)s” cannot be used for api_key_env. The variable's name must end in _KEY or _TOKEN and must not "
            "contain SECRET."
        )
        raise ProviderError(sentence % {"name": variable}, "not_configured")
    if variable:
        if _only_bound_keys.get() and not _is_bound(variable, base_url, variables, address_variable):
            sentence = gettext(
                "Only a superuser may send the key in %(name)s to this address, unless API_KEY_HOSTS allows it."
            )
            raise ProviderError(sentence % {"name": variable}, "not_configured")
        key = _first_value(variable) or _raise_missing(variable)
    elif not key and not base_url:
        key = _first_value(*variables)
        if not key and required and not os.environ.get(address_variable or ""):
            _raise_missing(*variables)
    if key and not (key.isascii() and key.isprintable()):
        raise ProviderError(gettext("The API key contains invalid characters."), "not_configured")
    redaction.add_secret(key)
    return base_url or None, key or None


def _is_bound(variable: str, base_url: str | None, variables: tuple[str, ...], address_variable: str | None) -> bool:
    if variable in variables and base_url in (None, "", _first_value(address_variable or "")):
        return True  # the provider's own key, sent to its own address
    return origin(base_url or "") in settings.API_KEY_HOSTS.get(variable, ())


def origin(url: str) -> str:
    """Returns scheme, host and port of a URL; "" if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname and not parts.username else ""


def environment_value(variable: str) -> str:
    """Returns the value of a variable that must be set."""
    return _first_value(variable) or _raise_missing(variable)


def environment_address(variable: str) -> str:
    """Returns the address in this variable, or an empty string."""
    return _first_value(variable) if variable else ""


def missing_variable(*variables: str) -> str:
    """Returns the sentence that none of these variables is set."""
    names = gettext(" or ").join(variables)
    return gettext("The environment variable %(name)s is not set.") % {"name": names}


def _first_value(*variables: str) -> str:
    values = (os.environ.get(variable, "").strip() for variable in variables)
    return next(filter(None, values), "")


def _raise_missing(*variables: str) -> NoReturn:
    raise ProviderError(missing_variable(*variables), "not_configured")
