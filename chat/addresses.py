"""Client addresses, as the limits count them."""

import ipaddress


def network_of(address: str) -> str:
    """Returns the address that limits count: an IPv6 address's /64 network, because one client may own all of it."""
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:  # from a proxy's header, which the server does not validate
        return address
