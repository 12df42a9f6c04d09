"""HTTP client for URLs that strangers choose; it prevents server-side request forgery.

aiohttp resolves the host and then asks `_SocketFactory` for a socket to each address.
So the address that is checked is the one that is connected to: no second look-up in
between could lead elsewhere (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from errno import EACCES

from aiohttp import (
    ClientResponse,
    ClientResponseError,
    ClientSession,
    DummyCookieJar,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver
from aiohttp.connector import AddrInfoType
from multidict import CIMultiDict
from yarl import URL

from feedsvc.http.client_network import network_of
from feedsvc.websub.addresses import is_public_address

TIMEOUT = 10.0
"""Seconds that a request may take, from the DNS look-up to the last byte."""

MAX_RESPONSE_BYTES = 64 * 1024

Admit = Callable[[str], bool]
"""Decides whether a request may go to a network: an IPv4 address or an IPv6 /64."""


class RequestFailed(Exception):
    """There is no response; the message says why, without the URL."""


class AddressBusy(Exception):
    """The request was not sent, because no address was admitted."""


@dataclass(frozen=True)
class HttpResponse:
    """A response."""

    status: int
    body: bytes
    """At most `MAX_RESPONSE_BYTES` + 1 bytes; empty for methods other than GET."""


def allow_all(network: str) -> bool:
    """Admit any network."""
    return True


class SafeHttpClient:
    """Send requests to public addresses only.

    It follows no redirects, stores no cookies, uses no proxies, decompresses nothing,
    and gives up in time.
    """

    def __init__(
        self,
        user_agent: str,
        *,
        allow_private: bool,
        resolver: AbstractResolver | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        """Prepare a client.

        :param allow_private: call private addresses too, for tests and intranets.
        :param timeout: seconds that a request may take.
        """
        self._user_agent = user_agent
        self._allow_private = allow_private
        self._resolver = resolver
        self._timeout = timeout

    async def request(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        admit: Admit = allow_all,
    ) -> HttpResponse:
        """Send a request and return the response.

        :raises RequestFailed: the address is not public, or there is no HTTP response
            in time.
        :raises AddressBusy: no address was admitted.
        """
        sockets = _SocketFactory(admit, allow_private=self._allow_private)
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._open_session(sockets) as session,
                session.request(
                    method,
                    # The bytes of the URL belong to the subscriber: do not normalize.
                    URL(url, encoded=True),
                    headers=CIMultiDict(headers),
                    data=body or None,
                    allow_redirects=False,
                ) as response,
            ):
                # The body of a GET is the challenge; nobody reads any other.
                content = await _read_body(response) if method == "GET" else b""
                response.close()  # without reading the rest
                return HttpResponse(response.status, content)
        except TimeoutError:
            raise RequestFailed(f"no response within {self._timeout:g} s") from None
        except Exception as error:
            # Any exception: a hostile response can make anything in the parser fail.
            # aiohttp tells a refused address like any that it could not connect to.
            if sockets.has_refused:
                raise AddressBusy("too many calls to its address") from None
            raise RequestFailed(_describe(error)) from None

    def _open_session(self, sockets: _SocketFactory) -> ClientSession:
        """Open a session for one request, since nothing may outlive it.

        A pooled connection or a cached look-up would bypass the check of the address.
        """
        connector = TCPConnector(
            force_close=True,
            use_dns_cache=False,
            resolver=self._resolver,
            socket_factory=sockets,
        )
        return ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            headers={"User-Agent": self._user_agent},
            auto_decompress=False,
        )


class _SocketFactory:
    """Create the sockets of one request, to addresses that it may call."""

    def __init__(self, admit: Admit, *, allow_private: bool) -> None:
        self._admit = admit
        self._allow_private = allow_private
        self.has_refused = False
        """An address was not admitted."""

    def __call__(self, info: AddrInfoType) -> socket.socket:
        """Create a socket for an address, which aiohttp connects next.

        :raises PermissionError: the address may not be called.
        """
        family, kind, protocol, _, target = info
        address = str(target[0])
        if not self._allow_private and not is_public_address(address):
            raise PermissionError(EACCES, "the address is not public")
        if not self._admit(network_of(address)):
            self.has_refused = True
            raise PermissionError(EACCES, "too many calls to the address")
        return socket.socket(family, kind, protocol)


async def _read_body(response: ClientResponse) -> bytes:
    """Read a body up to one byte more than the limit."""
    body = bytearray()
    while len(body) <= MAX_RESPONSE_BYTES:
        chunk = await response.content.read(MAX_RESPONSE_BYTES + 1 - len(body))
        if not chunk:
            break
        body += chunk
    return bytes(body)


def _describe(error: Exception) -> str:
    """Describe an error for the log.

    aiohttp's messages contain the URL, and of a malformed response the bytes, in which
    a callback may repeat its own secret path or the challenge: leave them out.
    """
    name = type(error).__name__
    if isinstance(error, OSError):
        reason = error.strerror or (os.strerror(error.errno) if error.errno else "")
        return f"{name}: {reason}" if reason and reason.isprintable() else name
    if isinstance(error, ClientResponseError):
        return f"{name}: the response is not valid HTTP"
    return name
