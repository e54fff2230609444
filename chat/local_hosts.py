"""Recognizes hosts on this machine or in its network by their addresses and names."""

from ipaddress import ip_address

LOCAL_DOMAINS = (".localhost", ".local", ".internal", ".lan", ".home.arpa")  # reserved: no public server is in them


def is_local(host: str) -> bool:
    """Whether this host, a name or an IP address, is on this machine or in its network."""
    host = host.rstrip(".").lower()
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(LOCAL_DOMAINS)
