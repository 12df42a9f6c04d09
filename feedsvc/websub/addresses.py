"""Check that addresses are on the Internet: the service calls no others.

Without aiohttp, so that the hub can refuse a callback that is never called.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_SPECIAL = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments; Oracle's 192.0.0.192
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    # Cloud services that answer only the cloud's own machines, at addresses that look
    # public. Others are link-local, shared (RFC 6598) or unique local, and refused so.
    IPv4Network("168.63.129.16/32"),  # Azure's wire server
    IPv4Network("161.26.0.0/16"),  # IBM Cloud's infrastructure services
    IPv4Network("166.8.0.0/14"),  # IBM Cloud's service endpoints
    IPv4Network("192.80.8.124/32"),  # Equinix Metal's metadata
)
_UNICAST = IPv6Network("2000::/3")
_TUNNELS = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))  # Teredo, 6to4
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public_address(text: str) -> bool:
    """Check that an address is on the Internet, and no tunnel to one that is not."""
    address: IPv4Address | IPv6Address = ip_address(text)
    if isinstance(address, IPv6Address):
        # An address that stands for an IPv4 address is judged as that one. Tunnels are
        # refused whatever they lead to.
        if address.ipv4_mapped or address in _NAT64:
            address = IPv4Address(int(address) & 0xFFFFFFFF)
        elif address not in _UNICAST or any(address in tunnel for tunnel in _TUNNELS):
            return False
    is_special = any(address in network for network in _SPECIAL)
    return address.is_global and not address.is_multicast and not is_special


def private_address(host: str) -> str:
    """Return the private address that a callback's host is, or an empty string.

    Other names are not resolved: that takes time, and only the address counts to which
    the delivery worker connects later.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return host
    try:
        # Also the forms that a resolver understands, such as 127.1.
        address = host if ":" in host else socket.inet_ntoa(socket.inet_aton(host))
        return "" if is_public_address(address) else address
    except (OSError, ValueError):
        return ""
