"""Feeds: every URL below `/feeds`, in every format."""

from dataclasses import replace
from functools import partial

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from feedsvc.errors import NotFound
from feedsvc.feeds.build import (
    build_directory,
    build_feed,
    build_list,
    resolve_filter,
)
from feedsvc.feeds.cached_response import (
    FEED_SHARED_MAX_AGE,
    PAGE_MAX_AGE,
    CachedResponse,
)
from feedsvc.feeds.feed import Feed
from feedsvc.feeds.query import FORMATS, FeedMoved, FeedQuery, parse_feed_query
from feedsvc.formats import render_feed
from feedsvc.models import KINDS, PageLanguages
from feedsvc.services import Services, current_services
from feedsvc.storage.categories import Categories
from feedsvc.storage.changes import read_validity
from feedsvc.storage.entries import read_entries
from feedsvc.web.responses import (
    LIST_HEADERS,
    NOINDEX,
    conditional_response,
    redirect,
    redirect_language,
)

#: A number of events of usual length for which a calendar has room.
_SHORT_CALENDAR = 500


blueprint = Blueprint("feeds", __name__, url_prefix="/feeds")


@blueprint.get("/<kind>.<suffix>")
@blueprint.get("/<kind>/<category_filter>.<suffix>")
def show_feed(kind: str, suffix: str, category_filter: str = "") -> Response:
    """Answer with a feed, or redirect to its canonical URL."""
    if suffix not in FORMATS or kind not in FORMATS[suffix].kinds:
        raise _no_such_feed(kind)
    services = current_services()
    site = services.site
    query, is_canonical = parse_feed_query(
        kind,
        FORMATS[suffix],
        category_filter,
        request.args.to_dict(flat=False),
        site,
        site.day_of(services.clock()),
    )
    try:
        if not is_canonical:
            # A category that does not exist is 404 at once, without a redirect.
            with services.database.read() as session:
                resolve_filter(Categories(session), query)
            return redirect(query.path)
        response = services.cache.get_or_render(
            query.path, lambda: _render(services, query)
        )
    except FeedMoved as error:
        return redirect(str(error))
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
    :raises TooManySearches: it is one, and others run.
    """
    with (
        services.concurrency.limit_searches(query["q"]),
        services.database.read() as session,
    ):
        # Pages of a category lead to its entries of the other kind.
        kinds = KINDS if query.format.is_page else (query.kind,)
        redirect_language(session, [query.kind], query["lang"])
        validity = read_validity(session, *kinds)
        if query.format.is_page:
            feed = build_list(session, query, services.site)
            feed = replace(
                feed,
                has_long_calendar=_has_long_calendar(session, feed),
                directory=build_directory(session, feed),
            )
        else:
            feed = build_feed(session, query, services.site)
        body = render_feed(feed, services.parts, partial(read_entries, session))
    due_times = [each for each in (validity.due_at, feed.due_at) if each]
    # Programs poll feeds, but people reload pages.
    is_page = query.format.is_page
    return CachedResponse(
        body,
        query.format.media_type,
        validity.revision,
        min(due_times, default=None),
        max_age=PAGE_MAX_AGE if is_page else services.site.poll_minutes * 60,
        shared_max_age=None if is_page else FEED_SHARED_MAX_AGE,
        headers=_feed_headers(feed),
        kinds=kinds,
    )


def _has_long_calendar(session: Session, feed: Feed) -> bool:
    """Tell if the calendar of a page may have no room for all events ahead.

    It is not rendered to know it: that takes many times as long as the page. Searches
    and days select few events.
    """
    query = feed.query
    is_short = query["q"] or feed.first_day or feed.last_day
    if query["when"] != "upcoming" or is_short:
        return False
    languages = PageLanguages.of(feed.site, query["lang"], query["ui"])
    # The page behind that many, of one event each, exists if there are more.
    following = query.with_parameters(
        lang=languages.feeds, limit=1, page=_SHORT_CALENDAR + 1
    )
    try:
        build_feed(session, following, feed.site)
    except NotFound:
        return False
    return True


def _feed_headers(feed: Feed) -> tuple[tuple[str, str], ...]:
    """Return the headers that only feeds have.

    They are the links to the feed, its pages (RFC 5005 §3) and its hubs (WebSub §4).
    Of pages, crawlers should index only those of sections and categories.
    """
    links = [
        ("self", feed.self_url),
        *(("hub", hub) for hub in feed.hubs),
        ("next", feed.next_url),
        ("previous", feed.previous_url),
    ]
    headers = [("Link", f'<{url}>; rel="{rel}"') for rel, url in links if url]
    if feed.query.format.is_page:
        headers += LIST_HEADERS
        if not feed.is_plain:
            headers.append(NOINDEX)
    return tuple(headers)


def _no_such_feed(kind: str) -> NotFound:
    """Return the error for an unknown kind, or else an unknown format."""
    if kind in KINDS:
        known = [name for name in FORMATS if kind in FORMATS[name].kinds]
        hint = f"The formats are {', '.join(known)}."
    else:
        hint = f"The kinds are {', '.join(KINDS)}."
    return NotFound(f"There is no such feed. {hint}")
