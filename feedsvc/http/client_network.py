"""The address of a client behind proxies, and its network, by which limits count."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def trust_proxies(app: WSGIApplication, count: int) -> WSGIApplication:
    """Return a WSGI application that takes the address from X-Forwarded-For.

    :param count: number of trusted proxies, each of which adds an address.
    """
    return ProxyFix(app, x_for=count, x_proto=0) if count else app


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
