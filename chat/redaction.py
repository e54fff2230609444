"""Removes keys and passwords from what is logged, stored as an error, or shown.

Servers repeat a key that they refuse, and libraries put it into their exceptions. The secrets are the values of
environment variables with a name such as `…_KEY`, the passwords in addresses such as `redis://:password@host`, and what
is passed to `add_secret` and `add_secrets_of`: keys in an assistant's params, or in the headers of a tool server. They
are found in any of the spellings in which programs pass them on. Keys of well-known formats are always removed.
"""

import html
import json
import os
import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

# Of environment variables, params and headers.
SECRET_NAME = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|[_-]PASS|[_-]PWD|AUTHORIZATION|COOKIE)S?(?:[_-]?[0-9]+)?\Z",
    re.IGNORECASE,
)
SEPARATOR = re.compile(r"[\s,;]+")  # of several keys in a variable, and of a header's scheme and key
ENCODED_OCTET = re.compile("%[0-9A-F]{2}")
KEY_PREFIX = "chatkey_"  # of this site's own keys: see chat.api_keys
KNOWN_FORMATS = re.compile(
    r"(?<![\w-])(?:chatkey_[\w-]{20,}|sk-[\w-]{20,}|AIza[\w-]{30,}|ya29\.[\w-]{20,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
    r"|gh[opsu]_\w{30,}|hf_\w{30,}|gsk_\w{30,}|xox[abp]-[\w-]{20,})"
)
MIN_LENGTH = 8  # characters; a shorter value, such as "none", may be an ordinary word
MAX_ADDED = 300  # secrets; each is searched for in all its spellings
MAX_LEVELS = 5  # of nested params that are searched for keys
REDACTED = "***"

_added: dict[str, None] = {}  # secret -> None, the most recently added last


def add_secret(secret: str | None) -> None:
    """Makes `redact` remove this value, too. Only the last MAX_ADDED values are kept."""
    if secret and len(secret) >= MIN_LENGTH:
        _added.pop(secret, None)
        _added[secret] = None
        if len(_added) > MAX_ADDED:
            _added.pop(next(iter(_added)), None)


def add_secrets_of(values: Any, is_secret: bool = False, levels: int = MAX_LEVELS) -> None:
    """Adds the secrets in params, headers, variables or a command, by their names, and those in addresses."""
    if isinstance(values, str):
        for secret in _secrets_in(values, is_secret):
            add_secret(secret)
    elif levels:
        for name, value in _named(values):
            add_secrets_of(value, is_secret or bool(SECRET_NAME.search(name)), levels - 1)


def redact(text: str) -> str:
    """Returns the text with `***` in place of each secret. Redact before shortening: a part of a key is not found."""
    found = {spelling for secret in set(_secrets()) for spelling in _spellings(secret) if spelling in text}
    for spelling in sorted(found, key=len, reverse=True):  # one secret may contain another
        text = text.replace(spelling, REDACTED)
    return KNOWN_FORMATS.sub(REDACTED, text)


def _named(values: Any) -> Iterator[tuple[str, Any]]:
    """Yields names and values of a dict; of a list the values, with the option before them as the name."""
    if isinstance(values, dict):
        yield from ((str(name), value) for name, value in values.items())
    elif isinstance(values, list):
        option = ""
        for value in values:
            name, equals, rest = value.partition("=") if isinstance(value, str) else ("", "", "")
            is_option = name.startswith("-")
            yield (name, rest) if is_option and equals else (option, value)
            option = name if is_option and not equals else ""


def _secrets() -> Iterator[str]:
    yield from tuple(_added)
    for name, value in list(os.environ.items()):
        yield from _secrets_in(value, bool(SECRET_NAME.search(name)))


@lru_cache(maxsize=2 * MAX_ADDED)
def _secrets_in(value: str, is_secret: bool) -> tuple[str, ...]:
    """Returns the secrets in a value: the whole and its parts if it is one; of an address, the password and keys."""
    value = value.strip()
    parts = SEPARATOR.split(value)
    secrets = [value, *(parts if len(parts) == 2 or "," in value else ())] if is_secret else []
    if "://" in value:
        try:
            address = urlsplit(value)
            password = address.password or ""
            secrets += [password, unquote(password)]
            secrets += [key for name, key in parse_qsl(address.query) if SECRET_NAME.search(name)]
        except ValueError:
            pass
    return tuple(secret for secret in secrets if len(secret) >= MIN_LENGTH)


@lru_cache(maxsize=2 * MAX_ADDED)
def _spellings(secret: str) -> frozenset[str]:
    """Returns the ways in which a secret is written in URLs, JSON, HTML, Python, and, in part, in Base64."""
    in_url = quote(secret, safe="")
    spellings = {secret, in_url, quote(secret), quote_plus(secret), html.escape(secret), repr(secret)[1:-1]}
    spellings.add(ENCODED_OCTET.sub(lambda match: match[0].lower(), in_url))
    in_json = json.dumps(secret)[1:-1]
    spellings |= {in_json, in_json.replace("/", r"\/"), json.dumps(secret, ensure_ascii=False)[1:-1]}
    data = secret.encode("utf-8", "surrogatepass")
    for offset in range(3):  # in "user:key", the key begins at any of these places of a group of three bytes
        for encode in (b64encode, urlsafe_b64encode):
            encoded = encode(bytes(offset) + data).decode()
            spellings.add(encoded[(0, 2, 3)[offset] : (offset + len(data)) * 8 // 6])
    return frozenset(spelling for spelling in spellings if len(spelling) >= MIN_LENGTH)
