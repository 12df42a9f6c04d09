"""The pages for people: the directory of feeds, and one page for each entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol

from flask import Blueprint, Response, request

from feedsvc.deliver.caching import Answer, packaged, respond
from feedsvc.errors import NotFound
from feedsvc.model import Category, Clock, Entry, Site
from feedsvc.query import KINDS
from feedsvc.render import PAGES, html, ics, opml
from feedsvc.render.body import body
from feedsvc.render.json_ld import json_ld

_FILES = Path(__file__).with_name("static")
_AN_HOUR = 3600
_STYLE = packaged((_FILES / "style.css").read_bytes(), "text/css", _AN_HOUR)
_ICON = packaged((_FILES / "favicon.ico").read_bytes(), "image/vnd.microsoft.icon", _AN_HOUR)
_RULES = b"User-agent: *\nDisallow: /api/\nDisallow: /feeds/*,\nDisallow: /feeds/*+\nDisallow: /feeds/*?\n"
_ROBOTS = packaged(_RULES, "text/plain", _AN_HOUR)


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
        return respond(Answer(page, html.MEDIA_TYPE, modified, looked, max_age), request.environ)

    @blueprint.get("/feeds.opml")
    def outlines() -> Response:
        """Every feed, for readers that take a list."""
        looked = clock()
        with snapshots() as snapshot:
            categories, modified = snapshot.categories(), snapshot.last_change([("categories", None)])
        listed = opml.render(site, categories, modified)
        return respond(Answer(listed, opml.MEDIA_TYPE, modified, looked, max_age), request.environ)

    @blueprint.get("/entries/<id>")
    def entry(id: str) -> Response:
        """The page of one entry."""
        looked = clock()
        found, modified = public(id)
        rows = PAGES.rows(site, found.kind, found.categories)
        text, data = html.nested(body(found, site), 1), json_ld(found, site)
        page = PAGES.page("entry.html", site, entry=found, body=text, rows=rows, data=data)
        return respond(Answer(page, html.MEDIA_TYPE, modified, looked, max_age), request.environ)

    @blueprint.get("/robots.txt")
    def robots() -> Response:
        """What crawlers may read: all but the API, and the combinations, which are without end."""
        return respond(_ROBOTS, request.environ)

    @blueprint.get("/favicon.ico")
    def favicon() -> Response:
        """The icon that browsers ask for unasked."""
        return respond(_ICON, request.environ)

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
        return respond(Answer(document, ics.MEDIA_TYPE, modified, looked, max_age), request.environ)

    @blueprint.get("/static/style.css")
    def style() -> Response:
        """The one stylesheet."""
        return respond(_STYLE, request.environ)

    def public(id: str) -> tuple[Entry, datetime]:
        """An entry, and when it or one beside it last changed."""
        with snapshots() as snapshot:
            found = snapshot.public_entry(id)
            slugs: list[str | None] = [category.slug for category in found.categories] or [None]
            return found, snapshot.last_change((found.kind, slug) for slug in slugs)

    return blueprint
