"""The pages for people: the directory of feeds, and one page for each entry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from flask import Blueprint, Response, render_template, request

from feedsvc.deliver.caching import Answer, packaged, respond
from feedsvc.deliver.page_words import phrases, size
from feedsvc.model import Category, Clock, Entry, Feed, Site
from feedsvc.query import KINDS, FeedQuery, Selector
from feedsvc.render import FORMATS, words
from feedsvc.render.body import body

# Bodies hold pictures, sound and film from anywhere, and players from the hosts that ingest lets in.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src https: http:; media-src https: http:; "
    "frame-src https: http:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_STYLE = Path(__file__).with_name("static") / "style.css"
_AN_HOUR = 3600
_HEADING = re.compile(r"(</?h)([1-5])\b")


class Snapshot(Protocol):
    """What pages are made from; `store.Reader` is one."""

    def public_entry(self, id: str) -> Entry: ...
    def categories(self) -> list[Category]: ...
    def last_change(self, among: Iterable[tuple[str, str | None]]) -> datetime: ...


Snapshots = Callable[[], AbstractContextManager[Snapshot]]
"""Opens a snapshot of the store."""


def pages_blueprint(snapshots: Snapshots, site: Site, clock: Clock, max_age: int) -> Blueprint:
    """The directory page, the entries' pages, and the style of all pages."""
    blueprint = Blueprint("pages", __name__)
    vocabulary = {"site": site, "formats": FORMATS, "words": words, "phrases": phrases, "size": size}
    blueprint.app_context_processor(lambda: vocabulary)

    @blueprint.get("/")
    def directory() -> Response:
        """Every section and category with its feeds."""
        looked = clock()
        with snapshots() as snapshot:
            categories = snapshot.categories()
            modified = snapshot.last_change([("categories", None)])
        page = render_template("directory.html", sections={kind: feeds(kind, categories) for kind in KINDS})
        return respond(Answer(page.encode(), "text/html", modified, looked), request, max_age)

    @blueprint.get("/entries/<id>")
    def entry(id: str) -> Response:
        """The page of one entry."""
        looked = clock()
        with snapshots() as snapshot:
            found = snapshot.public_entry(id)
            slugs: list[str | None] = [category.slug for category in found.categories] or [None]
            modified = snapshot.last_change((found.kind, slug) for slug in slugs)
        rows = feeds(found.kind, found.categories)
        page = render_template("entry.html", entry=found, body=_nested(body(found, site)), rows=rows)
        return respond(Answer(page.encode(), "text/html", modified, looked), request, max_age)

    @blueprint.get("/static/style.css")
    def style() -> Response:
        """The one stylesheet."""
        return respond(packaged(_STYLE.read_bytes(), "text/css"), request, _AN_HOUR)

    def feeds(kind: str, categories: Iterable[Category]) -> list[list[Feed]]:
        """A row for a section and for each category: a feed a format, empty, for its name and URL."""

        def row(category: Category | None) -> list[Feed]:
            named = (category,) if category else ()
            selector = Selector.of(each.slug for each in named)
            return [
                Feed(FeedQuery(kind, name, selector), site, named)
                for name, form in FORMATS.items()
                if kind in form.kinds
            ]

        return [row(None), *map(row, categories)]

    @blueprint.after_app_request
    def protect(response: Response) -> Response:
        """No script on any HTML page that has no policy of its own."""
        if response.status_code == 200 and response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", _POLICY)
            response.headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    return blueprint


def _nested(html: str) -> str:
    """A body whose headings stand below the page's only h1."""
    return _HEADING.sub(lambda tag: f"{tag[1]}{int(tag[2]) + 1}", html) if "<h1" in html else html
