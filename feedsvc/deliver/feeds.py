"""`/feeds/…`: every feed in every format."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

from flask import Blueprint, Response, request

from feedsvc import select
from feedsvc.deliver.caching import Answer, respond
from feedsvc.errors import NotFound, Renamed
from feedsvc.model import KINDS, Clock, FeedQuery, Site
from feedsvc.render import FORMATS

Snapshots = Callable[[], AbstractContextManager[select.Snapshot]]
"""Opens a snapshot of the store."""


def feeds_blueprint(snapshots: Snapshots, site: Site, clock: Clock, max_age: int) -> Blueprint:
    """The feeds of both kinds, whole and by category."""
    blueprint = Blueprint("feeds", __name__, url_prefix="/feeds")

    @blueprint.get("/<kind>.<format>")
    @blueprint.get("/<kind>/<category>.<format>")
    def feed(kind: str, format: str, category: str | None = None) -> Response:
        """One feed."""
        if kind not in KINDS or format not in FORMATS or kind not in FORMATS[format].kinds:
            raise NotFound("There is no such feed.")
        query = FeedQuery(kind, format, category)
        try:
            return respond(answer(query), request, max_age)
        except Renamed as error:
            return moved(site.public_url + replace(query, category=error.new).path)

    def moved(url: str) -> Response:
        """A permanent redirect that keeps the query."""
        asked = request.query_string.decode("latin-1")
        headers = {
            "Location": f"{url}?{asked}" if asked else url,
            "Cache-Control": f"public, max-age={max_age}",
        }
        return Response(status=301, headers=headers)

    def answer(query: FeedQuery) -> Answer:
        looked = clock()
        with snapshots() as snapshot:
            found = select.feed(snapshot, query, site, looked)
        form = FORMATS[query.format]
        return Answer(form.render(found), form.media_type, found.updated, looked, found.due)

    @blueprint.after_request
    def name_itself(response: Response) -> Response:
        """The Link header that names the feed's canonical URL (RFC 8288)."""
        if response.status_code in (200, 304):
            response.headers["Link"] = f'<{site.public_url}{request.path}>; rel="self"'
        return response

    return blueprint
