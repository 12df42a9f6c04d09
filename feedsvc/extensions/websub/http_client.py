"""Send forms to servers of others, which may answer slowly or never."""

import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from socket import SHUT_RDWR
from threading import Timer
from urllib.parse import urlencode
from urllib.request import HTTPHandler, HTTPSHandler, Request, build_opener

#: Seconds to connect to a server, and then for its whole answer.
TIMEOUT = 10.0

#: Bytes of an answer that an error shows.
_MAX_LINE = 200


class Refused(OSError):
    """The server refuses a form, and may accept others."""


class _Connection(HTTPConnection):
    def getresponse(self) -> HTTPResponse:
        ends_at = time.monotonic() + TIMEOUT
        # The socket's own timeout is for each read alone.
        timer = Timer(TIMEOUT, self._shut)
        # The end of the process does not wait for it.
        timer.daemon = True
        timer.start()
        try:
            response = super().getresponse()
            # A redirect too, since the settings should name the server itself.
            if not 200 <= response.status < 300:
                _raise_failure(response)
            return response
        finally:
            timer.cancel()
            # The timer has cut off the answer, which may look complete or invalid.
            if time.monotonic() >= ends_at:
                raise TimeoutError(f"no answer within {TIMEOUT:g} s")

    def _shut(self) -> None:
        # The server may have shut it at this moment.
        with suppress(OSError):
            self.sock.shutdown(SHUT_RDWR)


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Handler(HTTPHandler, HTTPSHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Connection, req)

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_SecureConnection, req)


_opener = build_opener(_Handler)


def post(url: str, form: dict[str, str]) -> None:
    """Send a form to a server, through the proxy of the environment, if any.

    :param url: an http or https URL.
    :raises Refused: the server refuses this form.
    :raises OSError: it cannot be reached, does not answer in time, or fails.
    :raises HTTPException, ValueError, OverflowError: its response is not HTTP, or its
        URL is wrong.
    """
    request = Request(url, urlencode(form).encode())  # noqa: S310
    _opener.open(request, timeout=TIMEOUT).close()


def _raise_failure(response: HTTPResponse) -> None:
    with response:
        # One read, since of a chunk with a negative size `readline` reads all.
        text = response.read1(_MAX_LINE).decode("utf-8", "replace")
    line = text.partition("\n")[0].strip()
    reason = f"{response.status} {response.reason}: {line!r}"
    # 408 and 429 ask to slow down.
    if 400 <= response.status < 500 and response.status not in (408, 429):
        raise Refused(reason)
    raise OSError(reason)
