"""The pages for people: the directory of feeds, and one page for each entry."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from flask import Blueprint, Response, request

from feedsvc.errors import BadRequest, NotFound
from feedsvc.feeds.cache import ResponseCache
from feedsvc.formats import FORMATS, PAGES, opml, render_event_calendar
from feedsvc.http.conditional import (
    CachedResponse,
    conditional_response,
    static_response,
)
from feedsvc.models import Clock, Entry, Site
from feedsvc.query import (
    KINDS,
    UI_LANGUAGES,
    FeedQuery,
    parse_feed_query,
    primary_subtag,
)
from feedsvc.stamps import FeedVersion
from feedsvc.storage import Reader
from feedsvc.web.cache_middleware import cache_key

_FOLDER = Path(__file__).with_name("static")
_HOUR_SECONDS = 3600
_FILES = {
    "/static/style.css": "text/css",
    "/static/api_docs.css": "text/css",
    "/static/pages.js": "text/javascript",
    "/favicon.ico": "image/vnd.microsoft.icon",
}
_ROBOTS_TXT = b"""\
User-agent: *
Disallow: /api/
Disallow: /feeds/*,
Disallow: /feeds/*+
Disallow: /feeds/*?
"""


SessionFactory = Callable[[], AbstractContextManager[Reader]]
"""Opens a snapshot of the store."""

RenderedPage = tuple[bytes, str, FeedVersion, datetime | None]
"""A document, its media type, what it rests on, and when it changes by itself."""


def pages_blueprint(
    snapshots: SessionFactory,
    kept: ResponseCache,
    site: Site,
    clock: Clock,
    max_age: int,
) -> Blueprint:
    """The directory of all feeds, the entries' pages, and what browsers and crawlers ask for."""
    blueprint = Blueprint("pages", __name__)

    bodies = {path: (_FOLDER / Path(path).name).read_bytes() for path in _FILES}
    bodies["/static/style.css"] += brand_css(site.color)
    files = {
        path: static_response(body, _FILES[path], _HOUR_SECONDS)
        for path, body in bodies.items()
    }
    files["/robots.txt"] = static_response(_ROBOTS_TXT, "text/plain", _HOUR_SECONDS)

    def respond_kept(
        make: Callable[[], RenderedPage], ui: str | None = None, *, plain: bool = True
    ) -> Response:
        """A document that is kept, or made."""

        def answer() -> CachedResponse:
            looked = clock()
            body, media_type, stamp, due = make()
            headers = (("X-Robots-Tag", "noindex"),) if ui else ()
            return CachedResponse(
                body, media_type, stamp, looked, max_age, due, headers, plain
            )

        key = f"{request.path}?ui={ui}" if ui else request.path
        return conditional_response(
            *kept.get_or_render(cache_key(request.environ), key, answer)
        )

    def asked_language() -> str | None:
        """The language that is asked for, where there are words in it and it is not the site's."""
        ui = request.args.get("ui", "")
        return (
            ui if ui in UI_LANGUAGES and ui != primary_subtag(site.language) else None
        )

    @blueprint.get("/")
    def directory() -> Response:
        """Every section and category with its feeds, and a form to combine them."""
        ui = asked_language()

        def make() -> RenderedPage:
            now = clock()
            with snapshots() as snapshot:
                stamp = snapshot.feed_version(
                    [("categories", None), *((kind, None) for kind in KINDS)]
                )
                moments = [
                    snapshot.select_feed(FeedQuery(kind, "html"), now).version()
                    for kind in KINDS
                ]
                page = PAGES.render_directory(
                    site, snapshot.categories.all(), snapshot.feed_summaries(now), ui
                )
            stamp = replace(
                stamp, time=max(stamp.time, *(one.time for one, _ in moments))
            )
            return (
                page,
                FORMATS["html"].media_type,
                stamp,
                min((due for _, due in moments if due), default=None),
            )

        return respond_kept(make, ui)

    @blueprint.get("/feeds/build")
    def build() -> Response:
        """From the form of the directory to the feed that was chosen, by its canonical URL.

        :raises Malformed: there is no such feed.
        """
        lists = (
            (name, [value for value in values if value])
            for name, values in request.args.lists()
        )
        given = {name: values for name, values in lists if values}
        kind, format, every = (
            given.get(name, [""])[0] for name in ("kind", "format", "match")
        )
        if kind not in KINDS or format not in FORMATS:
            raise BadRequest(
                "The parameters “kind” and “format” must name a kind and a format of feeds."
            )
        if kind not in FORMATS[format].kinds:
            raise BadRequest(f"There is no feed of {kind} as {FORMATS[format].label}.")
        terms = [
            *given.get("with", []),
            *(f"-{slug}" for slug in given.get("without", [])),
        ]
        selector = ("+" if every == "all" else ",").join(terms) or None
        today = clock().astimezone(site.timezone).date()
        wanted = parse_feed_query(kind, format, selector, given, site.language, today)
        # Relative, so that the policy's form-action holds whatever name and prefix the page is read under.
        headers = {
            "Location": wanted.path.removeprefix("/feeds/"),
            "Cache-Control": "no-store",
        }
        return Response(status=303, headers=headers)

    @blueprint.get("/feeds.opml")
    def outlines() -> Response:
        """Every feed, for readers that take a list."""

        def make() -> RenderedPage:
            with snapshots() as snapshot:
                categories, stamp = (
                    snapshot.categories.all(),
                    snapshot.feed_version([("categories", None)]),
                )
            return (
                opml.render(site, categories, stamp.time),
                opml.MEDIA_TYPE,
                stamp,
                None,
            )

        return respond_kept(make)

    @blueprint.get("/entries/<id>")
    def entry(id: str) -> Response:
        """The page of one entry."""
        ui = asked_language()

        def make() -> RenderedPage:
            found, stamp = public(id)
            return (
                PAGES.render_entry(found, site, ui),
                FORMATS["html"].media_type,
                stamp,
                None,
            )

        return respond_kept(make, ui, plain=False)

    @blueprint.get("/entries/<id>.ics")
    def calendar(id: str) -> Response:
        """One event, to be put into a calendar; or the page of an entry whose id ends so."""

        def make() -> RenderedPage:
            found, stamp = public(id)
            if found.event is None:
                raise NotFound(f"“{id}” is no event.")
            return (
                render_event_calendar(found, site),
                FORMATS["ics"].media_type,
                stamp,
                None,
            )

        try:
            return respond_kept(make, plain=False)
        except NotFound:
            return entry(f"{id}.ics")

    def file() -> Response:
        """The pages' styles and script, the icon that browsers ask for unasked, and what crawlers may read:
        all but the API, and the combinations, which are without end."""
        return conditional_response(files[request.path])

    for path in files:
        blueprint.add_url_rule(path, view_func=file)

    def public(id: str) -> tuple[Entry, FeedVersion]:
        """An entry, and when it or one beside it last changed."""
        with snapshots() as snapshot:
            found = snapshot.entries.get_public(id)
            slugs: list[str | None] = [
                category.slug for category in found.categories
            ] or [None]
            among = [(found.kind, slug) for slug in slugs]
            among += (
                [("events", None)] if id.endswith(".ics") else []
            )  # an event may come to that address
            return found, snapshot.feed_version(among)

    return blueprint


def brand_css(color: str) -> bytes:
    """The rule that gives pages' heads a colour, and the writing on it black or white (WCAG 2.2 §1.4.3)."""
    if not color:
        return b""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in parts
    ]
    luminance = sum(
        share * part
        for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)
    )
    return f":root {{ --brand: {color}; --on-brand: {'#000' if luminance > 0.179 else '#fff'}; }}\n".encode()
