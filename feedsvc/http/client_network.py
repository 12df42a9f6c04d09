"""The network of a client, by which limits count."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address


def network_of(address: str) -> str:
    """Return an IPv4 address as it is, and the /64 of an IPv6 address.

    One client usually has a whole /64, so it could use a new address for each request.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((int(parsed) >> 64 << 64, 64)))
