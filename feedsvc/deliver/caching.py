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
from feedsvc.stamps import Check, Stamp

ENCODINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "br": lambda body: brotli.compress(body, quality=5),
    "zstd": lambda body: zstandard.ZstdCompressor(level=9).compress(body),
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
}
"""The content codings, best first: what a client likes equally well is answered in the first of them."""

A_DAY = 86400
_SETTLED = timedelta(seconds=1.5)
_SMALL = 256

# Bodies hold pictures, sound and film from anywhere, and players from the hosts that ingest lets in. What
# connects is Lighthouse alone, which reads robots.txt from within the page.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src https: http:; "
    f"media-src https: http:; frame-src {' '.join(f'https://{host}' for host in EMBEDS)}; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}

Headers = list[tuple[str, str]]

_ALWAYS = (("Vary", "Accept-Encoding"), ("Access-Control-Allow-Origin", "*"))
_NEVER = datetime.max.replace(tzinfo=UTC)


class _Head(NamedTuple):
    """The headers of a 200 and of a 304 in one coding, for looks from `since` to before `until`.

    They have a Last-Modified where it `is_stated`.
    """

    is_stated: bool
    since: datetime
    until: datetime
    whole: Headers
    unchanged: Headers
    body: bytes


@dataclass(frozen=True)
class Answer:
    """A public answer before it is fitted to a request.

    `stamp` is what it rests on, `looked` when the ledger was looked at, `due` when it will change by itself,
    `max_age` how many seconds caches may keep it unless it is due before; a `plain` one is of a section, a
    category or a page. One that is not `cacheable` is made anew for each request, by this worker at least.
    """

    body: bytes
    media_type: str
    stamp: Stamp
    looked: datetime
    max_age: int
    due: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()
    plain: bool = True
    cacheable: bool = True
    _encoded: dict[str, bytes] = field(default_factory=dict)
    _heads: dict[str, _Head] = field(default_factory=dict)
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
                self._encoded[coding] = ENCODINGS[coding](self.body)
            return self._encoded[coding]

    @property
    def size(self) -> int:
        """The bytes that it takes in memory, with what was made of it."""
        return len(self.body) + sum(map(len, list(self._encoded.values()))) + 1024 * (2 + len(self._heads))

    def fit(self, environ: Mapping[str, Any], check: Check | None = None) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a GET: 304 where the client has it, else in the coding it likes.

        :param check: a check of the change log that had not moved what this rests on.
        """
        coding = liked(environ.get("HTTP_ACCEPT_ENCODING", "")) if len(self.body) >= _SMALL else ""
        is_stated = self._may_state(check)
        looked = max(check.time, self.looked) if check else self.looked
        head = self._heads.get(coding)
        if head is None or head.is_stated is not is_stated or not head.since <= looked < head.until:
            head = self._heads[coding] = self._head(coding, looked, is_stated=is_stated)
        if self._is_known(environ, is_stated=is_stated):
            return 304, head.unchanged, b""
        return 200, head.whole, head.body

    def _head(self, coding: str, looked: datetime, *, is_stated: bool) -> _Head:
        lifetime, shortens = self._lifetime(looked)
        unchanged: Headers = [
            ("ETag", f'"{self.etag}-{coding}"' if coding else f'"{self.etag}"'),
            *([("Last-Modified", http_date(self._modified))] if is_stated else []),
            ("Cache-Control", f"public, max-age={lifetime}, stale-if-error={A_DAY}"),
            *_ALWAYS,
        ]
        body = self.encoded(coding)
        charset = "" if self.media_type.startswith("image/") else "; charset=utf-8"
        own = {name for name, _ in self.headers}
        pages = PAGE_HEADERS.items() if self.media_type == "text/html" else ()
        whole = [
            *unchanged,
            ("X-Content-Type-Options", "nosniff"),
            *self.headers,
            *(one for one in pages if one[0] not in own),
            ("Content-Type", f"{self.media_type}{charset}"),
            ("Content-Length", str(len(body))),
            *([("Content-Encoding", coding)] if coding else []),
        ]
        return _Head(is_stated, looked, shortens, whole, unchanged, body)

    def _is_known(self, environ: Mapping[str, Any], *, is_stated: bool) -> bool:
        """Whether the client's copy is still right; If-None-Match wins over If-Modified-Since.

        A date is right only if it is the one that a 200 would state. A later one is of a clock that is wrong,
        and a client that sends it would never get anything new.
        """
        if "HTTP_IF_NONE_MATCH" in environ:
            said = environ["HTTP_IF_NONE_MATCH"]
            if said.strip('"') in self._own_tags:  # as nearly all say it
                return True
            tags = _tags(said)
            return tags.star_tag or any(map(tags.contains_weak, self._own_tags))
        return is_stated and _date(environ.get("HTTP_IF_MODIFIED_SINCE")) == self._modified

    @cached_property
    def _own_tags(self) -> frozenset[str]:
        """The tag, and that of each coding."""
        return frozenset([self.etag, *(f"{self.etag}-{coding}" for coding in ENCODINGS)])

    def _lifetime(self, looked: datetime) -> tuple[int, datetime]:
        """The seconds of max-age, and until when it is that."""
        left = math.ceil((self.due - looked).total_seconds()) if self.due else self.max_age
        lifetime = max(0, min(self.max_age, left))
        return lifetime, self.due - timedelta(seconds=lifetime - 1) if self.due and lifetime else _NEVER

    @cached_property
    def _modified(self) -> datetime:
        """When what it rests on last changed, in whole seconds."""
        return self.stamp.time.astimezone(UTC).replace(microsecond=0)

    def _may_state(self, check: Check | None) -> bool:
        """Return whether Last-Modified may be stated: no later change can be of the same second.

        A change that the check did not see was committed after it. Its time was read last before COMMIT, at
        most half a second earlier, differences between clocks included; of greater ones the check knows.
        """
        if check is None:
            return self.looked >= self._modified + _SETTLED
        return self.stamp.seq <= check.seq and check.time - check.ahead >= self._modified + _SETTLED


def packaged(body: bytes, media_type: str, max_age: int, *headers: tuple[str, str]) -> Answer:
    """An answer that comes with the package, and changes with the version alone."""
    installed = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    return Answer(body, media_type, Stamp(installed), installed + _SETTLED, max_age, headers=headers)


def respond(answer: Answer, check: Check | None = None) -> Response:
    """An answer, fitted to the request that Flask has; `check` is as for `Answer.fit`."""
    status, headers, body = answer.fit(request.environ, check)
    return (_NotModified if status == 304 else Response)(body, status, headers)


class _NotModified(Response):
    """Keeps Last-Modified, which Werkzeug takes out of a 304."""

    def get_wsgi_headers(self, environ: Any) -> Any:
        headers = super().get_wsgi_headers(environ)
        if "Last-Modified" in self.headers:
            headers["Last-Modified"] = self.headers["Last-Modified"]
        return headers


@lru_cache(1024)
def liked(accepted: str) -> str:
    """The content coding that an Accept-Encoding header likes best, `""` for none (RFC 9110 §12.5.3)."""
    given = parse_accept_header(accepted, Accept)
    best = max(ENCODINGS, key=lambda coding: float(given.quality(coding)))
    return best if given.quality(best) > 0 and given.quality(best) >= given.quality("identity") else ""


@lru_cache(1024)
def _tags(header: str) -> ETags:
    return parse_etags(header)


_date = lru_cache(1024)(parse_date)
