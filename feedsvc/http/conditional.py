"""HTTP caching of public answers (RFC 9110 §8.8, §13; RFC 9111): validators, 304, lifetimes, encodings."""

from __future__ import annotations

import gzip
import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import brotli
import zstandard
from flask import Response, request
from werkzeug.datastructures import Accept, ETags
from werkzeug.http import http_date, parse_accept_header, parse_date, parse_etags

from feedsvc.embeds import EMBEDS
from feedsvc.stamps import Check, FeedVersion

COMPRESSORS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=5),
    "zstd": lambda body: zstandard.ZstdCompressor(level=9).compress(body),
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
}
"""The content codings, best first: what a client likes equally well is answered in the first of them."""

DAY_SECONDS = 86400
_LAST_MODIFIED_GRACE = timedelta(seconds=1.5)
_MIN_COMPRESS_SIZE = 256

# Bodies hold pictures, sound and film from anywhere, and players from the hosts that ingest lets in. What
# connects is Lighthouse alone, which reads robots.txt from within the page.
HTML_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src https: http:; "
    f"media-src https: http:; frame-src {' '.join(f'https://{host}' for host in EMBEDS)}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}

Headers = list[tuple[str, str]]

_COMMON_HEADERS = (("Vary", "Accept-Encoding"), ("Access-Control-Allow-Origin", "*"))
_NEVER = datetime.max.replace(tzinfo=UTC)


class _HeaderSet(NamedTuple):
    """The headers of a 200 and of a 304 in one coding, for looks from `since` to before `until`.

    They have a Last-Modified where it `is_stated`.
    """

    is_stated: bool
    since: datetime
    until: datetime
    ok_headers: Headers
    not_modified_headers: Headers
    body: bytes


@dataclass(frozen=True)
class CachedResponse:
    """A public answer before it is fitted to a request.

    `stamp` is what it rests on, `looked` when the ledger was looked at, `due` when it will change by itself,
    `max_age` how many seconds caches may keep it unless it is due before; a `plain` one is of a section, a
    category or a page. One that is not `cacheable` is made anew for each request, by this worker at least.
    """

    body: bytes
    media_type: str
    version: FeedVersion
    checked_at: datetime
    max_age: int
    expires_at: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()
    is_pinned: bool = True
    cacheable: bool = True
    _encoded: dict[str, bytes] = field(default_factory=dict)
    _header_sets: dict[str, _HeaderSet] = field(default_factory=dict)
    _encoding: Lock = field(default_factory=Lock)

    @cached_property
    def etag(self) -> str:
        """The opaque tag of the bytes: any worker and any replica makes the same."""
        return hashlib.sha256(self.body).hexdigest()[:32]

    def encoded(self, coding: str) -> bytes:
        """The body in a content coding, made once; `""` is the body itself."""
        if not coding:
            return self.body
        with self._encoding:
            if coding not in self._encoded:
                self._encoded[coding] = COMPRESSORS[coding](self.body)
            return self._encoded[coding]

    @property
    def size(self) -> int:
        """The bytes that it takes in memory, with what was made of it."""
        return (
            len(self.body)
            + sum(map(len, list(self._encoded.values())))
            + 1024 * (2 + len(self._header_sets))
        )

    def to_response(
        self, environ: Mapping[str, Any], check: Check | None = None
    ) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a GET: 304 where the client has it, else in the coding it likes.

        :param check: a check of the change log that had not moved what this rests on.
        """
        coding = (
            negotiate_encoding(environ.get("HTTP_ACCEPT_ENCODING", ""))
            if len(self.body) >= _MIN_COMPRESS_SIZE
            else ""
        )
        is_stated = self._may_state(check)
        looked = max(check.time, self.checked_at) if check else self.checked_at
        head = self._header_sets.get(coding)
        if (
            head is None
            or head.is_stated is not is_stated
            or not head.since <= looked < head.until
        ):
            head = self._header_sets[coding] = self._header_set(
                coding, looked, is_stated=is_stated
            )
        if self._is_not_modified(environ, is_stated=is_stated):
            return 304, head.not_modified_headers, b""
        return 200, head.ok_headers, head.body

    def _header_set(
        self, coding: str, looked: datetime, *, is_stated: bool
    ) -> _HeaderSet:
        lifetime, shortens = self._max_age(looked)
        unchanged: Headers = [
            ("ETag", f'"{self.etag}-{coding}"' if coding else f'"{self.etag}"'),
            *([("Last-Modified", http_date(self._modified))] if is_stated else []),
            (
                "Cache-Control",
                f"public, max-age={lifetime}, stale-if-error={DAY_SECONDS}",
            ),
            *_COMMON_HEADERS,
        ]
        body = self.encoded(coding)
        charset = "" if self.media_type.startswith("image/") else "; charset=utf-8"
        own = {name for name, _ in self.headers}
        pages = HTML_SECURITY_HEADERS.items() if self.media_type == "text/html" else ()
        whole = [
            *unchanged,
            ("X-Content-Type-Options", "nosniff"),
            *self.headers,
            *(one for one in pages if one[0] not in own),
            ("Content-Type", f"{self.media_type}{charset}"),
            ("Content-Length", str(len(body))),
            *([("Content-Encoding", coding)] if coding else []),
        ]
        return _HeaderSet(is_stated, looked, shortens, whole, unchanged, body)

    def _is_not_modified(self, environ: Mapping[str, Any], *, is_stated: bool) -> bool:
        """Whether the client's copy is still right; If-None-Match wins over If-Modified-Since.

        A date is right only if it is the one that a 200 would state. A later one is of a clock that is wrong,
        and a client that sends it would never get anything new.
        """
        if "HTTP_IF_NONE_MATCH" in environ:
            said = environ["HTTP_IF_NONE_MATCH"]
            if said.strip('"') in self._etags:  # as nearly all say it
                return True
            tags = _tags(said)
            return tags.star_tag or any(map(tags.contains_weak, self._etags))
        return (
            is_stated and _date(environ.get("HTTP_IF_MODIFIED_SINCE")) == self._modified
        )

    @cached_property
    def _etags(self) -> frozenset[str]:
        """The tag, and that of each coding."""
        return frozenset(
            [self.etag, *(f"{self.etag}-{coding}" for coding in COMPRESSORS)]
        )

    def _max_age(self, looked: datetime) -> tuple[int, datetime]:
        """The seconds of max-age, and until when it is that."""
        left = (
            math.ceil((self.expires_at - looked).total_seconds())
            if self.expires_at
            else self.max_age
        )
        lifetime = max(0, min(self.max_age, left))
        return lifetime, self.expires_at - timedelta(
            seconds=lifetime - 1
        ) if self.expires_at and lifetime else _NEVER

    @cached_property
    def _modified(self) -> datetime:
        """When what it rests on last changed, in whole seconds."""
        return self.version.time.astimezone(UTC).replace(microsecond=0)

    def _may_state(self, check: Check | None) -> bool:
        """Return whether Last-Modified may be stated: no later change can be of the same second.

        A change that the check did not see was committed after it. Its time was read last before COMMIT, at
        most half a second earlier, differences between clocks included; of greater ones the check knows.
        """
        if check is None:
            return self.checked_at >= self._modified + _LAST_MODIFIED_GRACE
        return (
            self.version.seq <= check.seq
            and check.time - check.ahead >= self._modified + _LAST_MODIFIED_GRACE
        )


def static_response(
    body: bytes, media_type: str, max_age: int, *headers: tuple[str, str]
) -> CachedResponse:
    """An answer that comes with the package, and changes with the version alone."""
    installed = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    return CachedResponse(
        body,
        media_type,
        FeedVersion(installed),
        installed + _LAST_MODIFIED_GRACE,
        max_age,
        headers=headers,
    )


def conditional_response(
    answer: CachedResponse, check: Check | None = None
) -> Response:
    """An answer, fitted to the request that Flask has; `check` is as for `Answer.fit`."""
    status, headers, body = answer.to_response(request.environ, check)
    return (_NotModified if status == 304 else Response)(body, status, headers)


class _NotModified(Response):
    """Keeps Last-Modified, which Werkzeug takes out of a 304."""

    def get_wsgi_headers(self, environ: Any) -> Any:
        headers = super().get_wsgi_headers(environ)
        if "Last-Modified" in self.headers:
            headers["Last-Modified"] = self.headers["Last-Modified"]
        return headers


@lru_cache(1024)
def negotiate_encoding(accepted: str) -> str:
    """The content coding that an Accept-Encoding header likes best, `""` for none (RFC 9110 §12.5.3)."""
    given = parse_accept_header(accepted, Accept)
    best = max(COMPRESSORS, key=lambda coding: float(given.quality(coding)))
    return (
        best
        if given.quality(best) > 0 and given.quality(best) >= given.quality("identity")
        else ""
    )


@lru_cache(1024)
def _tags(header: str) -> ETags:
    return parse_etags(header)


_date = lru_cache(1024)(parse_date)
