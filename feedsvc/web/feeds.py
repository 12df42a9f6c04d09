"""`/feeds/…`: every feed in every format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from functools import partial
from urllib.parse import parse_qs, unquote, urlsplit

from flask import Blueprint, Response, request

from feedsvc import feeds, query
from feedsvc.errors import BadRequest, FeedMoved, NotFound
from feedsvc.feeds.cache import CacheHit, ResponseCache
from feedsvc.formats import FORMATS, render_feed
from feedsvc.http.conditional import CachedResponse, conditional_response
from feedsvc.http.slots import ResponseSlots
from feedsvc.models import Clock, Feed, Site
from feedsvc.query import KINDS, FeedQuery
from feedsvc.storage import Reader
from feedsvc.web.cache_middleware import cache_key

SessionFactory = Callable[[], AbstractContextManager[Reader]]
"""Opens a snapshot of the store."""

LARGE = 512 * 1024
"""Estimated bytes from which a document takes a slot."""

_PATH = re.compile(r"/feeds/([^/.]+)(?:/([^/]+))?\.([^/.]+)")


class FeedService:
    """Every feed, as the answer to its address."""

    def __init__(
        self,
        snapshots: SessionFactory,
        kept: ResponseCache,
        site: Site,
        clock: Clock,
        max_age: int,
        max_feed: int,
    ) -> None:
        """:param max_feed: bytes of a document at most."""
        self._snapshots, self._kept, self.site = snapshots, kept, site
        self._clock, self.max_age, self._max_feed = clock, max_age, max_feed
        self._slots = ResponseSlots()

    def parse_query(
        self,
        kind: str,
        format: str,
        selector: str | None,
        given: Mapping[str, Sequence[str]],
    ) -> FeedQuery:
        """The query that an address stands for, canonical.

        :raises NotFound: there is no such kind or format.
        :raises Malformed: a part cannot be read.
        """
        if (
            kind not in KINDS
            or format not in FORMATS
            or kind not in FORMATS[format].kinds
        ):
            raise NotFound("There is no such feed.")
        today = self._clock().astimezone(self.site.timezone).date()
        return query.parse_feed_query(
            kind, format, selector, given, self.site.language, today
        )

    def parse_path(self, path: str) -> FeedQuery:
        """The query of a path with its query string, in whatever spelling; raises as `query`."""
        try:
            parts = urlsplit(path)
        except ValueError:  # brackets where a host would be, as in //[
            raise BadRequest("The URL is not valid.") from None
        found = _PATH.fullmatch(unquote(parts.path))
        if not found:
            raise NotFound("There is no such feed.")
        return self.parse_query(
            found[1], found[3], found[2], parse_qs(parts.query, keep_blank_values=True)
        )

    def topic(self, path: str) -> tuple[FeedQuery, FeedQuery]:
        """Return the feed of a path that can be pushed, and the one that it is now.

        They differ where a category was renamed or retired since. Raises as `at` and `answer`, but for
        Renamed, and Malformed for a feed that cannot be pushed.
        """
        wanted = self.parse_path(path)
        if not wanted.is_topic:
            raise BadRequest(
                "A topic has no parameter but “content”: subscribe to the feed of a section, a category "
                "or a combination of categories."
            )
        return wanted, self._current(wanted)

    def pushed(self, path: str) -> tuple[str, CachedResponse]:
        """Return the canonical path of the feed that a topic is now, and its answer; raises as `topic`."""
        current = self.topic(path)[1]
        return current.path, self.get_response(current)[0]

    def known(self, path: str) -> CachedResponse | None:
        """Return the answer of a canonical path where it need not be rendered."""
        found = self._kept.get(path)
        return found[0] if found else None

    def _current(self, wanted: FeedQuery) -> FeedQuery:
        """Return the feed that a query stands for after renames and retirements; raises as `check`."""
        try:
            self.ensure_exists(wanted)
        except FeedMoved as error:
            return moved_to(wanted, error)
        return wanted

    def get_response(self, wanted: FeedQuery, address: str = "") -> CacheHit:
        """The answer of a feed, kept or made; an address leads to it from now on.

        :raises NotFound: a category does not exist.
        :raises Gone: nothing is left of the feed without the categories that were retired.
        :raises Renamed: it has another selector now: a category was renamed, or retired.
        """
        return self._kept.get_or_render(
            address or wanted.path, wanted.path, partial(self._render, wanted)
        )

    def ensure_exists(self, wanted: FeedQuery) -> None:
        """See that the categories of a feed are there; raises as `answer`."""
        with self._snapshots() as snapshot:
            snapshot.select_feed(wanted, self._clock())

    def _render(self, wanted: FeedQuery) -> CachedResponse:
        looked = self._clock()
        with ExitStack() as slot:

            def admit(size: int) -> None:
                if size >= LARGE:
                    slot.enter_context(self._slots.hold())

            with self._snapshots() as snapshot:
                found = feeds.build_feed(
                    snapshot, wanted, self.site, looked, self._max_feed, admit
                )
            body = render_feed(found)
        return CachedResponse(
            body,
            FORMATS[wanted.format].media_type,
            found.version,
            looked,
            self.max_age,
            found.expires_at,
            feed_headers(found),
            wanted.is_canonical_feed,
            found.is_language_in_use,
        )


def feeds_blueprint(feeds: FeedService) -> Blueprint:
    """The feeds of both kinds, whole and by category."""
    blueprint = Blueprint("feeds", __name__, url_prefix="/feeds")
    site = feeds.site

    @blueprint.get("/<kind>.<format>")
    @blueprint.get("/<kind>/<selector>.<format>")
    def feed(kind: str, format: str, selector: str | None = None) -> Response:
        """One feed."""
        wanted = feeds.parse_query(
            kind, format, selector, request.args.to_dict(flat=False)
        )
        try:
            if selector is not None and selector.replace(" ", "+") != str(
                wanted.category_filter
            ):
                feeds.ensure_exists(
                    wanted
                )  # a category that there is not is no redirect
                return moved(wanted)
            return conditional_response(
                *feeds.get_response(wanted, cache_key(request.environ))
            )
        except FeedMoved as error:
            return moved(moved_to(wanted, error))

    @blueprint.get("/<kind>")
    def section(kind: str) -> Response:
        """The page of a section."""
        if kind not in KINDS:
            raise NotFound("There is no such feed.")
        return redirect(f"{site.public_url}/feeds/{kind}.html")

    @blueprint.get("")
    @blueprint.get("/")
    def all_feeds() -> Response:
        """The directory of all."""
        return redirect(f"{site.public_url}/")

    def moved(to: FeedQuery) -> Response:
        """A redirect to the canonical spelling of a selector, with the query as it was asked."""
        return redirect(
            site.public_url + FeedQuery(to.kind, to.format, to.category_filter).path
        )

    def redirect(url: str) -> Response:
        """A permanent redirect that keeps the query."""
        asked = request.query_string.decode("latin-1")
        headers = {
            "Location": f"{url}?{asked}" if asked else url,
            "Cache-Control": f"public, max-age={feeds.max_age}",
        }
        return Response(status=301, headers=headers)

    return blueprint


def moved_to(query: FeedQuery, error: FeedMoved) -> FeedQuery:
    """Return what a query has become where its selector has changed."""
    return replace(query, category_filter=error.category_filter)


def feed_headers(feed: Feed) -> tuple[tuple[str, str], ...]:
    """What is said of a feed beside its validators: its own URL and its hubs (WebSub §4), and that crawlers
    need not keep it."""
    found = [("Link", f'<{feed.self_url}>; rel="self"')]
    found += [("Link", f'<{hub}>; rel="hub"') for hub in feed.hubs]
    if feed.query.format == "html" and not feed.query.is_canonical_feed:
        found.append(("X-Robots-Tag", "noindex"))
    return tuple(found)
