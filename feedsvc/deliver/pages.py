"""The pages for people: the directory of feeds, and one page for each entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from flask import Blueprint, Response, request

from feedsvc.deliver.caching import Answer, packaged, respond
from feedsvc.model import Category, Clock, Entry, Site
from feedsvc.query import KINDS
from feedsvc.render import PAGES, html, opml
from feedsvc.render.body import body

# Bodies hold pictures, sound and film from anywhere, and players from the hosts that ingest lets in.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src https: http:; media-src https: http:; "
    "frame-src https: http:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_STYLE = Path(__file__).with_name("static") / "style.css"
_ICON = Path(__file__).with_name("static") / "favicon.ico"
_ROBOTS = b"User-agent: *\nDisallow: /api/\nDisallow: /feeds/*,\nDisallow: /feeds/*+\nDisallow: /feeds/*?\n"
_AN_HOUR = 3600


class Snapshot(Protocol):
    """What pages are made from; `store.Reader` is one."""

    def public_entry(self, id: str) -> Entry: ...
    def categories(self) -> list[Category]: ...
    def last_change(self, among: Iterable[tuple[str, str | None]]) -> datetime: ...


Snapshots = Callable[[], AbstractContextManager[Snapshot]]
"""Opens a snapshot of the store."""


def pages_blueprint(snapshots: Snapshots, site: Site, clock: Clock, max_age: int) -> Blueprint:
    """The directory of all feeds, the entries' pages, and what browsers and crawlers ask for."""
    blueprint = Blueprint("pages", __name__)

    @blueprint.get("/")
    def directory() -> Response:
        """Every section and category with its feeds."""
        looked = clock()
        with snapshots() as snapshot:
            categories, modified = snapshot.categories(), snapshot.last_change([("categories", None)])
        sections = {kind: PAGES.rows(site, kind, categories) for kind in KINDS}
        page = PAGES.page("directory.html", site, sections=sections)
        return respond(Answer(page, html.MEDIA_TYPE, modified, looked), request, max_age)

    @blueprint.get("/feeds.opml")
    def outlines() -> Response:
        """Every feed, for readers that take a list."""
        looked = clock()
        with snapshots() as snapshot:
            categories, modified = snapshot.categories(), snapshot.last_change([("categories", None)])
        listed = opml.render(site, categories, modified)
        return respond(Answer(listed, opml.MEDIA_TYPE, modified, looked), request, max_age)

    @blueprint.get("/entries/<id>")
    def entry(id: str) -> Response:
        """The page of one entry."""
        looked = clock()
        with snapshots() as snapshot:
            found = snapshot.public_entry(id)
            slugs: list[str | None] = [category.slug for category in found.categories] or [None]
            modified = snapshot.last_change((found.kind, slug) for slug in slugs)
        rows = PAGES.rows(site, found.kind, found.categories)
        page = PAGES.page("entry.html", site, entry=found, body=html.nested(body(found, site), 1), rows=rows)
        return respond(Answer(page, html.MEDIA_TYPE, modified, looked), request, max_age)

    @blueprint.get("/robots.txt")
    def robots() -> Response:
        """What crawlers may read: all but the API, and the combinations, which are without end."""
        return respond(packaged(_ROBOTS, "text/plain"), request, _AN_HOUR)

    @blueprint.get("/favicon.ico")
    def favicon() -> Response:
        """The icon that browsers ask for unasked."""
        return respond(packaged(_ICON.read_bytes(), "image/vnd.microsoft.icon"), request, _AN_HOUR)

    @blueprint.get("/static/style.css")
    def style() -> Response:
        """The one stylesheet."""
        return respond(packaged(_STYLE.read_bytes(), "text/css"), request, _AN_HOUR)

    @blueprint.after_app_request
    def protect(response: Response) -> Response:
        """No script on any HTML page that has no policy of its own."""
        if response.status_code == 200 and response.mimetype == "text/html":
            response.headers.setdefault("Content-Security-Policy", _POLICY)
            response.headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response

    return blueprint
