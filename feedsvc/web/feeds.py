"""Feeds: every URL below `/feeds`, in every format."""

from collections.abc import Callable
from functools import partial

from flask import Blueprint, Response, request

from feedsvc.concurrency import limit_work
from feedsvc.errors import NotFound
from feedsvc.feeds.build import (
    build_feed,
    resolve_filter,
)
from feedsvc.feeds.cached_response import (
    FEED_SHARED_MAX_AGE,
    CachedResponse,
)
from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS, FeedMoved, FeedQuery, parse_feed_query
from feedsvc.formats import render_feed
from feedsvc.models import KINDS
from feedsvc.services import Services, current_services
from feedsvc.storage.categories import Categories
from feedsvc.storage.changes import read_validity
from feedsvc.storage.entries import read_entries
from feedsvc.web.responses import (
    conditional_response,
    redirect,
    redirect_language,
)

#: Makes the response of a query.
Render = Callable[[Services, FeedQuery], CachedResponse]

blueprint = Blueprint("feeds", __name__, url_prefix="/feeds")


@blueprint.get("/<kind>.<suffix>")
@blueprint.get("/<kind>/<category_filter>.<suffix>")
def show_feed(kind: str, suffix: str, category_filter: str = "") -> Response:
    """Answer with a feed, or redirect to its canonical URL."""
    query, is_canonical = request_query(kind, suffix, category_filter)
    return feed_response(query, is_canonical, _render)


def request_query(
    kind: str, suffix: str, category_filter: str
) -> tuple[FeedQuery, bool]:
    """Return the query of the request's URL, and if that is the canonical one.

    :raises NotFound: there is no such kind or format.
    :raises BadRequest: see `parse_feed_query`.
    """
    if suffix not in FORMATS or kind not in FORMATS[suffix].kinds:
        raise _no_such_feed(kind)
    services = current_services()
    return parse_feed_query(
        kind,
        FORMATS[suffix],
        category_filter,
        request.args.to_dict(flat=False),
        services.site.day_of(services.clock()),
    )


def feed_response(query: FeedQuery, is_canonical: bool, render: Render) -> Response:
    """Return the response with a feed or the page of a list, or a redirect to its URL.

    :param render: makes the response that is cached.
    """
    services = current_services()
    try:
        if not is_canonical:
            # A category that does not exist is 404 at once, without a redirect.
            with services.database.read() as session:
                resolve_filter(Categories(session), query)
            return redirect(query.path)
        response = services.cache.get_or_render(
            query.path, lambda: render(services, query)
        )
    except FeedMoved as error:
        return redirect(error.path, is_permanent=error.is_permanent)
    return conditional_response(response)


@blueprint.get("/<kind>")
@blueprint.get("/<kind>/<category_filter>")
def redirect_to_section(kind: str, category_filter: str = "") -> Response:
    """Redirect to the page of a section; the URL of a category needs a format."""
    if kind not in KINDS or category_filter:
        raise _no_such_feed(kind)
    return redirect(f"/feeds/{kind}.html")


@blueprint.get("")
@blueprint.get("/")
def redirect_to_front_page() -> Response:
    """Redirect to the front page."""
    return redirect("/")


def _render(services: Services, query: FeedQuery) -> CachedResponse:
    """Render the response of a feed.

    :raises NotFound: a category or the page does not exist.
    :raises Gone: a category was deleted.
    :raises FeedMoved: a category was renamed.
    :raises FeedsvcError: too many such feeds are rendered at the same time.
    """
    with (
        limit_work(),
        services.database.read() as session,
    ):
        redirect_language(session, [query.kind], query["lang"])
        validity = read_validity(session, query.kind)
        feed = build_feed(session, query, services.site)
        body = render_feed(feed, services.fragments, partial(read_entries, session))
    due_times = [each for each in (validity.due_at, feed.due_at) if each]
    return CachedResponse(
        body,
        query.format.media_type,
        validity.revision,
        min(due_times, default=None),
        max_age=services.site.poll_minutes * 60,
        shared_max_age=FEED_SHARED_MAX_AGE,
        headers=link_headers(feed),
        kinds=(query.kind,),
    )


def link_headers(feed: Feed) -> tuple[tuple[str, str], ...]:
    """Return the links to the feed, its pages (RFC 5005 §3) and hubs (WebSub §4)."""
    links = [
        ("self", feed.self_url),
        *(("hub", hub) for hub in feed.hubs),
        ("next", feed.next_url),
        ("previous", feed.previous_url),
    ]
    return tuple(("Link", f'<{url}>; rel="{rel}"') for rel, url in links if url)


def _no_such_feed(kind: str) -> NotFound:
    """Return the error for an unknown kind, or else an unknown format."""
    if kind in KINDS:
        known = [name for name in FORMATS if kind in FORMATS[name].kinds]
        hint = f"The formats are {', '.join(known)}."
    else:
        hint = f"The kinds are {', '.join(KINDS)}."
    return NotFound(f"There is no such feed. {hint}")
