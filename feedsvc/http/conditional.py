"""Caching of public responses: validators, 304, lifetimes.

RFC 9110 §8.8 (validators), §13 (conditions), RFC 9111 (lifetimes).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from flask import Response, request
from werkzeug.http import HTTP_STATUS_CODES, http_date, parse_date, parse_etags

from feedsvc.http.compression import (
    COMPRESSORS,
    MIN_COMPRESS_SIZE,
    negotiate_encoding,
)
from feedsvc.http.headers import HTML_SECURITY_HEADERS
from feedsvc.models import Check, FeedVersion

DAY_SECONDS = 86400

# The time of a change is read shortly before its COMMIT: at most half a second, if one
# counts that the clocks of instances may differ. So 1.5 s after a second began, all
# changes of that second are in the change log. `Check.ahead` adds greater differences.
_LAST_MODIFIED_GRACE = timedelta(seconds=1.5)

# Scripts of any site may read public documents, which are the same for all.
_COMMON_HEADERS = (("Vary", "Accept-Encoding"), ("Access-Control-Allow-Origin", "*"))
_NEVER = datetime.max.replace(tzinfo=UTC)

_HEADER_SET_SIZE = 1024
"""Estimated bytes of a `_HeaderSet`, or of the other attributes of a response."""

STATUS_LINES = {
    status: f"{status} {HTTP_STATUS_CODES[status].upper()}" for status in (200, 304)
}
"""The status lines of cached responses, as Flask writes them."""

Headers = list[tuple[str, str]]


class PreparedResponse(NamedTuple):
    """A response to a GET, but for the headers that each response has of its own.

    :param header_lines: the headers as they are sent, for a server without WSGI.
    """

    status: int
    headers: Headers
    header_lines: str
    body: bytes


class _HeaderSet(NamedTuple):
    """The prepared responses of one coding, valid until max-age changes."""

    has_last_modified: bool
    valid_from: datetime
    valid_until: datetime
    ok: PreparedResponse
    not_modified: PreparedResponse


@dataclass(frozen=True)
class CachedResponse:
    """A public response, before it is adapted to a request.

    :param version: of the feeds that the body depends on.
    :param checked_at: when the database was read for it.
    :param max_age: seconds for which caches may store it.
    :param shared_max_age: the same for shared caches, if it differs: a CDN must learn
        of a change sooner than readers should poll.
    :param expires_at: when the body changes without a write, such as at an event's end.
    :param headers: in addition to those of caching and content.
    :param is_pinned: the response cache evicts it last.
    :param has_free_text: the URL has a search or the like: the response cache evicts it
        first, and stores only a few.
    :param is_cacheable: the response cache may store it; it may not where a client can
        ask for any number of such responses.
    """

    body: bytes
    media_type: str
    version: FeedVersion
    checked_at: datetime
    max_age: int
    expires_at: datetime | None = None
    headers: tuple[tuple[str, str], ...] = ()
    is_pinned: bool = True
    has_free_text: bool = False
    is_cacheable: bool = True
    shared_max_age: int | None = None
    # Derived from the fields above, once.
    _encoded: dict[str, bytes] = field(default_factory=dict)
    _header_sets: dict[str, _HeaderSet] = field(default_factory=dict)
    _encoding_lock: Lock = field(default_factory=Lock)

    @cached_property
    def etag(self) -> str:
        """The opaque tag, a hash of the body: equal in every worker and replica."""
        return hashlib.sha256(self.body).hexdigest()[:32]

    def encoded(self, coding: str) -> bytes:
        """Return the body in a content coding, which is made once; `""` is none."""
        if not coding:
            return self.body
        with self._encoding_lock:
            if coding not in self._encoded:
                self._encoded[coding] = COMPRESSORS[coding](self.body)
            return self._encoded[coding]

    @property
    def size(self) -> int:
        """The estimated bytes in memory, derived values included."""
        # Copies, since another thread may add to them.
        encoded = sum(len(body) for body in list(self._encoded.values()))
        attributes = _HEADER_SET_SIZE * (2 + len(self._header_sets))
        return len(self.body) + encoded + attributes

    def is_encoded(self, environ: Mapping[str, Any]) -> bool:
        """Return whether `to_response` need not compress the body for a request."""
        coding = self._coding(environ)
        return not coding or coding in self._encoded

    def to_response(
        self, environ: Mapping[str, Any], check: Check | None = None
    ) -> PreparedResponse:
        """Return the response to a GET: 304 if the client has the body already.

        :param environ: the request's, of which the headers alone are read.
        :param check: a check of the change log after which the body is still current.
        """
        coding = self._coding(environ)
        has_last_modified = self._may_state_last_modified(check)
        now = max(check.time, self.checked_at) if check else self.checked_at
        header_set = self._header_sets.get(coding)
        if (
            header_set is None
            or header_set.has_last_modified is not has_last_modified
            or not header_set.valid_from <= now < header_set.valid_until
        ):
            header_set = self._make_header_set(coding, now, has_last_modified)
            self._header_sets[coding] = header_set
        if self._is_not_modified(environ, has_last_modified):
            return header_set.not_modified
        return header_set.ok

    def _coding(self, environ: Mapping[str, Any]) -> str:
        if len(self.body) < MIN_COMPRESS_SIZE:
            return ""
        return negotiate_encoding(environ.get("HTTP_ACCEPT_ENCODING", ""))

    def _make_header_set(
        self, coding: str, now: datetime, has_last_modified: bool
    ) -> _HeaderSet:
        lifetimes, valid_until = self._lifetimes(now)
        encoded_tag = f"{self.etag}-{coding}" if coding else self.etag
        headers: Headers = [("ETag", f'"{encoded_tag}"')]
        if has_last_modified:
            headers.append(("Last-Modified", http_date(self._last_modified)))
        # Caches go on with the last response while the service cannot be reached.
        cache_control = f"public, {lifetimes}, stale-if-error={DAY_SECONDS}"
        headers.append(("Cache-Control", cache_control))
        headers += _COMMON_HEADERS
        body = self.encoded(coding)
        ok_headers = [*headers, *self._content_headers()]
        ok_headers.append(("Content-Length", str(len(body))))
        if coding:
            ok_headers.append(("Content-Encoding", coding))
        # A 304 has only the headers that caches update (RFC 9110 §15.4.5).
        return _HeaderSet(
            has_last_modified,
            now,
            valid_until,
            PreparedResponse(200, ok_headers, _header_lines(ok_headers), body),
            PreparedResponse(304, headers, _header_lines(headers), b""),
        )

    def _content_headers(self) -> Headers:
        headers = [("X-Content-Type-Options", "nosniff"), *self.headers]
        if self.media_type == "text/html":
            own_names = {name for name, _ in self.headers}
            headers += [
                (name, value)
                for name, value in HTML_SECURITY_HEADERS.items()
                if name not in own_names
            ]
        charset = "" if self.media_type.startswith("image/") else "; charset=utf-8"
        headers.append(("Content-Type", f"{self.media_type}{charset}"))
        return headers

    def _is_not_modified(
        self, environ: Mapping[str, Any], has_last_modified: bool
    ) -> bool:
        """Return whether the client has the body (RFC 9110 §13.1.2, §13.1.3).

        If-None-Match takes precedence over If-Modified-Since. A date must equal the
        Last-Modified that a 200 would have: a client whose clock is ahead sends a later
        one, and would never get a new body.
        """
        if "HTTP_IF_NONE_MATCH" in environ:
            header = environ["HTTP_IF_NONE_MATCH"]
            # One tag, which nearly all clients send, needs no parser.
            if header.strip('"') in self._etags:
                return True
            tags = parse_etags(header)
            return tags.star_tag or any(map(tags.contains_weak, self._etags))
        if not has_last_modified:
            return False
        date = _parse_date(environ.get("HTTP_IF_MODIFIED_SINCE"))
        return date == self._last_modified

    @cached_property
    def _etags(self) -> frozenset[str]:
        # A client may have fetched the same body in any coding.
        encoded = (f"{self.etag}-{coding}" for coding in COMPRESSORS)
        return frozenset([self.etag, *encoded])

    def _lifetimes(self, now: datetime) -> tuple[str, datetime]:
        """Return max-age and s-maxage, and the time from which one of them is less."""
        ages = {"max-age": self.max_age}
        if self.shared_max_age is not None:
            ages["s-maxage"] = self.shared_max_age
        valid_until = _NEVER
        if self.expires_at is not None:
            left = max(0, math.ceil((self.expires_at - now).total_seconds()))
            longest = min(left, max(ages.values()))
            ages = {name: min(left, age) for name, age in ages.items()}
            if longest:
                valid_until = self.expires_at - timedelta(seconds=longest - 1)
        text = ", ".join(f"{name}={age}" for name, age in ages.items())
        return text, valid_until

    @cached_property
    def _last_modified(self) -> datetime:
        return self.version.time.astimezone(UTC).replace(microsecond=0)

    def _may_state_last_modified(self, check: Check | None) -> bool:
        """Return whether no later change can be of the same second as the last one.

        Otherwise the second change would have the date of the first, and a client that
        asks by date would never see it.
        """
        settled_at = self._last_modified + _LAST_MODIFIED_GRACE
        if check is None:
            return self.checked_at >= settled_at
        is_seen = self.version.seq <= check.seq
        return is_seen and check.time - check.ahead >= settled_at


def static_response(
    body: bytes, media_type: str, max_age: int, *headers: tuple[str, str]
) -> CachedResponse:
    """Return a response whose body only changes with the version of the service."""
    installed_at = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    return CachedResponse(
        body,
        media_type,
        FeedVersion(installed_at),
        installed_at + _LAST_MODIFIED_GRACE,
        max_age,
        headers=headers,
    )


def conditional_response(
    response: CachedResponse, check: Check | None = None
) -> Response:
    """Return the Flask response to the current request.

    :param check: as for `CachedResponse.to_response`.
    """
    prepared = response.to_response(request.environ, check)
    response_class = _NotModified if prepared.status == 304 else Response
    return response_class(prepared.body, prepared.status, prepared.headers)


class _NotModified(Response):
    """A 304 with its Last-Modified, which Werkzeug removes."""

    def get_wsgi_headers(self, environ: Any) -> Any:
        headers = super().get_wsgi_headers(environ)
        if "Last-Modified" in self.headers:
            headers["Last-Modified"] = self.headers["Last-Modified"]
        return headers


def _header_lines(headers: Headers) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers)


# Few different dates are sent, and this runs for many requests. Not so for tags: a
# client can send any number of headers with a thousand tags, 150 KB each when parsed.
_parse_date = lru_cache(1024)(parse_date)
