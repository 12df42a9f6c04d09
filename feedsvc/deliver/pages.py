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
from feedsvc.errors import NotFound
from feedsvc.model import EPOCH, KINDS, Category, Clock, Entry, Feed, FeedQuery, Site
from feedsvc.render import FORMATS, ics, words
from feedsvc.render.body import body
from feedsvc.render.json_ld import json_ld

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
        found, modified = public(id)
        rows = feeds(found.kind, found.categories)
        page = render_template(
            "entry.html", entry=found, body=_nested(body(found, site)), rows=rows, data=json_ld(found, site)
        )
        return respond(Answer(page.encode(), "text/html", modified, looked), request, max_age)

    @blueprint.get("/entries/<id>.ics")
    def calendar(id: str) -> Response:
        """One event, to be put into a calendar; or the page of an entry whose id ends so."""
        looked = clock()
        try:
            found, modified = public(id)
        except NotFound:
            return entry(f"{id}.ics")
        if found.event is None:
            raise NotFound(f"“{id}” is no event.")
        document = ics.render_entry(found, site)
        return respond(Answer(document, ics.MEDIA_TYPE, modified, looked), request, max_age)

    @blueprint.get("/static/style.css")
    def style() -> Response:
        """The one stylesheet."""
        return respond(packaged(_STYLE.read_bytes(), "text/css"), request, _AN_HOUR)

    def public(id: str) -> tuple[Entry, datetime]:
        """An entry, and when it or one beside it last changed."""
        with snapshots() as snapshot:
            found = snapshot.public_entry(id)
            slugs: list[str | None] = [category.slug for category in found.categories] or [None]
            return found, snapshot.last_change((found.kind, slug) for slug in slugs)

    def feeds(kind: str, categories: Iterable[Category]) -> list[list[Feed]]:
        """A row for a section and for each category: a feed a format, empty, for its name and URL."""

        def row(category: Category | None) -> list[Feed]:
            slug = category.slug if category else None
            return [
                Feed(FeedQuery(kind, form, slug), site, category, EPOCH, None, ())
                for form in FORMATS
                if kind in FORMATS[form].kinds
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
