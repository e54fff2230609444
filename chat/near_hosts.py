"""Which hosts are near, on this machine or in its network, as far as their addresses and names tell."""

from ipaddress import ip_address

LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".lan", ".home.arpa")  # of names that no public server has


def is_near(host: str) -> bool:
    """Whether this host, a name or an IP address, is on this machine or in its network."""
    host = host.rstrip(".").lower()
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(LOCAL_ENDINGS)
