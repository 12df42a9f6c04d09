"""The command `check`: request feeds as feed readers do, and report what harms readers.

It needs neither the database nor the application, and checks feeds of any publisher.
`observe` makes the requests, and each function of `RULES` examines the responses.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR, socket
from threading import Timer
from typing import Any, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import brotli
import click
import zstandard
from lxml import etree

from feedsvc.cli.output import help_epilog, json_option, printable, progress_bar

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

FINDINGS = {
    "unreachable": "Make the server answer; readers retry and then give up.",
    "page": "Exempt feeds from bot walls, CAPTCHAs and logins.",
    "refused": "Allow feed readers in the rules of the CDN, proxy or server.",
    "cached-error": "Cache errors for a minute at most, and clear them now.",
    "head": "Answer HEAD as GET, without the body.",
    "leaves-https": "Redirect to an https:// URL only.",
    "media-type": "Send the media type of the format, with the document's charset.",
    "unreadable": "Correct the document; strict readers show nothing of it.",
    "guids": "Give each entry a guid of its own that never changes.",
    "unstable": "Leave out what changes with each request, such as the current time.",
    "no-validators": "Send ETag or Last-Modified, so that polls can get 304.",
    "etag-lost": "Let the CDN or proxy pass on ETag, for each coding and HEAD too.",
    "etag-contradictory": "Derive ETag from the content, equally on every server.",
    "etag-altered": "Let no proxy rewrite the document or its ETag.",
    "last-modified-lost": "Let the CDN or proxy pass on Last-Modified.",
    "last-modified-contradictory": "Send the time of the last change, on every server.",
    "vary-lost": "Send “Vary: Accept-Encoding”, or caches mix up the codings.",
    "vary-broad": "Vary by Accept-Encoding alone, or caches are of little use.",
    "no-304": "Let the CDN, proxy or server compare the validators of requests.",
    "stale-304": "Answer 304 for the current validators only; readers miss changes.",
    "compression-lost": "Switch on gzip for the media types of feeds.",
    "coding-broken": "Let one server compress, and send what Accept-Encoding allows.",
    "parameter": "Ignore unknown parameters; readers and trackers append some.",
    "hints": "Let max-age and the document recommend the same interval of polls.",
    "clock": "Synchronize the clocks of the server and of this machine (NTP).",
    "hub": "Repair the hub or leave it out; readers wait for it instead of polling.",
    "certificate": "Renew the certificate, and look why that did not happen by itself.",
}
"""The names of all findings, and what to do about each."""

CODINGS = ("identity", "br", "zstd")
"""The codings that are requested besides gzip, which all readers know."""

SAMPLE = 20
"""Number of feeds of a list that are checked without `--all`."""

_INTERVAL = 0.5
"""Seconds between two requests to a host."""

_TIMEOUT = 15.0
"""Seconds to wait for data, and twice that for a whole response."""

_MAX_BYTES = 64 << 20
"""Bytes of a document, before and after decompression."""

_ATTEMPTS = 3
"""Maximum observations of a feed, until it does not change during one."""

_MIN_COMPRESS_SIZE = 1000
"""Bytes from which compression is worth it."""

_MAX_ERROR_AGE = 60
_MAX_CLOCK_ERROR = 120
_CERTIFICATE_SECONDS = timedelta(days=14).total_seconds()

_HOST_WIDE = ("clock", "certificate")
"""Findings that are reported once for all feeds of a host."""

_RESERVED = "%/:=&?~#+!$,;'@()*[]"
# Without "<", or a document full of "<generator" would take hours.
_GENERATOR = re.compile(rb"<generator[^<>]*>feedsvc<|PRODID:-//feedsvc//")
# To the end if it is not closed, since only the first bytes are searched.
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)", re.DOTALL)
_ELEMENT = re.compile(rb"<([A-Za-z]\w*:)?([A-Za-z]+)[\s/>]")
_CODING_SUFFIX = re.compile("[-;](gzip|br|zstd)$")
_DURATION = re.compile(
    r"P(?:(\d{1,3})W)?(?:(\d{1,3})D)?T?"
    r"(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?"
)
_PERIODS = {
    "hourly": 3600,
    "daily": 86400,
    "weekly": 604800,
    "monthly": 2592000,
    "yearly": 31536000,
}
_MEDIA_TYPES = {
    "rss": ("application/rss+xml", "application/xml", "text/xml"),
    "rdf": ("application/rdf+xml", "application/rss+xml", "application/xml"),
    "atom": ("application/atom+xml", "application/xml", "text/xml"),
    "json": ("application/feed+json", "application/json"),
    "ics": ("text/calendar",),
}
_NAMESPACES = {
    "atom": "http://www.w3.org/2005/Atom",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rss1": "http://purl.org/rss/1.0/",
    "sy": "http://purl.org/rss/1.0/modules/syndication/",
}


class Finding(NamedTuple):
    """A defect of a feed; `name` is a key of `FINDINGS`."""

    url: str
    name: str
    detail: str


class UnreachableError(Exception):
    """No response from a server; the message is the reason."""


Problem = tuple[str, str]
"""The name and the detail of a finding."""


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
        """The kind of document: a key of `_MEDIA_TYPES`, `html`, `opml` or nothing."""
        return _sniff(self.content)

    @property
    def is_feed(self) -> bool:
        """True if a reader can use the response."""
        return self.status == 200 and self.kind not in ("html", "opml", "")

    def seconds(self, directive: str) -> int | None:
        """Return a lifetime of Cache-Control, None without one."""
        pattern = rf"\b{directive}=\"?(\d+)"
        match = re.search(pattern, self.header("Cache-Control"))
        return _number(match[1]) if match else None

    @property
    def age(self) -> int:
        """The seconds since the origin made it."""
        return _number(self.header("Age")) or 0


def _sniff(content: bytes) -> str:
    """Return the kind of a document by its first bytes, as browsers and readers do."""
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
            hops.append(_join(hops[-1], location))

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
            raise UnreachableError(f"{url} is no valid URL") from None
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


@dataclass
class Document:
    """A feed, parsed. `hints` are intervals of polls in seconds, by their names."""

    ids: list[str] = field(default_factory=list)
    entries: int = 0
    hubs: list[str] = field(default_factory=list)
    hints: dict[str, float] = field(default_factory=dict)
    encoding: str = "utf-8"


def parse(content: bytes, kind: str) -> Document:
    """Parse a feed strictly, as many readers do.

    :raises ValueError: it is not well-formed.
    """
    if kind == "ics":
        return _parse_calendar(content)
    if kind == "json":
        return _parse_json_feed(content)
    # The document of a stranger must not make this machine read files or URLs.
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(str(error.msg)) from None

    def find(path: str) -> Any:
        return root.xpath(path, namespaces=_NAMESPACES)

    entries = find("//channel/item | /atom:feed/atom:entry | //rss1:item")
    # A link serves as the identifier of an RSS item without a guid.
    own = "string(guid | atom:id | @rdf:about | self::item[not(guid)]/link)"
    ids = [entry.xpath(own, namespaces=_NAMESPACES).strip() for entry in entries]
    return Document(
        ids=list(filter(None, ids)),
        entries=len(entries),
        hubs=find("//atom:link[@rel='hub'][not(ancestor::atom:entry)]/@href"),
        hints=_xml_hints(find),
        encoding=(root.getroottree().docinfo.encoding or "utf-8").lower(),
    )


def _xml_hints(find: Callable[[str], Any]) -> dict[str, float]:
    hints = {}
    # Of what is wrong here, readers take no notice.
    minutes = _number(find("string(/rss/channel/ttl)"))
    if minutes:
        hints["ttl"] = minutes * 60.0
    period = _PERIODS.get(find("string(//sy:updatePeriod)").strip())
    if period:
        frequency = _number(find("string(//sy:updateFrequency)")) or 1
        hints["sy:updatePeriod"] = period / frequency
    return hints


def _parse_json_feed(content: bytes) -> Document:
    try:
        feed = json.loads(content)
        items = [item for item in feed["items"] if isinstance(item, dict)]
        hubs = [hub["url"] for hub in feed.get("hubs", []) if "url" in hub]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"no JSON Feed: {error}") from None
    return Document(
        ids=[str(item["id"]) for item in items if item.get("id")],
        entries=len(items),
        hubs=list(filter(None, map(str, hubs))),
    )


def _parse_calendar(content: bytes) -> Document:
    # 0.2 s to import, which the other formats need not spend.
    from icalendar import Calendar

    try:
        calendar = Calendar.from_ical(content)
    except (ValueError, LookupError, AttributeError) as error:
        raise ValueError(f"no iCalendar: {error}") from None
    # Changed occurrences share the UID of their series.
    events = [event for event in calendar.events if "RECURRENCE-ID" not in event]
    hints = {}
    for name in ("REFRESH-INTERVAL", "X-PUBLISHED-TTL"):
        value: Any = calendar.get(name, "")
        # A list if it is repeated.
        first = value[0] if isinstance(value, list) else value
        match = _DURATION.fullmatch(first.to_ical().decode() if first else "")
        if match:
            weeks, days, hours, minutes, seconds = (
                int(number or 0) for number in match.groups()
            )
            duration = timedelta(
                weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds
            )
            hints[name] = duration.total_seconds()
    ids = [str(event["UID"]) for event in events if "UID" in event]
    return Document(ids=ids, entries=len(events), hints=hints)


@dataclass
class Observation:
    """The responses to all requests for a feed.

    `gets` and `heads` are by reader, `conditional` by the validators that were sent.
    `again` repeats the first request at the end.
    """

    gets: dict[str, Reply]
    heads: dict[str, Reply]
    parameter: Reply
    conditional: dict[str, Reply] = field(default_factory=dict)
    old_tag: Reply | None = None
    codings: dict[str, Reply] = field(default_factory=dict)
    again: Reply | None = None
    document: Document = field(default_factory=Document)

    @property
    def reference(self) -> Reply:
        """The first response that is a feed, or the first one."""
        replies = list(self.gets.values())
        return next((reply for reply in replies if reply.is_feed), replies[0])

    @property
    def same(self) -> dict[str, Reply]:
        """All responses that are the feed, by what was requested."""
        replies = {f"gzip for {name}": reply for name, reply in self.gets.items()}
        replies |= self.codings
        if self.again:
            replies["a repeated request"] = self.again
        return {name: reply for name, reply in replies.items() if reply.is_feed}

    @property
    def all(self) -> list[Reply]:
        """Every response."""
        single = [self.parameter, self.old_tag, self.again]
        groups = (self.gets, self.heads, self.conditional, self.codings)
        replies = [reply for group in groups for reply in group.values()]
        return replies + [reply for reply in single if reply]

    @property
    def is_unstable(self) -> bool:
        """True if the feed changed between requests, once or each time."""
        again = self.again
        if again is None:
            return False
        first = self.reference
        # A date that appears was not settled before, so the feed has just changed.
        has_new_date = bool(again.header("Last-Modified"))
        had_date = bool(first.header("Last-Modified"))
        return first.content != again.content or has_new_date > had_date


def observe(client: Client, url: str) -> Observation:
    """Make all requests for a feed.

    :raises UnreachableError: one of them has no response.
    """

    def get(reader: str, coding: str = "gzip", **headers: str) -> Reply:
        return client.request(
            headers.pop("url", url),
            User_Agent=READERS[reader],
            Accept_Encoding=coding,
            **headers,
        )

    gets, heads = _request_as_readers(client, url)
    # As trackers and cache busters append some.
    separator = "&" if urlsplit(url).query else "?"
    parameter = get("Feedly", url=f"{url}{separator}feedsvc-check=1")
    observation = Observation(gets, heads, parameter)
    reference = observation.reference
    if not reference.is_feed:
        return observation
    reader = next(name for name in gets if gets[name] is reference)
    for name, validators in _conditions(reference).items():
        observation.conditional[name] = get(reader, **validators)
    # A cache that ignores the value hides every change.
    observation.old_tag = get(reader, If_None_Match='"feedsvc-check"')
    for coding in CODINGS:
        observation.codings[coding] = get(reader, coding)
    # Last, to notice whether the feed changed since the first.
    observation.again = get(reader)
    return observation


def _request_as_readers(
    client: Client, url: str
) -> tuple[dict[str, Reply], dict[str, Reply]]:
    """Return the responses to GET and to HEAD by reader.

    :raises UnreachableError: the first two readers get no response.
    """
    replies: dict[str, dict[str, Reply]] = {"GET": {}, "HEAD": {}}
    for method, by_reader in replies.items():
        for reader, agent in READERS.items():
            try:
                reply = client.request(
                    url, method, User_Agent=agent, Accept_Encoding="gzip"
                )
            except UnreachableError:
                # Some bot walls drop the connections of programs that they dislike.
                if {each.status for each in replies["GET"].values()} == {0}:
                    raise
                reply = Reply(url, 0, Message(), b"", (url,), time.time())
            by_reader[reader] = reply
    return replies["GET"], replies["HEAD"]


def _conditions(reply: Reply) -> dict[str, dict[str, str]]:
    """Return the headers of conditional requests, by a name for people."""
    etag, date = reply.header("ETag"), reply.header("Last-Modified")
    conditions = {}
    if etag:
        # Alone, because some servers compare only one of both.
        conditions["If-None-Match"] = {"If_None_Match": etag}
        # CDNs weaken the tag of what they compress (RFC 9110 §13.1.2).
        if not etag.startswith("W/"):
            conditions["a weak If-None-Match"] = {"If_None_Match": f"W/{etag}"}
    if date:
        conditions["If-Modified-Since"] = {"If_Modified_Since": date}
    if etag and date:
        both = {"If_None_Match": etag, "If_Modified_Since": date}
        conditions["both validators"] = both
    return conditions


def _statuses(seen: Observation) -> Iterator[Problem]:
    """Find pages and errors instead of the feed."""
    for name, is_page in (("page", True), ("refused", False)):
        replies = {
            reader: reply
            for reader, reply in seen.gets.items()
            if not reply.is_feed and (reply.kind == "html") is is_page
        }
        if not replies:
            continue
        statuses = sorted({reply.status for reply in replies.values()})
        what = "a page" if is_page else "no feed"
        numbers = " or ".join(map(_status, statuses))
        yield name, f"{what} ({numbers}) for {_readers(replies)}"


def _cached_errors(seen: Observation) -> Iterator[Problem]:
    for reply in seen.all:
        if reply.status < 400:
            continue
        # A short lifetime protects the origin, and readers poll later anyway.
        lifetime = reply.seconds("s-maxage") or reply.seconds("max-age") or 0
        if lifetime > _MAX_ERROR_AGE or reply.age > 0:
            yield "cached-error", f"status {reply.status} is cached"
            return
    # A cache looks for a URL that it does not know, and finds that the error is over.
    if seen.reference.status >= 400 and seen.parameter.is_feed:
        status = seen.reference.status
        yield "cached-error", f"status {status}, but a feed with another parameter"


def _heads(seen: Observation) -> Iterator[Problem]:
    refused = {
        reader: reply
        for reader, reply in seen.heads.items()
        if reply.status != seen.gets[reader].status
    }
    if refused:
        status = _status(next(iter(refused.values())).status)
        yield "head", f"{status} for {_readers(refused)}, unlike GET"


def _redirects(seen: Observation) -> Iterator[Problem]:
    for reply in seen.all:
        schemes = [urlsplit(hop).scheme for hop in reply.hops]
        # Any hop counts: it can be read and changed on the way.
        if "https" in schemes and "http" in schemes[schemes.index("https") :]:
            yield "leaves-https", f"redirect to {reply.hops[-1]}"
            return


def _media_types(seen: Observation) -> Iterator[Problem]:
    reply = seen.reference
    media_type, _, _ = reply.header("Content-Type").partition(";")
    if media_type.strip().lower() not in _MEDIA_TYPES[reply.kind]:
        expected = _MEDIA_TYPES[reply.kind][0]
        yield "media-type", f"{media_type or 'none'} instead of {expected}"
        return
    # Some readers believe the header, others the document (RFC 7303 §3).
    charset = (reply.headers.get_content_charset() or "").lower()
    own = seen.document.encoding
    if charset and charset != own:
        yield "media-type", f"charset {charset}, but the document is in {own}"


def _guids(seen: Observation) -> Iterator[Problem]:
    document = seen.document
    missing = document.entries - len(document.ids)
    if missing:
        yield "guids", f"{missing} of {document.entries} entries have none"
        return
    # Readers keep one entry of those with the same.
    repeated = len(document.ids) - len(set(document.ids))
    if repeated:
        yield "guids", f"{repeated} entries have another one's"
        return
    if seen.again and seen.again.is_feed:
        try:
            later = parse(seen.again.content, seen.again.kind)
        except ValueError:
            return
        # New entries may have appeared meanwhile, but not nothing else.
        if document.ids and not set(document.ids) & set(later.ids):
            yield "guids", "all are others in a repeated request"


def _etags(seen: Observation) -> Iterator[Problem]:
    yield from _lost_headers(seen, "ETag", "etag-lost")
    contents: dict[str, bytes] = {}
    tags: dict[tuple[str, bytes], str] = {}
    is_contradictory = False
    for reply in seen.same.values():
        if not reply.etag:
            continue
        # Each coding may have its own tag.
        representation = reply.header("Content-Encoding"), reply.content
        is_contradictory |= (
            contents.setdefault(reply.etag, reply.content) != reply.content
            or tags.setdefault(representation, reply.etag) != reply.etag
        )
    for reader, head in seen.heads.items():
        get = seen.gets[reader]
        # Servers need not compress the body that HEAD does not have.
        if head.etag and get.etag and get.is_feed:
            is_contradictory |= head.opaque_tag != get.opaque_tag
    if is_contradictory:
        yield "etag-contradictory", "the same content has several, or several have one"


def _altered_etags(seen: Observation) -> Iterator[Problem]:
    own_tag = seen.reference.opaque_tag
    for name, reply in seen.conditional.items():
        is_other = own_tag and reply.etag and reply.opaque_tag != own_tag
        if reply.status == 304 and is_other:
            yield "etag-altered", f"the 304 to {name} has another ETag"
            return
    for name, reply in seen.same.items():
        # Of this service it is known how the tag follows from the content.
        expected = hashlib.sha256(reply.content).hexdigest()[:32]
        is_own = _GENERATOR.search(reply.content) and reply.is_decodable
        if is_own and reply.etag and reply.opaque_tag != expected:
            yield "etag-altered", f"it is not the content's ({name})"
            return


def _last_modified(seen: Observation) -> Iterator[Problem]:
    yield from _lost_headers(seen, "Last-Modified", "last-modified-lost")
    replies = [reply for reply in seen.same.values() if reply.header("Last-Modified")]
    dates: dict[bytes, str] = {}
    for reply in replies:
        date = reply.header("Last-Modified")
        if dates.setdefault(reply.content, date) != date:
            yield "last-modified-contradictory", "the same content has several"
            return
        modified = _timestamp(date)
        # Readers with a right clock would send it, and never get a new document.
        if modified is None or modified > reply.received_at + _MAX_CLOCK_ERROR:
            yield "last-modified-contradictory", f"{date} is not a past date"
            return


def _lost_headers(seen: Observation, name: str, finding: str) -> Iterator[Problem]:
    """Find a header that some responses have and others do not."""
    replies = seen.same
    for reader, head in seen.heads.items():
        if head.status == 200 and seen.gets[reader].is_feed:
            replies[f"HEAD by {reader}"] = head
    lost = [what for what, reply in replies.items() if not reply.header(name)]
    if lost and len(lost) < len(replies):
        yield finding, f"for {_list(lost)}"


def _vary(seen: Observation) -> Iterator[Problem]:
    names = {
        what: {name.strip().lower() for name in reply.header("Vary").split(",")}
        for what, reply in seen.same.items()
    }
    codings = {reply.header("Content-Encoding") for reply in seen.same.values()}
    # A cache would give gzip to programs that do not know it.
    lost = [what for what in names if not names[what] & {"accept-encoding", "*"}]
    if lost and len(codings) > 1:
        yield "vary-lost", f"for {_list(lost)}"
    # There is a copy for each program or visitor.
    broad = set().union(*names.values()) & {"*", "cookie", "user-agent"}
    if broad:
        yield "vary-broad", f"by {_list(sorted(broad))}"


def _validators(seen: Observation) -> Iterator[Problem]:
    if not seen.conditional:
        yield "no-validators", "neither ETag nor Last-Modified"
    missed = {
        f"{name} ({reply.status})": reply
        for name, reply in seen.conditional.items()
        if reply.status != 304
    }
    if missed:
        yield "no-304", f"for {_list(missed)}"


def _old_validators(seen: Observation) -> Iterator[Problem]:
    if seen.old_tag and seen.old_tag.status == 304:
        yield "stale-304", "304 for an ETag that the feed never had"


def _compression(seen: Observation) -> Iterator[Problem]:
    # Not Brotli and Zstandard, which few readers know.
    plain = [
        reader
        for reader, reply in seen.gets.items()
        if reply.is_feed
        and reply.is_decodable
        and len(reply.body) >= _MIN_COMPRESS_SIZE
        and not reply.header("Content-Encoding")
    ]
    if plain:
        yield "compression-lost", f"no gzip for {_readers(plain)}"


def _codings(seen: Observation) -> Iterator[Problem]:
    replies = {"gzip": seen.reference, **seen.codings}
    for asked, reply in replies.items():
        given = reply.header("Content-Encoding").lower() or "identity"
        # No compression is always acceptable (RFC 9110 §12.5.3).
        if given not in (asked, "identity"):
            yield "coding-broken", f"{given} instead of {asked}"
            return
        is_other = reply.content != seen.reference.content
        if reply.status != 200 or not reply.is_decodable or is_other:
            yield "coding-broken", f"{asked} gives no feed, or another one"
            return


def _parameters(seen: Observation) -> Iterator[Problem]:
    reply = seen.parameter
    if not reply.is_feed or reply.kind != seen.reference.kind:
        yield "parameter", f"status {reply.status}, not the feed, with an unknown one"


def _hints(seen: Observation) -> Iterator[Problem]:
    hints = dict(seen.document.hints)
    ages = {reply.seconds("max-age") for reply in seen.same.values()} - {None, 0}
    # One that counts down says when the feed will change, not how often to poll it.
    is_constant = len(ages) == 1 and "no-cache" not in seen.reference.header(
        "Cache-Control"
    )
    if is_constant:
        hints["max-age"] = float(ages.pop() or 0)
    # Each reader follows the hint that it knows; small differences do no harm.
    if hints and max(hints.values()) > 2 * min(hints.values()):
        texts = [f"{name} {seconds / 60:g} min" for name, seconds in hints.items()]
        yield "hints", ", ".join(texts)


def _clocks(seen: Observation) -> Iterator[Problem]:
    reply = seen.reference
    date = _timestamp(reply.header("Date"))
    if date is None:
        return
    # A cached response has the date on which the origin made it.
    error = date + reply.age - reply.received_at
    if abs(error) > _MAX_CLOCK_ERROR:
        direction = "ahead" if error > 0 else "behind"
        yield "clock", f"{abs(error):.0f} seconds {direction}"


def _certificates(seen: Observation) -> Iterator[Problem]:
    reply = seen.reference
    if reply.certificate_ends_at is not None:
        left = reply.certificate_ends_at - reply.received_at
        if left < _CERTIFICATE_SECONDS:
            yield "certificate", f"it ends in {left / 86400:.0f} days"


Rule = Callable[[Observation], Iterable[Problem]]

RULES: tuple[Rule, ...] = (_statuses, _cached_errors, _heads, _redirects)
"""Rules for every URL."""

FEED_RULES: tuple[Rule, ...] = (
    _media_types,
    _guids,
    _vary,
    _compression,
    _old_validators,
    _hints,
    _clocks,
    _certificates,
)
"""Rules for every feed."""

STABLE_RULES: tuple[Rule, ...] = (
    _etags,
    _altered_etags,
    _last_modified,
    _validators,
    _codings,
    _parameters,
)
"""Rules for feeds that do not change during the observation."""


def check_feed(client: Client, url: str) -> list[Finding]:
    """Return the findings of a feed.

    :raises UnreachableError: there is no response.
    """
    for _ in range(_ATTEMPTS):
        seen = observe(client, url)
        if not seen.is_unstable:
            break
    return [Finding(url, *problem) for problem in _problems(client, seen)]


def _problems(client: Client, seen: Observation) -> Iterator[Problem]:
    reference = seen.reference
    try:
        if reference.is_feed:
            seen.document = parse(reference.content, reference.kind)
    except ValueError as error:
        yield "unreadable", str(error)
    for rule in RULES:
        yield from rule(seen)
    if not reference.is_feed:
        return
    for rule in FEED_RULES:
        yield from rule(seen)
    if seen.is_unstable:
        yield "unstable", "the document differs in a repeated request"
    else:
        for rule in STABLE_RULES:
            yield from rule(seen)
    # Relative URLs are allowed in links.
    for hub in dict.fromkeys(seen.document.hubs):
        reason = client.hub_error(_join(reference.url, hub))
        if reason:
            yield "hub", f"{hub}: {reason}"


def list_feeds(client: Client, url: str) -> list[str]:
    """Return the feeds of a list (OPML) or of a feedsvc, or the URL itself.

    :raises UnreachableError: there is no response.
    """
    # Bot walls dislike programs that look like a browser least.
    agent = READERS["Thunderbird"]
    reply = client.request(url, User_Agent=agent)
    # The directory of a feedsvc has the list beside it; any other page is a finding.
    if reply.kind == "html":
        try:
            opml = _join(reply.url.partition("?")[0].rstrip("/") + "/", "feeds.opml")
            reply = client.request(opml, User_Agent=agent)
        except UnreachableError:
            return [url]
    if reply.status != 200 or reply.kind != "opml":
        return [url]
    return _outline_urls(reply.content) or [url]


def _outline_urls(opml: bytes) -> list[str]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, recover=True)
    try:
        root: Any = etree.fromstring(opml, parser)
    except etree.XMLSyntaxError:
        return []
    # Of some documents nothing can be recovered, which is no error.
    urls = [] if root is None else root.xpath("//outline/@xmlUrl")
    return [str(url) for url in dict.fromkeys(urls)]


def _join(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:
        # No URL, which the request then reports.
        return url


def _number(text: str) -> int | None:
    """Return a whole number of reasonable size, None for anything else."""
    text = text.strip()
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _list(words: Iterable[str]) -> str:
    return ", ".join(words)


def _status(status: int) -> str:
    return f"status {status}" if status else "no response"


def _readers(names: Iterable[str]) -> str:
    chosen = list(names)
    return "all readers" if len(chosen) == len(READERS) else _list(chosen)


def _sample(urls: list[str]) -> list[str]:
    """Return feeds at equal distances in a list."""
    if len(urls) <= SAMPLE:
        return urls
    # So that both kinds of a feedsvc are among them, and each time the same feeds.
    return [urls[index * len(urls) // SAMPLE] for index in range(SAMPLE)]


@click.command(
    epilog=help_epilog(
        "check https://feeds.example/", "check https://feeds.example/feeds/news.rss"
    )
)
@click.argument("url")
@click.option("--all", "is_all", is_flag=True, help=f"Not only {SAMPLE} feeds.")
@json_option
@click.pass_context
def check(ctx: click.Context, url: str, is_all: bool, as_json: bool) -> None:
    """Check feeds from outside, as feed readers see them.

    URL is a feed of any publisher, an OPML file, or a feedsvc with all its feeds. There
    is a line for each finding, and no output without. The exit status is 0 without
    findings, 1 with some, and 2 if there is no response. A feed takes 15 seconds: two
    requests a second.
    """
    client = Client()
    try:
        urls = list_feeds(client, url)
    except UnreachableError as error:
        click.echo(printable(f"Error: {url}: {error}"), err=True)
        ctx.exit(2)
    chosen = urls if is_all else _sample(urls)
    reported: set[tuple[str, ...]] = set()
    with progress_bar(chosen) as bar:
        for feed_url in bar:
            try:
                findings = check_feed(client, feed_url)
            except UnreachableError as error:
                findings = [Finding(feed_url, "unreachable", str(error))]
            for finding in findings:
                # Twenty feeds share a certificate.
                identity = _identity(finding)
                if identity not in reported:
                    reported.add(identity)
                    _print(finding, as_json=as_json)
    # cron mails whatever a command prints.
    if sys.stderr.isatty():
        total = f"{len(chosen)} of {len(urls)} feeds, {len(reported)} findings"
        click.echo(total, err=True)
    ctx.exit(1 if reported else 0)


def _identity(finding: Finding) -> tuple[str, ...]:
    """Return a key that findings share if only the first is to be reported."""
    if finding.name == "hub":
        return finding.name, finding.detail
    if finding.name in _HOST_WIDE:
        return finding.name, urlsplit(finding.url).netloc
    return finding


def _print(finding: Finding, *, as_json: bool) -> None:
    # Parts of it were sent by a server, which must not control the terminal.
    finding = Finding(*map(printable, finding))
    advice = FINDINGS[finding.name]
    if as_json:
        document = {**finding._asdict(), "advice": advice}
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(f"{finding.url}: {finding.name}: {finding.detail}. {advice}")
