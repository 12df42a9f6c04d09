"""Whom a callback belongs to, as limits count: a registrable domain, and a network address."""

from __future__ import annotations

from functools import cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def site_of(host: str) -> str:
    """Return the registrable domain of a host, such as `example.co.uk`; of an IP address `network_of`."""
    try:
        return network_of(host)
    except ValueError:
        return _suffixes().privatesuffix(host) or host


def network_of(address: str) -> str:
    """Return an IPv4 address itself, and of an IPv6 address the /64, which one customer has.

    :raises ValueError: it is no address.
    """
    parsed = ip_address(address.partition("%")[0])
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)


@cache
def _suffixes() -> PublicSuffixList:
    # Loaded at the first use: it takes some megabytes that most workers never need.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
