"""`/feeds/…`: every feed in every format."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from flask import Blueprint, Response, request

from feedsvc import query, select
from feedsvc.deliver.caching import A_DAY, Answer, respond
from feedsvc.deliver.hot import address
from feedsvc.deliver.kept import Kept
from feedsvc.errors import NotFound, Renamed
from feedsvc.model import Clock, Feed, Site
from feedsvc.query import KINDS, FeedQuery, Selector
from feedsvc.render import FORMATS, render

Snapshots = Callable[[], AbstractContextManager[select.Snapshot]]
"""Opens a snapshot of the store."""


def feeds_blueprint(snapshots: Snapshots, kept: Kept, site: Site, clock: Clock, max_age: int) -> Blueprint:
    """The feeds of both kinds, whole and by category."""
    blueprint = Blueprint("feeds", __name__, url_prefix="/feeds")

    @blueprint.get("/<kind>.<format>")
    @blueprint.get("/<kind>/<selector>.<format>")
    def feed(kind: str, format: str, selector: str | None = None) -> Response:
        """One feed."""
        if kind not in KINDS or format not in FORMATS or kind not in FORMATS[format].kinds:
            raise NotFound("There is no such feed.")
        wanted = query.parse(kind, format, selector, request.args.to_dict(flat=False), site.language)
        try:
            if selector is not None and selector.replace(" ", "+") != str(wanted.selector):
                find(wanted)  # a category that there is not is no redirect
                return moved(wanted)
            answer, looked = kept.answer(address(request.environ), wanted.path, partial(make, wanted))
        except Renamed as error:
            return moved(replace(wanted, selector=Selector.parse(error.new)))
        return respond(answer, request.environ, looked)

    def make(wanted: FeedQuery) -> Answer:
        """The answer of a feed, rendered."""
        looked = clock()
        found = find(wanted)
        return Answer(
            render(found),
            FORMATS[wanted.format].media_type,
            found.updated,
            looked,
            A_DAY if found.lasting else max_age,
            found.due,
            headers_of(found),
            found.topics,
            found.seq,
            wanted.is_plain,
        )

    def find(wanted: FeedQuery) -> Feed:
        with snapshots() as snapshot:
            return select.feed(snapshot, wanted, site, clock())

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
        return redirect(site.public_url + FeedQuery(to.kind, to.format, to.selector).path)

    def redirect(url: str) -> Response:
        """A permanent redirect that keeps the query."""
        asked = request.query_string.decode("latin-1")
        headers = {
            "Location": f"{url}?{asked}" if asked else url,
            "Cache-Control": f"public, max-age={max_age}",
        }
        return Response(status=301, headers=headers)

    return blueprint


def headers_of(feed: Feed) -> tuple[tuple[str, str], ...]:
    """What is said of a feed beside its validators: its own URL and its hubs (WebSub §4), and that crawlers
    need not keep it."""
    found = [("Link", f'<{feed.self_url}>; rel="self"')]
    found += [("Link", f'<{hub}>; rel="hub"') for hub in feed.hubs]
    if feed.query.format == "html" and not feed.query.is_plain:
        found.append(("X-Robots-Tag", "noindex"))
    return tuple(found)
