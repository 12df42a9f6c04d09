"""An HTTP client for servers of strangers: limits of time, size and frequency."""

from __future__ import annotations

import re
import ssl
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR, socket
from threading import Timer
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import brotli
import zstandard

# Without the number of subscribers, which `readers` would take for the service's own.
READERS = {
    "Feedly": "Feedly/1.0 (+http://www.feedly.com/fetcher.html; "
    "like FeedFetcher-Google)",
    "Inoreader": "Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher)",
    "NewsBlur": "NewsBlur Feed Fetcher - https://www.newsblur.com",
    "FreshRSS": "FreshRSS/1.27.1 (Linux; https://freshrss.org)",
    "NetNewsWire": "NetNewsWire (RSS Reader; https://netnewswire.com/)",
    "Thunderbird": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 "
    "Thunderbird/140.4.0",
}
"""The User-Agents of the requests: of services, servers and desktop programs."""

_INTERVAL = 0.5
"""Seconds between two requests to a host."""

_TIMEOUT = 15.0
"""Seconds to wait for data, and twice that for a whole response."""

_MAX_BYTES = 16 << 20
"""Bytes of a document, before and after decompression."""

_RESERVED = "%/:=&?~#+!$,;'@()*[]"
"""Characters of URLs that are not encoded."""

# To the end if it is not closed, since only the first bytes are searched.
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)", re.DOTALL)
_ELEMENT = re.compile(rb"<([A-Za-z]\w*:)?([A-Za-z]+)[\s/>]")
_CODING_SUFFIX = re.compile("[-;](gzip|br|zstd)$")


class UnreachableError(Exception):
    """No response from a server; the message is the reason."""


@dataclass(frozen=True)
class Reply:
    """A response after redirects. `body` is as sent, `content` without its coding.

    The status is 0 if there is no response.
    """

    url: str
    status: int
    headers: Message
    body: bytes
    hops: tuple[str, ...]
    received_at: float
    certificate_ends_at: float | None = None
    content: bytes = b""
    is_decodable: bool = True

    def header(self, name: str) -> str:
        """Return a header, its repetitions joined by commas."""
        return ", ".join(self.headers.get_all(name, []))

    @property
    def etag(self) -> str:
        """The entity tag, without the mark of a weak one."""
        return self.header("ETag").removeprefix("W/")

    @property
    def opaque_tag(self) -> str:
        """The entity tag without quotes and the suffix of a coding."""
        return _CODING_SUFFIX.sub("", self.etag.strip('"'))

    @property
    def kind(self) -> str:
        """The kind of document: a kind of feed, `html`, `opml` or empty."""
        return _sniff(self.content)

    @property
    def is_feed(self) -> bool:
        """True if a reader can use the response."""
        return self.status == 200 and self.kind not in ("html", "opml", "")

    def lifetime(self, directive: str) -> int | None:
        """Return the seconds of a directive of Cache-Control, None without one."""
        pattern = rf"\b{directive}=\"?(\d+)"
        match = re.search(pattern, self.header("Cache-Control"))
        return parse_number(match[1]) if match else None

    @property
    def age(self) -> int:
        """The seconds since the origin made it."""
        return parse_number(self.header("Age")) or 0


def _sniff(content: bytes) -> str:
    """Return the kind of a document by its first bytes, as browsers and readers do.

    Kinds of feeds are `rss`, `rdf`, `atom`, `json` and `ics`.
    """
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:4096]
    if start.startswith(b"BEGIN:VCALENDAR"):
        return "ics"
    if start.startswith(b"{"):
        return "json" if b"jsonfeed.org/version" in start else ""
    if start[:14].lower() == b"<!doctype html":
        return "html"
    # The first element, after declarations, comments and instructions.
    match = _ELEMENT.search(_COMMENT.sub(b"", start))
    name = match[2].lower() if match else b""
    kinds = {b"rss": "rss", b"feed": "atom", b"rdf": "rdf", b"opml": "opml"}
    if name in kinds:
        return kinds[name]
    return "html" if name in (b"html", b"head", b"body", b"meta", b"script") else ""


class Client:
    """An HTTP client that follows redirects, and makes at most two requests a second.

    :param interval: seconds between two requests to a host.
    """

    def __init__(self, interval: float = _INTERVAL) -> None:
        self._interval = interval
        self._next_at: dict[str, float] = {}
        self._context = ssl.create_default_context()
        self._hubs: dict[str, str] = {}

    def request(self, url: str, method: str = "GET", **headers: str) -> Reply:
        """Send a request, following up to five redirects.

        :param headers: with underscores for hyphens.
        :raises UnreachableError: there is no response.
        """
        hops = [url]
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        while True:
            reply = self._request_once(hops, method, names)
            # Headers are read as Latin-1, so this gives back the bytes that were sent.
            location = quote(reply.header("Location"), _RESERVED, "latin-1")
            if reply.status not in (301, 302, 303, 307, 308) or not location:
                return reply
            if len(hops) > 5:
                raise UnreachableError(f"more than five redirects, to {location}")
            hops.append(join_urls(hops[-1], location))

    def hub_error(self, url: str) -> str:
        """Return why a hub does not answer; it is asked once."""
        if url not in self._hubs:
            self._hubs[url] = ""
            try:
                # Most hubs answer GET with an error, which is an answer too.
                reply = self.request(url, User_Agent=READERS["Feedly"])
                if reply.status >= 500:
                    self._hubs[url] = f"status {reply.status}"
            except UnreachableError as error:
                self._hubs[url] = str(error)
        return self._hubs[url]

    def _request_once(
        self, hops: list[str], method: str, headers: dict[str, str]
    ) -> Reply:
        # People write URLs that are not in ASCII.
        url = quote(hops[-1], _RESERVED)
        try:
            parts = urlsplit(url)
            connection = self._connect(parts.scheme, parts.hostname or "", parts.port)
        except ValueError:
            raise UnreachableError(
                f"{url} is no valid http:// or https:// URL"
            ) from None
        target = parts.path or "/"
        if parts.query:
            target += f"?{parts.query}"
        # A connection each, since a load balancer may then use another server.
        self._wait_for_turn(parts.hostname or "")
        certificate: Any = None
        try:
            connection.connect()
            if isinstance(connection.sock, ssl.SSLSocket):
                certificate = connection.sock.getpeercert()
            with _time_limit(connection.sock):
                connection.request(method, target, headers={"Accept": "*/*", **headers})
                response = connection.getresponse()
                body = _read(response)
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "verify_message", "") or str(error)
            raise UnreachableError(reason or type(error).__name__) from None
        finally:
            connection.close()
        content, is_decodable = _decode(body, response.headers["Content-Encoding"])
        return Reply(
            url=url,
            status=response.status,
            headers=response.headers,
            body=body,
            hops=tuple(hops),
            received_at=time.time(),
            certificate_ends_at=certificate
            and ssl.cert_time_to_seconds(certificate["notAfter"]),
            content=content,
            is_decodable=is_decodable,
        )

    def _connect(self, scheme: str, host: str, port: int | None) -> HTTPConnection:
        if not host or scheme not in ("http", "https"):
            raise ValueError
        ascii_host = host.encode("idna").decode()
        if scheme == "http":
            return HTTPConnection(ascii_host, port, timeout=_TIMEOUT)
        return HTTPSConnection(
            ascii_host, port, timeout=_TIMEOUT, context=self._context
        )

    def _wait_for_turn(self, host: str) -> None:
        now = time.monotonic()
        turn = max(now, self._next_at.get(host, now))
        self._next_at[host] = turn + self._interval
        if turn > now:
            time.sleep(turn - now)


@contextmanager
def _time_limit(sock: socket) -> Iterator[None]:
    """Shut a connection down when its response takes too long.

    The timeout of a socket is for each byte, of which a server can send one now and
    then without end, in a header, too.

    :raises ValueError: it took too long.
    """
    deadline = time.monotonic() + 2 * _TIMEOUT
    timer = Timer(2 * _TIMEOUT, _shut_down, [sock])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        # Instead of the parser's error, which depends on where the connection ended.
        if time.monotonic() >= deadline:
            raise ValueError(f"longer than {2 * _TIMEOUT:.0f} seconds")


def _shut_down(sock: socket) -> None:
    with suppress(OSError):
        sock.shutdown(SHUT_RDWR)


def _read(response: Any) -> bytes:
    """Read a body, of which a server can send any number of bytes.

    :raises ValueError: it is too large.
    """
    body = bytearray()
    while chunk := response.read1(65536):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
    return bytes(body)


def _decode(body: bytes, coding: str | None) -> tuple[bytes, bool]:
    """Return a body without its coding, and whether that was possible.

    A few bytes can decompress to gigabytes, so there is a limit.
    """
    name = (coding or "identity").strip().lower()
    if name == "identity" or not body:
        return body, True
    try:
        if name in ("gzip", "x-gzip"):
            inflater = zlib.decompressobj(31)
            return inflater.decompress(body, _MAX_BYTES), inflater.eof
        if name == "br":
            decompressor = brotli.Decompressor()
            content = decompressor.process(body, output_buffer_limit=_MAX_BYTES)
            return content, decompressor.is_finished()
        if name == "zstd":
            reader = zstandard.ZstdDecompressor().stream_reader(body)
            return reader.read(_MAX_BYTES), True
    except (zlib.error, brotli.error, zstandard.ZstdError):
        pass
    return body, False


def join_urls(base: str, url: str) -> str:
    """Return a URL that may be relative as an absolute one."""
    try:
        return urljoin(base, url)
    except ValueError:
        # No URL, which the request then reports.
        return url


def parse_number(text: str) -> int | None:
    """Return a whole number of reasonable size, None for anything else."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) < 10 else None
