"""Addresses of clients, as far as limits need them."""

import ipaddress


def network_of(address: str) -> str:
    """Returns the address by which a client is limited: of IPv6 the /64 network, all of which one client may have."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:  # from a proxy, whose headers a server takes as they are
        return address
