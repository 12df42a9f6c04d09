"""HTTP caching of public answers (RFC 9110 §8.8, §13; RFC 9111): validators, 304, lifetimes, encodings."""

from __future__ import annotations

import gzip
import hashlib
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Request, Response
from werkzeug.http import http_date

_SUFFIX = re.compile(r"-gzip$")
_SETTLED = timedelta(seconds=1.5)
_SMALL = 256


@dataclass(frozen=True)
class Answer:
    """A public answer before it is fitted to a request.

    `modified` is the ledger's stamp that it rests on, `looked` when the ledger was looked at, `due` when
    it will change by itself.
    """

    body: bytes
    media_type: str
    modified: datetime
    looked: datetime
    due: datetime | None = None

    @property
    def etag(self) -> str:
        """The opaque tag of the bytes: any worker and any replica makes the same."""
        return hashlib.sha256(self.body).hexdigest()[:32]


def packaged(body: bytes, media_type: str) -> Answer:
    """An answer that comes with the package, and changes with the version alone."""
    installed = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    return Answer(body, media_type, modified=installed, looked=installed + _SETTLED)


def respond(answer: Answer, request: Request, max_age: int) -> Response:
    """The response to a GET or HEAD: 304 where the client has it, else compressed where it may be.

    :param max_age: seconds that caches may keep it, unless it will change before.
    """
    zipped = len(answer.body) >= _SMALL and request.accept_encodings.quality("gzip") > 0
    tag = f"{answer.etag}-gzip" if zipped else answer.etag
    if answer.due is not None:
        max_age = max(0, min(max_age, math.ceil((answer.due - answer.looked).total_seconds())))
    if _has_it(answer, request):
        response: Response = _NotModified(status=304)
    else:
        body = gzip.compress(answer.body, 6, mtime=0) if zipped else answer.body
        response = Response(body, content_type=f"{answer.media_type}; charset=utf-8")
        if zipped:
            response.headers["Content-Encoding"] = "gzip"
    response.set_etag(tag)
    response.headers["Last-Modified"] = http_date(_stated(answer))
    response.headers["Cache-Control"] = f"public, max-age={max_age}, stale-if-error=86400"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


class _NotModified(Response):
    """Keeps Last-Modified, which Werkzeug takes out of a 304."""

    def get_wsgi_headers(self, environ: Any) -> Any:
        headers = super().get_wsgi_headers(environ)
        headers["Last-Modified"] = self.headers["Last-Modified"]
        return headers


def _has_it(answer: Answer, request: Request) -> bool:
    """Whether the client's copy is still right; If-None-Match wins over If-Modified-Since."""
    if "If-None-Match" in request.headers:
        known = request.if_none_match
        return known.star_tag or answer.etag in {
            _SUFFIX.sub("", tag) for tag in known.as_set(include_weak=True)
        }
    since = request.if_modified_since
    return since is not None and since >= _floor(answer.modified)


def _stated(answer: Answer) -> datetime:
    """Last-Modified, in whole seconds.

    A second change in the same second must not hide behind the first one. So the second itself is only
    stated when it has surely passed for all who write, and the one before it until then.
    """
    floor = _floor(answer.modified)
    return floor if answer.looked >= floor + _SETTLED else floor - timedelta(seconds=1)


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
