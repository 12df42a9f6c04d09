"""The rules of `check`: each examines an observation and yields problems."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from feedsvc.cli.feed_check.client import READERS, Client, join_urls
from feedsvc.cli.feed_check.documents import parse
from feedsvc.cli.feed_check.observation import Observation

FINDINGS = {
    "unreachable": "Make the server answer; readers retry and then give up.",
    "page": "Exempt feeds from bot walls, CAPTCHAs and logins.",
    "refused": "Correct the URL, or let the CDN, proxy or server allow feed readers.",
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
    "certificate": "Renew the certificate, and repair the automatic renewal.",
}
"""The names of all findings, and what to do about each."""

_MIN_COMPRESS_SIZE = 1000
"""Bytes from which compression is worth it."""

_MAX_ERROR_AGE = 60
"""Seconds for which caches may keep an error."""

_MAX_CLOCK_ERROR = 120
"""Seconds that a server's clock may differ from this machine's."""

_CERTIFICATE_SECONDS = timedelta(days=14).total_seconds()
"""Seconds before its end at which a certificate should have been renewed."""

# Without "<", or a document full of "<generator" would take hours.
_GENERATOR = re.compile(rb"<generator[^<>]*>feedsvc<|PRODID:-//feedsvc//")

_MEDIA_TYPES = {
    "rss": ("application/rss+xml", "application/xml", "text/xml"),
    "rdf": ("application/rdf+xml", "application/rss+xml", "application/xml"),
    "atom": ("application/atom+xml", "application/xml", "text/xml"),
    "json": ("application/feed+json", "application/json"),
    "ics": ("text/calendar",),
}
"""Accepted media types by the kind of document; the first one is recommended."""

Problem = tuple[str, str]
"""The name and the detail of a finding."""


def _statuses(seen: Observation) -> Iterator[Problem]:
    """Find pages and errors instead of the feed."""
    for name, is_page in (("page", True), ("refused", False)):
        replies = {
            reader: reply
            for reader, reply in seen.gets.items()
            if not reply.is_feed and (reply.kind == "html") == is_page
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
        lifetime = reply.lifetime("s-maxage") or reply.lifetime("max-age") or 0
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
        yield "guids", f"{missing} of {document.entries} entries have no guid"
        return
    # Readers keep one entry of those with the same.
    repeated = len(document.ids) - len(set(document.ids))
    if repeated:
        yield "guids", f"{repeated} entries have the guid of another one"
        return
    if seen.again and seen.again.is_feed:
        try:
            later = parse(seen.again.content, seen.again.kind)
        except ValueError:
            return
        # Some entries may be new since then, but hardly all.
        if document.ids and not set(document.ids) & set(later.ids):
            yield "guids", "a repeated request has other guids"


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
        detail = "one content has several ETags, or several contents have one"
        yield "etag-contradictory", detail


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
            yield "etag-altered", f"the ETag does not match the content ({name})"
            return


def _last_modified(seen: Observation) -> Iterator[Problem]:
    yield from _lost_headers(seen, "Last-Modified", "last-modified-lost")
    dates: dict[bytes, str] = {}
    for reply in seen.same.values():
        date = reply.header("Last-Modified")
        if not date:
            continue
        if dates.setdefault(reply.content, date) != date:
            yield "last-modified-contradictory", "the same content has several dates"
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
        yield finding, f"for {', '.join(lost)}"


def _vary(seen: Observation) -> Iterator[Problem]:
    names = {
        what: {name.strip().lower() for name in reply.header("Vary").split(",")}
        for what, reply in seen.same.items()
    }
    codings = {reply.header("Content-Encoding") for reply in seen.same.values()}
    # A cache would give gzip to programs that do not know it.
    lost = [what for what in names if not names[what] & {"accept-encoding", "*"}]
    if lost and len(codings) > 1:
        yield "vary-lost", f"for {', '.join(lost)}"
    # There is a copy for each program or visitor.
    broad = set().union(*names.values()) & {"*", "cookie", "user-agent"}
    if broad:
        yield "vary-broad", f"by {', '.join(sorted(broad))}"


def _validators(seen: Observation) -> Iterator[Problem]:
    if not seen.conditional:
        yield "no-validators", "neither ETag nor Last-Modified"
    missed = [
        f"{name} ({reply.status})"
        for name, reply in seen.conditional.items()
        if reply.status != 304
    ]
    if missed:
        yield "no-304", f"for {', '.join(missed)}"


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
        what = f"another document (status {reply.status})"
        yield "parameter", f"{what} with an unknown parameter"


def _hints(seen: Observation) -> Iterator[Problem]:
    hints = dict(seen.document.hints)
    ages = {reply.lifetime("max-age") for reply in seen.same.values()} - {None, 0}
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
            yield "certificate", f"it expires in {left / 86400:.0f} days"


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


def find_problems(client: Client, seen: Observation) -> Iterator[Problem]:
    """Parse the document of an observation, and apply all rules to it."""
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
        reason = client.hub_error(join_urls(reference.url, hub))
        if reason:
            yield "hub", f"{hub}: {reason}"


def _timestamp(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _status(status: int) -> str:
    return f"status {status}" if status else "no response"


def _readers(names: Iterable[str]) -> str:
    chosen = list(names)
    return "all readers" if len(chosen) == len(READERS) else ", ".join(chosen)
