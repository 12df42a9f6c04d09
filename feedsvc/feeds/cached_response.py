"""A public response that is cached: its validators, codings and lifetimes.

RFC 9110 §8.8 (validators), §12.5.3 (codings), §13 (conditions), RFC 9111 (lifetimes).
"""

from __future__ import annotations

import gzip
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, lru_cache

import brotli
from werkzeug.datastructures import Accept
from werkzeug.http import (
    http_date,
    parse_accept_header,
    parse_date,
    parse_etags,
)

from feedsvc.models import KINDS
from feedsvc.storage.database import MAX_CLOCK_SKEW

#: Seconds that caches keep pages and redirects.
PAGE_MAX_AGE = 60

#: Seconds that shared caches keep feeds.
FEED_SHARED_MAX_AGE = 60

_DAY_SECONDS = 86400
_MIN_COMPRESSED = 256

#: Characters of Accept and Accept-Encoding that count: parsing 8 KB takes too long.
MAX_ACCEPT_LENGTH = 512

#: Time after a revision until its second is certainly over for all writers.
#:
#: The clock of another writer may be behind, its transaction should take less than 3 s,
#: and the second lasts up to one more. Until then another revision may follow in the
#: same second, and Last-Modified would state one date for two.
_SETTLING = MAX_CLOCK_SKEW + timedelta(seconds=4)

# gzip must not write the time (mtime=0): all workers make the same bytes.
#: The content codings; a client that likes several equally gets the first of them.
_COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=5),
    "gzip": lambda body: gzip.compress(body, compresslevel=4, mtime=0),
}

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class CachedResponse:
    """A public response, before it is adapted to a request.

    :param revision: the last one of `kinds` before the body was rendered.
    :param due_at: when an entry of these kinds changes next without a write.
    :param max_age: seconds for which caches may store it.
    :param shared_max_age: the same for shared caches, if it differs: they must learn of
        a change sooner than readers should poll.
    :param headers: in addition to those of caching and content.
    """

    body: bytes
    media_type: str
    revision: datetime
    due_at: datetime | None
    max_age: int
    shared_max_age: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    kinds: tuple[str, ...] = KINDS
    _encoded: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def etag(self) -> str:
        """The opaque tag, a hash of the body: equal in every worker and replica."""
        return hashlib.sha256(self.body).hexdigest()[:32]

    def sharing_with(self, former: CachedResponse | None) -> CachedResponse:
        """Return the response with the encoded bodies of a former one with its body.

        Most writes change few of the feeds that they make invalid.
        """
        if former is None or former.body != self.body:
            return self
        return replace(self, body=former.body, _encoded=former._encoded)

    @property
    def size(self) -> int:
        """The estimated bytes in memory, with the encoded bodies."""
        return 2 * len(self.body) + 2048

    def encoded(self, coding: str) -> bytes:
        """Return the body in a content coding; an empty one is none."""
        if not coding:
            return self.body
        # Two threads that compress it at once make the same bytes.
        if coding not in self._encoded:
            self._encoded[coding] = _COMPRESSORS[coding](self.body)
        return self._encoded[coding]

    def prepare(
        self, request_headers: Mapping[str, str], now: datetime
    ) -> tuple[int, Headers, bytes]:
        """Return the status, the headers and the body for a GET.

        :param request_headers: by lower-case name.
        """
        coding = ""
        if len(self.body) >= _MIN_COMPRESSED:
            accept_encoding = request_headers.get("accept-encoding", "")
            coding = _negotiate(accept_encoding[:MAX_ACCEPT_LENGTH])
        last_modified = self._last_modified(now)
        headers: Headers = [("ETag", f'"{self._tag(coding)}"')]
        if last_modified:
            headers.append(("Last-Modified", http_date(last_modified)))
        headers += [
            ("Cache-Control", self._cache_control(now)),
            ("Vary", "Accept-Encoding"),
            *self.headers,
        ]
        if self._is_not_modified(request_headers, last_modified):
            return 304, headers, b""
        body = self.encoded(coding)
        is_text = not self.media_type.startswith(("image/", "font/"))
        charset = "; charset=utf-8" if is_text else ""
        headers += [
            ("Content-Type", f"{self.media_type}{charset}"),
            ("Content-Length", str(len(body))),
        ]
        if coding:
            headers.append(("Content-Encoding", coding))
        return 200, headers, body

    def _tag(self, coding: str) -> str:
        return f"{self.etag}-{coding}" if coding else self.etag

    def _last_modified(self, now: datetime) -> datetime | None:
        """Return the date of the last revision, if no other one can have it."""
        is_settled = now >= self.revision + _SETTLING
        return self.revision.replace(microsecond=0) if is_settled else None

    def _cache_control(self, now: datetime) -> str:
        ages = {"max-age": self.max_age}
        if self.shared_max_age is not None:
            ages["s-maxage"] = self.shared_max_age
        if self.due_at is not None:
            left = max(0, math.ceil((self.due_at - now).total_seconds()))
            # Not that of readers who poll: all would come in the same second.
            name = "max-age" if self.shared_max_age is None else "s-maxage"
            ages[name] = min(left, ages[name])
        lifetimes = ", ".join(f"{name}={age}" for name, age in ages.items())
        # Caches go on with the last response while the service cannot be reached.
        return f"public, {lifetimes}, stale-if-error={_DAY_SECONDS}"

    def _is_not_modified(
        self, headers: Mapping[str, str], last_modified: datetime | None
    ) -> bool:
        """Return whether the client has the body (RFC 9110 §13.1.2, §13.1.3).

        If-None-Match takes precedence over If-Modified-Since. A date must equal the
        Last-Modified that a 200 would have: a client whose clock is ahead sends a later
        one, and would never get a new body.
        """
        if_none_match = headers.get("if-none-match")
        if if_none_match is not None:
            tags = parse_etags(if_none_match)
            # The client may have fetched the body in any coding.
            codings = ("", *_COMPRESSORS)
            return tags.star_tag or any(
                tags.contains_weak(self._tag(coding)) for coding in codings
            )
        try:
            date = parse_date(headers.get("if-modified-since"))
        except OverflowError:  # by an offset of many digits
            return False
        return date is not None and date == last_modified


# Each program sends the same header with all of its requests.
@lru_cache(maxsize=32)
def _negotiate(accept_encoding: str) -> str:
    """Return the content coding that a client prefers; an empty one is none."""
    accepted = parse_accept_header(accept_encoding, Accept)
    best = accepted.best_match([*_COMPRESSORS, "identity"], "identity")
    return "" if best == "identity" else best
