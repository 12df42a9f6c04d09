"""The pages for people: the directory of feeds, and one page for each entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from flask import Blueprint, Response, request

from feedsvc.deliver.caching import Answer, packaged, respond
from feedsvc.deliver.hot import address
from feedsvc.deliver.kept import Kept
from feedsvc.errors import NotFound
from feedsvc.model import Category, Clock, Entry, Site, Stamp
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
    def stamp(self, among: Iterable[tuple[str, str | None]]) -> Stamp: ...


Snapshots = Callable[[], AbstractContextManager[Snapshot]]
"""Opens a snapshot of the store."""


def pages_blueprint(snapshots: Snapshots, kept: Kept, site: Site, clock: Clock, max_age: int) -> Blueprint:
    """The directory of all feeds, the entries' pages, and what browsers and crawlers ask for."""
    blueprint = Blueprint("pages", __name__)

    def respond_kept(make: Callable[[], tuple[bytes, str, Stamp]], *, plain: bool = True) -> Response:
        """A document that is kept, or made: its bytes, its media type, and what it rests on."""

        def answer() -> Answer:
            looked = clock()
            document, media_type, stamp = make()
            return Answer(
                document,
                media_type,
                stamp.time,
                looked,
                max_age,
                topics=stamp.topics,
                seq=stamp.seq,
                plain=plain,
            )

        found, looked = kept.answer(address(request.environ), request.path, answer)
        return respond(found, request.environ, looked)

    @blueprint.get("/")
    def directory() -> Response:
        """Every section and category with its feeds."""

        def make() -> tuple[bytes, str, Stamp]:
            categories, stamp = filed()
            sections = {kind: PAGES.rows(site, kind, categories) for kind in KINDS}
            return PAGES.page("directory.html", site, sections=sections), html.MEDIA_TYPE, stamp

        return respond_kept(make)

    @blueprint.get("/feeds.opml")
    def outlines() -> Response:
        """Every feed, for readers that take a list."""

        def make() -> tuple[bytes, str, Stamp]:
            categories, stamp = filed()
            return opml.render(site, categories, stamp.time), opml.MEDIA_TYPE, stamp

        return respond_kept(make)

    @blueprint.get("/entries/<id>")
    def entry(id: str) -> Response:
        """The page of one entry."""

        def make() -> tuple[bytes, str, Stamp]:
            found, stamp = public(id)
            rows = PAGES.rows(site, found.kind, found.categories)
            text, data = html.nested(body(found, site), 1), json_ld(found, site)
            page = PAGES.page("entry.html", site, entry=found, body=text, rows=rows, data=data)
            return page, html.MEDIA_TYPE, stamp

        return respond_kept(make, plain=False)

    @blueprint.get("/entries/<id>.ics")
    def calendar(id: str) -> Response:
        """One event, to be put into a calendar; or the page of an entry whose id ends so."""

        def make() -> tuple[bytes, str, Stamp]:
            found, stamp = public(id)
            if found.event is None:
                raise NotFound(f"“{id}” is no event.")
            return ics.render_entry(found, site), ics.MEDIA_TYPE, stamp

        try:
            return respond_kept(make, plain=False)
        except NotFound:
            return entry(f"{id}.ics")

    @blueprint.get("/robots.txt")
    def robots() -> Response:
        """What crawlers may read: all but the API, and the combinations, which are without end."""
        return respond(_ROBOTS, request.environ)

    @blueprint.get("/favicon.ico")
    def favicon() -> Response:
        """The icon that browsers ask for unasked."""
        return respond(_ICON, request.environ)

    @blueprint.get("/static/style.css")
    def style() -> Response:
        """The one stylesheet."""
        return respond(_STYLE, request.environ)

    def filed() -> tuple[list[Category], Stamp]:
        """The categories, and when one of them last changed."""
        with snapshots() as snapshot:
            return snapshot.categories(), snapshot.stamp([("categories", None)])

    def public(id: str) -> tuple[Entry, Stamp]:
        """An entry, and when it or one beside it last changed."""
        with snapshots() as snapshot:
            found = snapshot.public_entry(id)
            slugs: list[str | None] = [category.slug for category in found.categories] or [None]
            among = [(found.kind, slug) for slug in slugs]
            among += [("events", None)] if id.endswith(".ics") else []  # an event may come to that address
            return found, snapshot.stamp(among)

    return blueprint
