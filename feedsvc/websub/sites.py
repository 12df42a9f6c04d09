"""The registrable domain of a callback's host, by which limits count."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING

from feedsvc.access import network_of

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList


def site_of(host: str) -> str:
    """Return the registrable domain of a host, such as `example.co.uk`; of an IP address `network_of`."""
    try:
        ip_address(host)
    except ValueError:
        return _suffixes().privatesuffix(host) or host
    return network_of(host)


@cache
def _suffixes() -> PublicSuffixList:
    # Loaded at the first use: it takes some megabytes that most workers never need.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
