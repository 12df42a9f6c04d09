"""Feeds: every URL below `/feeds`, in every format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from flask import Blueprint, Response, request

from feedsvc.errors import FeedMoved, NotFound
from feedsvc.feed_query import (
    FORMATS,
    KINDS,
    PARAMETERS,
    FeedQuery,
    parse_feed_query,
)
from feedsvc.feeds import build_feed
from feedsvc.feeds.response_cache import CacheHit, ResponseCache, cache_key
from feedsvc.formats import render_feed
from feedsvc.http.conditional import CachedResponse, conditional_response
from feedsvc.http.headers import LIST_POLICY
from feedsvc.http.response_slots import ResponseSlots
from feedsvc.models import Clock, Feed, Site
from feedsvc.storage import Storage
from feedsvc.suggestions import did_you_mean

LARGE_DOCUMENT = 512 * 1024
"""Estimated bytes from which a document is rendered in one of few slots."""


class FeedService:
    """Parse the URLs of feeds, and return their responses.

    :param max_feed: maximum bytes of a document.
    """

    def __init__(
        self,
        storage: Storage,
        cache: ResponseCache,
        site: Site,
        clock: Clock,
        max_age: int,
        max_feed: int,
    ) -> None:
        self.site = site
        self.max_age = max_age
        self._storage = storage
        self._cache = cache
        self._clock = clock
        self._max_feed = max_feed
        self._slots = ResponseSlots()

    def parse_query(
        self,
        kind: str,
        format: str,
        category_filter: str | None,
        given: Mapping[str, Sequence[str]],
    ) -> FeedQuery:
        """Return the canonical query of the parts of a URL.

        :param given: the values of each parameter.
        :raises NotFound: there is no such kind or format.
        :raises BadRequest: another part is not valid.
        """
        if format not in _formats_of(kind):
            raise _no_such_feed(kind, format)
        today = self._clock().astimezone(self.site.timezone).date()
        return parse_feed_query(
            kind, format, category_filter, given, self.site.language, today
        )

    def get_response(self, query: FeedQuery, key: str = "") -> CacheHit:
        """Return the response of a feed, from the cache or rendered.

        :param key: another spelling of the feed's URL; the cache learns it.
        :raises NotFound: a category does not exist.
        :raises Gone: a category was retired, without which nothing is left.
        :raises FeedMoved: a category was renamed or retired.
        """
        path = query.path
        return self._cache.get_or_render(
            key or path, path, partial(self._render, query)
        )

    def ensure_exists(self, query: FeedQuery) -> None:
        """Check that the categories of a feed exist; raises as `get_response`."""
        with self._storage.reader() as reader:
            reader.select_feed(query, self._clock())

    def _render(self, query: FeedQuery) -> CachedResponse:
        now = self._clock()
        # The slot is held until the document is rendered, but the snapshot and its
        # connection only until the entries are loaded.
        with ExitStack() as slot:

            def wait_if_large(size: int) -> None:
                if size >= LARGE_DOCUMENT:
                    slot.enter_context(self._slots.hold())

            with self._storage.reader() as reader:
                feed = build_feed(
                    reader, query, self.site, now, self._max_feed, wait_if_large
                )
            body = render_feed(feed)
        # Readers poll feeds, but people reload pages.
        form = FORMATS[query.format]
        return CachedResponse(
            body,
            form.media_type,
            feed.version,
            checked_at=now,
            max_age=self.max_age if form.is_page else self.site.poll_minutes * 60,
            shared_max_age=None if form.is_page else self.max_age,
            expires_at=feed.expires_at,
            headers=feed_headers(feed),
            is_pinned=query.is_canonical_feed,
            has_free_text=query.has_free_text,
            # Of languages that no entry has, any number can be asked for.
            is_cacheable=feed.is_language_in_use,
        )


def feeds_blueprint(feeds: FeedService) -> Blueprint:
    """Return the blueprint of feeds and of the redirects to them."""
    blueprint = Blueprint("feeds", __name__, url_prefix="/feeds")

    @blueprint.get("/<kind>.<format>")
    @blueprint.get("/<kind>/<category_filter>.<format>")
    def feed(kind: str, format: str, category_filter: str | None = None) -> Response:
        """Answer with a feed, or redirect to its canonical URL."""
        given = request.args.to_dict(flat=False)
        query = feeds.parse_query(kind, format, category_filter, given)
        try:
            if not _is_canonical(category_filter, given, query):
                # Before the redirect, so that a category that does not exist is 404.
                feeds.ensure_exists(query)
                return redirect_to_canonical(query)
            hit = feeds.get_response(query, cache_key(request.environ))
        except FeedMoved as error:
            return redirect_to_canonical(
                replace(query, category_filter=error.category_filter)
            )
        return conditional_response(*hit)

    @blueprint.get("/<kind>")
    @blueprint.get("/<kind>/<category_filter>")
    def feed_without_format(kind: str, category_filter: str = "") -> Response:
        """Redirect to the page of a section; the URL of a category needs a format."""
        if category_filter or kind not in KINDS:
            raise _no_such_feed(kind)
        return redirect(_with_query_string(f"/feeds/{kind}.html"))

    @blueprint.get("")
    @blueprint.get("/")
    def all_feeds() -> Response:
        """Redirect to the directory."""
        return redirect(_with_query_string("/"))

    def redirect_to_canonical(query: FeedQuery) -> Response:
        """Redirect to the canonical category filter and free text.

        Parameters stay as sent, unless the text is what differs.
        """
        return redirect(_canonical_path(query))

    def redirect(path: str) -> Response:
        """Redirect permanently; many feed readers do not know 308."""
        headers = {
            "Location": feeds.site.public_url + path,
            "Cache-Control": f"public, max-age={feeds.max_age}",
        }
        return Response(status=301, headers=headers)

    return blueprint


def _canonical_path(query: FeedQuery) -> str:
    if not _has_canonical_text(request.args.to_dict(flat=False), query):
        return query.path
    canonical = FeedQuery(query.kind, query.format, query.category_filter)
    return _with_query_string(canonical.path)


def _with_query_string(path: str) -> str:
    """Return a path with the query string of the request, as sent."""
    query_string = request.query_string.decode("latin-1")
    return f"{path}?{query_string}" if query_string else path


def _is_canonical(
    category_filter: str | None, given: Mapping[str, Sequence[str]], query: FeedQuery
) -> bool:
    # The search field of pages leads here. The policy's form-action would not allow a
    # redirect from another host than that of the public URL.
    is_page = FORMATS[query.format].is_page
    if not is_page and not _has_canonical_text(given, query):
        return False
    if category_filter is None:
        return True
    # A decoded “+” of a URL may be a space.
    return category_filter.replace(" ", "+") == str(query.category_filter)


def _has_canonical_text(given: Mapping[str, Sequence[str]], query: FeedQuery) -> bool:
    """Return whether free text, such as a search, has its canonical spelling."""
    texts = {
        parameter.name: getattr(query, parameter.field)
        for parameter in PARAMETERS.values()
        if parameter.is_free_text
    }
    return all(given.get(name, [text]) == [text] for name, text in texts.items())


def _formats_of(kind: str) -> list[str]:
    return [name for name in FORMATS if kind in FORMATS[name].kinds]


def _no_such_feed(kind: str, format: str = "") -> NotFound:
    """Return the error for an unknown kind, or else an unknown format."""
    if kind in KINDS:
        formats = _formats_of(kind)
        hint = f"{did_you_mean(format, formats)} The formats are {', '.join(formats)}."
    else:
        hint = f"{did_you_mean(kind, KINDS)} The kinds are {', '.join(KINDS)}."
    return NotFound(f"There is no such feed.{hint}")


def feed_headers(feed: Feed) -> tuple[tuple[str, str], ...]:
    """Return the headers that only feeds have.

    They are the links to the feed and its hubs (WebSub §4); of pages, the policy that
    lets other sites frame them, and the wish that crawlers index only those of sections
    and categories.
    """
    headers = [("Link", f'<{feed.self_url}>; rel="self"')]
    headers += [("Link", f'<{hub}>; rel="hub"') for hub in feed.hubs]
    if FORMATS[feed.query.format].is_page:
        headers.append(("Content-Security-Policy", LIST_POLICY))
        if not feed.query.is_canonical_feed:
            headers.append(("X-Robots-Tag", "noindex"))
    return tuple(headers)
