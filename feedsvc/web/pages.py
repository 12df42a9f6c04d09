"""Pages: the directory of feeds, OPML, and a page for each entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from flask import Blueprint, Response, request

from feedsvc.errors import Gone, NotFound
from feedsvc.feed_query import (
    FORMATS,
    KINDS,
    MAX_TERMS,
    UI_LANGUAGES,
    CategoryFilter,
    FeedQuery,
    primary_subtag,
)
from feedsvc.feeds.response_cache import ResponseCache, cache_key
from feedsvc.formats import opml, render_event_calendar
from feedsvc.formats.html import PAGES
from feedsvc.formats.labels import entry_state
from feedsvc.http.conditional import CachedResponse, conditional_response
from feedsvc.models import Clock, Entry, FeedVersion, Site
from feedsvc.storage import Reader, Storage

MAX_RELATED = 3
"""Related entries on the page of an entry."""

_EXAMINED_FOR_RELATED = 8
"""Entries of its categories among which related ones are: also the entry itself, and
some that are cancelled."""


class RenderedPage(NamedTuple):
    """A document, the version of what it depends on, and when it changes by itself."""

    body: bytes
    media_type: str
    version: FeedVersion
    expires_at: datetime | None = None


class PageRenderer:
    """Render pages from a snapshot of the database."""

    def __init__(self, storage: Storage, site: Site, clock: Clock) -> None:
        self._storage = storage
        self._site = site
        self._clock = clock

    def directory(self, ui: str | None) -> RenderedPage:
        """Render the page of all sections and categories with their feeds.

        :param ui: the language of the page, if it is not the site's.
        """
        now = self._clock()
        with self._storage.reader() as reader:
            version = reader.feed_version(
                [("categories", None), *((kind, None) for kind in KINDS)]
            )
            # The page counts the events ahead, so it changes when an event ends, like
            # the feeds of upcoming events.
            sections = [
                reader.select_feed(FeedQuery(kind, "html"), now).version()
                for kind in KINDS
            ]
            body = PAGES.render_directory(
                self._site, reader.categories.all(), reader.feed_summaries(now), ui
            )
        times = [section.time for section, _ in sections]
        expiries = [expires_at for _, expires_at in sections if expires_at]
        return RenderedPage(
            body,
            FORMATS["html"].media_type,
            replace(version, time=max(version.time, *times)),
            min(expiries, default=None),
        )

    def opml(self) -> RenderedPage:
        """Render the list of all feeds for feed readers."""
        with self._storage.reader() as reader:
            categories = reader.categories.all()
            version = reader.feed_version([("categories", None)])
        body = opml.render(self._site, categories, version.time)
        return RenderedPage(body, opml.MEDIA_TYPE, version)

    def entry(self, id: str, ui: str | None) -> RenderedPage:
        """Render the page of an entry.

        :raises NotFound: there is no public entry.
        :raises Gone: it was deleted or withdrawn, or has expired.
        """
        now = self._clock()
        with self._storage.reader() as reader:
            entry, version = _load_public_entry(reader, id)
            slugs = [category.slug for category in entry.categories[:MAX_TERMS]]
            category_filter = CategoryFilter.create(slugs)
            query = FeedQuery(
                entry.kind, "html", category_filter, limit=_EXAMINED_FOR_RELATED
            )
            selection = reader.select_feed(query, now)
            related = _related(entry, selection.entries().entries)
            # The page names events ahead, so it changes when one ends, like the feed.
            feed_version, expires_at = selection.version()
        body = PAGES.render_entry(entry, related, self._site, ui)
        return RenderedPage(
            body,
            FORMATS["html"].media_type,
            replace(version, time=max(version.time, feed_version.time)),
            expires_at,
        )

    def calendar(self, id: str) -> RenderedPage:
        """Render the calendar of one event; raises as `entry`."""
        with self._storage.reader() as reader:
            entry, version = _load_public_entry(reader, id)
        if entry.event is None:
            raise NotFound(f"“{id}” is not an event.")
        body = render_event_calendar(entry, self._site)
        return RenderedPage(body, FORMATS["ics"].media_type, version)


def _load_public_entry(reader: Reader, id: str) -> tuple[Entry, FeedVersion]:
    """Return the visible entry of an id, and the version of the feeds that it is in.

    :raises NotFound: there is none, or it was never visible.
    :raises Gone: it was deleted, expired or withdrawn; `reason` is its notice.
    """
    stored = reader.entries.find(id)
    # The response must not tell that a draft exists.
    if stored is None or not stored.was_visible:
        raise NotFound(f"There is no entry “{id}”.")
    entry = stored.entry
    if entry.status == "deleted":
        raise Gone(f"The entry “{id}” was deleted.")
    if entry.status == "withdrawn":
        message = entry.notice or f"The entry “{id}” was withdrawn."
        raise Gone(message, reason=entry.notice or "")
    if not stored.is_visible:
        raise Gone(f"The entry “{id}” is no longer public.")
    slugs: list[str | None] = [category.slug for category in entry.categories] or [None]
    feeds = [(entry.kind, slug) for slug in slugs]
    if id.endswith(".ics"):
        # An event with the id before “.ics” would take over the URL.
        feeds.append(("events", None))
    return entry, reader.feed_version(feeds)


def _related(entry: Entry, candidates: Iterable[Entry]) -> list[Entry]:
    """Return the first of some entries that may stand below another one.

    :param candidates: entries of its categories, the best first.
    """
    related = [
        candidate
        for candidate in candidates
        if candidate.id != entry.id
        and entry_state(candidate) not in ("cancelled", "withdrawn")
    ]
    return related[:MAX_RELATED]


def requested_language(site: Site) -> str | None:
    """Return the parameter `ui` of the request if it differs from the site's language.

    Another value than a language of pages counts as absent. Only the URL decides:
    caches keep one page a URL.
    """
    ui = request.args.get("ui", "")
    is_other = ui in UI_LANGUAGES and ui != primary_subtag(site.language)
    return ui if is_other else None


def pages_blueprint(
    storage: Storage, cache: ResponseCache, site: Site, clock: Clock, max_age: int
) -> Blueprint:
    """Return the blueprint of the pages."""
    blueprint = Blueprint("pages", __name__)
    renderer = PageRenderer(storage, site, clock)

    @blueprint.get("/")
    def directory() -> Response:
        """Answer with the directory of all feeds."""
        ui = requested_language(site)
        return cached_response(partial(renderer.directory, ui), ui)

    @blueprint.get("/feeds.opml")
    def opml_file() -> Response:
        """Answer with the list of all feeds for feed readers."""
        return cached_response(renderer.opml)

    @blueprint.get("/entries/<id>")
    def entry(id: str) -> Response:
        """Answer with the page of an entry."""
        ui = requested_language(site)
        # Not pinned: there are few lists, but any number of entries.
        return cached_response(partial(renderer.entry, id, ui), ui, is_pinned=False)

    @blueprint.get("/entries/<id>.ics")
    def calendar(id: str) -> Response:
        """Answer with the calendar of an event."""
        try:
            return cached_response(partial(renderer.calendar, id), is_pinned=False)
        except NotFound:
            # The id of another entry may end in “.ics”.
            return entry(f"{id}.ics")

    def cached_response(
        render: Callable[[], RenderedPage],
        ui: str | None = None,
        *,
        is_pinned: bool = True,
    ) -> Response:
        """Answer the current request from the cache, or render the page."""

        def render_response() -> CachedResponse:
            # Before the snapshot is taken, so that it vouches for no later change.
            checked_at = clock()
            page = render()
            return CachedResponse(
                page.body,
                page.media_type,
                page.version,
                checked_at,
                max_age,
                page.expires_at,
                # Crawlers index each page once, in the site's language.
                headers=(("X-Robots-Tag", "noindex"),) if ui else (),
                is_pinned=is_pinned,
            )

        query = f"ui={ui}" if ui else ""
        canonical = cache_key({"PATH_INFO": request.path, "QUERY_STRING": query})
        key = cache_key(request.environ)
        return conditional_response(
            *cache.get_or_render(key, canonical, render_response)
        )

    return blueprint
