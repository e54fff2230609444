"""Addresses that staff cannot send an assistant's requests to: clouds hand out credentials there.

Loopback and private networks are allowed, where many models run.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from django.utils.translation import gettext

from .base import ProviderError

NAMES = {"metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"}
NETWORKS = [
    ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local: AWS, Azure, Google and most others
        "fe80::/10",
        "fd00:ec2::/32",  # AWS
        "fd20:ce::254/128",  # Google
        "100.100.100.200/32",  # Alibaba
        "192.0.0.192/32",  # Oracle
    )
]
NAT64 = ip_network("64:ff9b::/96")

_chosen: set[str] = set()  # hosts that staff have chosen; the operator's and the vendors' are trusted


def choose(base_url: str) -> None:
    """Takes an address that staff have chosen. Raises ProviderError if it is forbidden as it is written."""
    try:
        host = (urlsplit(base_url).hostname or "").rstrip(".")
    except ValueError:
        return  # no URL, for which the SDK has an error
    if host in NAMES or is_forbidden(host):
        raise _error()
    _chosen.add(host)


async def check_resolved(host: str) -> None:
    """Raises ProviderError if this host, which staff have chosen, stands for a forbidden address now."""
    name = host.rstrip(".").lower()
    if name in NAMES or is_forbidden(name):
        raise _error()  # a redirect, or an address that was stored before there was this check
    if name not in _chosen:
        return
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError:
        return  # the connection will fail, too
    if any(is_forbidden(str(sockaddr[0])) for *_, sockaddr in found):
        raise _error()


def is_forbidden(address: str) -> bool:
    """Whether this is a forbidden IP address, in any notation that a system's resolver understands."""
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in NETWORKS)


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        try:
            return IPv4Address(socket.inet_aton(address))  # such as 2852039166 or 0xa9fea9fe
        except (OSError, UnicodeError):
            return None
    if isinstance(parsed, IPv6Address):
        if parsed in NAT64:
            return IPv4Address(int(parsed) & 0xFFFFFFFF)
        return parsed.ipv4_mapped or parsed.sixtofour or parsed
    return parsed


def _error() -> ProviderError:
    sentence = gettext("base_url must not be a link-local address or the metadata server of a cloud.")
    return ProviderError(sentence, "not_configured")
