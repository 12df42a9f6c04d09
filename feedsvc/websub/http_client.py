"""The one way out: calls to URLs that strangers have named.

aiohttp resolves a name and asks for the socket to each address, so what is checked is what is connected to.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from errno import EACCES
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from aiohttp import ClientResponseError, ClientSession, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType
from multidict import CIMultiDict
from yarl import URL

from feedsvc.access import network_of

TIMEOUT = 10.0
"""What a call may take, from the look-up of the name to the last byte."""

MAX_RESPONSE_BYTES = 64 * 1024
"""The bytes of an answer that are read at most."""

_SPECIAL = (
    IPv4Network(
        "192.0.0.0/24"
    ),  # protocol assignments, among them Oracle's 192.0.0.192
    IPv4Network("192.88.99.0/24"),  # relays to 6to4
    # Services of a cloud that answer its own machines alone, at addresses that look public: another
    # address of metadata is link-local, shared (RFC 6598) or unique local, and refused as such.
    IPv4Network("168.63.129.16/32"),  # Azure's wire server
    IPv4Network("161.26.0.0/16"),  # IBM Cloud's infrastructure services
    IPv4Network("166.8.0.0/14"),  # IBM Cloud's service endpoints
    IPv4Network("192.80.8.124/32"),  # Equinix Metal's metadata
)
_UNICAST = IPv6Network("2000::/3")
_TUNNELS = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))  # Teredo, 6to4
_NAT64 = IPv6Network("64:ff9b::/96")


class RequestFailed(Exception):
    """No answer was had; the message says why."""


class Crowded(RequestFailed):
    """The call was not made, since its address has enough calls at this moment."""


@dataclass
class Target:
    """What a call may connect to: asked of each address that its host has resolved to."""

    admit: Callable[[str], bool]
    refused: bool = False


_target: ContextVar[Target | None] = ContextVar("target", default=None)


@dataclass(frozen=True)
class HttpResponse:
    """What a call was answered; of the body no more than `READ` bytes and one."""

    status: int
    body: bytes


def is_public_address(address: str) -> bool:
    """Whether an address is one of the Internet's, and no way to another that is not."""
    found: IPv4Address | IPv6Address = ip_address(address)
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped or found in _NAT64:
            found = IPv4Address(int(found) & 0xFFFFFFFF)
        elif found not in _UNICAST or any(found in tunnel for tunnel in _TUNNELS):
            return False
    return (
        found.is_global
        and not found.is_multicast
        and not any(found in special for special in _SPECIAL)
    )


class SafeHttpClient:
    """A client that follows no redirect, keeps no cookie, knows no proxy, and gives up in time."""

    def __init__(
        self,
        agent: str,
        *,
        private: bool,
        resolver: AbstractResolver | None = None,
        seconds: float = TIMEOUT,
    ) -> None:
        """:param private: whether it may call private addresses too."""
        self._agent, self._private, self._resolver, self._seconds = (
            agent,
            private,
            resolver,
            seconds,
        )

    async def __aenter__(self) -> SafeHttpClient:
        self._session = ClientSession(
            connector=TCPConnector(
                limit=0,
                force_close=True,
                use_dns_cache=False,
                resolver=self._resolver,
                socket_factory=self._socket,
            ),
            cookie_jar=DummyCookieJar(),
            headers={"User-Agent": self._agent},
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        admit: Callable[[str], bool] = lambda network: True,
    ) -> HttpResponse:
        """Send a request and read the answer's status, of a GET the body too.

        :param admit: whether it may go to an address, of IPv6 the /64.
        :raises Unreachable: the address is not public, does not answer in time, or not by HTTP.
        :raises Crowded: no address was admitted.
        """
        target = Target(admit)
        _target.set(target)  # of this task, and of those that connect for it
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._session.request(
                    method,
                    URL(url, encoded=True),
                    headers=CIMultiDict(headers),
                    data=body or None,
                    allow_redirects=False,
                ) as response,
            ):
                read = bytearray()
                while method == "GET" and len(read) <= MAX_RESPONSE_BYTES:
                    chunk = await response.content.read(
                        MAX_RESPONSE_BYTES + 1 - len(read)
                    )
                    if not chunk:
                        break
                    read += chunk
                response.close()  # the rest is not waited for
                return HttpResponse(response.status, bytes(read))
        except TimeoutError:
            raise RequestFailed(f"no answer within {self._seconds:g} seconds") from None
        except Exception as error:  # whatever a stranger's answer makes go wrong
            if target.refused:
                raise Crowded("its address has enough calls at this moment") from None
            raise RequestFailed(_described(error)) from None

    def _socket(self, address: AddrInfoType) -> socket.socket:
        """A socket for one address, which is connected to next.

        :raises PermissionError: it is not public.
        """
        family, kind, protocol, _, target = address
        if not self._private and not is_public_address(str(target[0])):
            raise PermissionError(EACCES, "the address is not public")
        asked = _target.get()
        if asked and not asked.admit(network_of(str(target[0]))):
            asked.refused = True
            raise PermissionError(EACCES, "the address has enough calls")
        return socket.socket(family, kind, protocol)


def _described(error: Exception) -> str:
    """Describe an error without its message where that may repeat the URL, or what the other side sent.

    aiohttp's messages hold the URL, and of a malformed answer the bytes, in which a callback may have
    repeated its own secret path or the challenge.
    """
    name = type(error).__name__
    if isinstance(error, OSError):
        reason = error.strerror or (os.strerror(error.errno) if error.errno else "")
        return f"{name}: {reason}" if reason.isprintable() and reason else name
    if isinstance(error, ClientResponseError):
        return f"{name}: the answer is not valid HTTP"
    return name
