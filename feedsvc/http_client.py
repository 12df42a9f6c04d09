"""Send forms to servers of others, which may answer slowly or never."""

import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse
from io import BufferedReader, RawIOBase
from socket import socket
from typing import Any
from urllib.parse import urlencode
from urllib.request import (
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    Request,
    build_opener,
)

#: Seconds to connect to a server, and then for its whole answer.
TIMEOUT = 10.0


class _Reader(RawIOBase):
    """Reads a response within `TIMEOUT`, while a socket's is for each read alone."""

    def __init__(self, sock: socket, raw: RawIOBase) -> None:
        self._sock = sock
        self._raw = raw
        self._ends_at = time.monotonic() + TIMEOUT

    def readable(self) -> bool:
        """Return True, as `BufferedReader` expects."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what arrives next."""
        seconds = self._ends_at - time.monotonic()
        if seconds > 0:
            self._sock.settimeout(seconds)
            with suppress(TimeoutError):
                return self._raw.readinto(buffer)
        raise TimeoutError(f"no answer within {TIMEOUT:g} s")

    def close(self) -> None:
        """Close the connection too."""
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = BufferedReader(_Reader(sock, self.fp.detach()))


class _Handler(HTTPHandler, HTTPSHandler):
    """Opens connections whose responses `_Reader` reads."""

    def do_open(
        self,
        http_class: Callable[..., HTTPConnection],
        req: Request,
        **options: Any,
    ) -> HTTPResponse:
        """Send a request and return the response."""

        def connection(*args: Any, **kwargs: Any) -> HTTPConnection:
            connection = http_class(*args, **kwargs)
            connection.response_class = _Response
            return connection

        return super().do_open(connection, req, **options)


class _AnyStatus(HTTPErrorProcessor):
    """Follow no redirects, since the settings should name the server itself."""

    def http_response(
        self, request: Request, response: HTTPResponse
    ) -> HTTPResponse:
        """Return the response, whatever its status is."""
        return response

    https_response = http_response


_opener = build_opener(_Handler, _AnyStatus)


def post(url: str, form: dict[str, str]) -> HTTPResponse:
    """Send a form, and return the response, which the caller closes.

    To read the response may raise the same errors.

    :param url: an http or https URL.
    :raises OSError: the server cannot be reached, or does not answer in time.
    :raises HTTPException: its response is not HTTP.
    """
    request = Request(url, urlencode(form).encode())  # noqa: S310
    response: HTTPResponse = _opener.open(request, timeout=TIMEOUT)
    return response
