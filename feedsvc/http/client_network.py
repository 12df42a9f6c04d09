"""The address of a client behind proxies, and its network, by which limits count."""

from __future__ import annotations

from ipaddress import IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def trust_proxies(app: WSGIApplication, count: int) -> WSGIApplication:
    """Return a WSGI application that takes the address from X-Forwarded-For.

    :param count: number of trusted proxies, each of which adds an address.
    """
    if not count:
        return app

    def behind_proxies(
        environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        set_client(environ, count)
        return app(environ, start_response)

    return behind_proxies


def set_client(environ: dict[str, Any], count: int) -> None:
    """Set REMOTE_ADDR to the address that the first trusted proxy has added."""
    # Not by Werkzeug's ProxyFix, to which a quotation mark in what the client sent
    # makes the header ill-formed: the client would have the address of the proxy.
    addresses = environ.get("HTTP_X_FORWARDED_FOR", "").split(",")
    address = addresses[-count].strip() if 0 < count <= len(addresses) else ""
    if address:
        environ["REMOTE_ADDR"] = address


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
    return str(parsed.ipv4_mapped or IPv6Network((parsed, 64), strict=False))
