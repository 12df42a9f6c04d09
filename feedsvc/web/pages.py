"""Pages: the front page, OPML, and a page for each entry."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from feedsvc.errors import Gone, NotFound
from feedsvc.feeds.build import build_feed, newest_by_category
from feedsvc.feeds.query import FORMATS, MAX_TERMS, CategoryFilter, FeedQuery
from feedsvc.feeds.response import CachedResponse
from feedsvc.formats import ics, opml
from feedsvc.formats.html import render_entry, render_front_page
from feedsvc.models import KINDS, Entry, Site
from feedsvc.services import current_services
from feedsvc.storage.categories import Categories
from feedsvc.storage.database import read_revisions
from feedsvc.storage.entries import (
    find_entry,
    read_validity,
    with_translations,
)
from feedsvc.storage.tables import EntryRow
from feedsvc.web.responses import (
    NOINDEX,
    PAGE_HEADERS,
    PAGE_MAX_AGE,
    conditional_response,
    requested_language,
)

#: Related entries on the page of an entry.
MAX_RELATED = 3

#: Entries of its categories among which related ones are; some may be withdrawn.
_RELATED_CANDIDATES = 8

Render = Callable[[Session], bytes]


blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def show_front_page() -> Response:
    """Answer with the newest articles, the next events, and all categories."""
    site = current_services().site
    ui = requested_language(site)

    def render(session: Session) -> bytes:
        page = FORMATS["html"]
        articles = build_feed(session, FeedQuery("news", page), site)
        events = build_feed(session, FeedQuery("events", page), site)
        categories = Categories(session)
        newest = newest_by_category(session, categories)
        return render_front_page(
            articles, events, categories.all(), newest, ui
        )

    return _cached_response("/", render, ui)


@blueprint.get("/feeds.opml")
def show_opml() -> Response:
    """Answer with the list of all feeds for feed readers."""
    site = current_services().site

    def render(session: Session) -> bytes:
        categories = Categories(session)
        newest = newest_by_category(session, categories)
        modified = read_revisions(session).of(KINDS)
        return opml.render(site, categories.all(), newest, modified)

    return _cached_response("/feeds.opml", render, media_type=opml.MEDIA_TYPE)


@blueprint.get("/entries/<id>")
def show_entry(id: str) -> Response:
    """Answer with the page of an entry, or its preview with a signed link."""
    site = current_services().site
    ui = requested_language(site)
    if "preview" in request.args:
        return _preview(id, request.args["preview"], ui)

    def render(session: Session) -> bytes:
        return _entry_page(session, _find_public_entry(session, id), site, ui)

    return _cached_response(f"/entries/{id}", render, ui)


@blueprint.get("/entries/<id>.ics")
def show_calendar(id: str) -> Response:
    """Answer with the calendar of an event."""
    site = current_services().site

    def render(session: Session) -> bytes:
        # Whoever has saved an event learns of its withdrawal from its calendar.
        row = _find_public_entry(session, id, with_withdrawn=True)
        entry = row.entry.public_view()
        if entry.event is None:
            raise NotFound(f"“{id}” is not an event.")
        return ics.render_event(entry, site)

    try:
        media_type = FORMATS["ics"].media_type
        return _cached_response(
            f"/entries/{id}.ics", render, media_type=media_type
        )
    except NotFound:
        # The id of another entry may end in “.ics”.
        return show_entry(f"{id}.ics")


def _cached_response(
    path: str,
    render: Render,
    ui: str | None = None,
    media_type: str = FORMATS["html"].media_type,
) -> Response:
    """Answer from the cache, or render the page from one snapshot.

    :param path: equal for all spellings of the page's URL.
    """
    services = current_services()
    url = quote(path) + (f"?ui={ui}" if ui else "")

    def render_response() -> CachedResponse:
        with services.database.read() as session:
            validity = read_validity(session, *KINDS)
            body = render(session)
        # Crawlers index each page once, in the site's language.
        headers = (*PAGE_HEADERS, NOINDEX) if ui else PAGE_HEADERS
        return CachedResponse(
            body,
            media_type,
            validity.revision,
            validity.due_at,
            PAGE_MAX_AGE,
            headers=headers,
        )

    response = services.cache.get_or_render(url, render_response)
    return conditional_response(response, services.clock())


def _preview(id: str, signature: str, ui: str | None) -> Response:
    """Answer with the page of an entry as readers will see it.

    :raises NotFound: there is no such entry, it was withdrawn, or the signature is
        wrong or too old.
    """
    services = current_services()
    with services.database.read() as session:
        row = find_entry(session, id)
        is_signed = services.is_valid_preview(session, id, signature)
        if (
            row is None
            or row.status in ("deleted", "withdrawn")
            or not is_signed
        ):
            raise NotFound(f"There is no entry “{id}”.")
        body = _entry_page(session, row, services.site, ui)
    headers = [*PAGE_HEADERS, NOINDEX]
    return Response(body, mimetype=FORMATS["html"].media_type, headers=headers)


def _find_public_entry(
    session: Session, id: str, *, with_withdrawn: bool = False
) -> EntryRow:
    """Return the public entry of an id.

    :param with_withdrawn: return a withdrawn one too, while feeds show its notice.
    :raises NotFound: there is none, or it was never public.
    :raises Gone: it was deleted, expired or withdrawn; `reason` is its notice.
    """
    row = find_entry(session, id)
    # The response must not tell that a draft exists.
    if row is None or not row.was_public:
        raise NotFound(f"There is no entry “{id}”.")
    if row.status == "deleted":
        raise Gone(f"The entry “{id}” was deleted.")
    if row.status == "withdrawn" and not (with_withdrawn and row.is_public):
        notice = row.entry.notice
        message = notice or f"The entry “{id}” was withdrawn."
        raise Gone(message, reason=notice or "")
    if not row.is_public:
        raise Gone(f"The entry “{id}” is no longer public.")
    return row


def _entry_page(
    session: Session, row: EntryRow, site: Site, ui: str | None
) -> bytes:
    (entry,) = with_translations(session, [row.entry.public_view()])
    slugs = [category.slug for category in entry.categories[:MAX_TERMS]]
    related: list[Entry] = []
    if slugs:
        query = FeedQuery(
            entry.kind, FORMATS["html"], CategoryFilter.create(slugs)
        )
        query = query.with_parameters(
            limit=_RELATED_CANDIDATES, cancelled="hide"
        )
        related = [
            candidate
            for candidate in build_feed(session, query, site).entries
            if candidate.id != entry.id and candidate.status != "withdrawn"
        ]
    return render_entry(entry, related[:MAX_RELATED], site, ui)
