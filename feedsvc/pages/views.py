"""Pages: the front page, and a page for each entry."""

from datetime import timedelta

from flask import Blueprint, Response, request
from sqlalchemy.orm import Session

from feedsvc.concurrency import limit_work
from feedsvc.errors import Gone, NotFound
from feedsvc.feeds.cached_response import PAGE_MAX_AGE, CachedResponse
from feedsvc.feeds.query import (
    FORMATS,
    MAX_TERMS,
    CategoryFilter,
    FeedQuery,
)
from feedsvc.formats import ics
from feedsvc.models import KINDS, Entry
from feedsvc.pages.agenda import build_agenda
from feedsvc.pages.html import render_entry, render_front_page, render_list
from feedsvc.pages.lists import build_list, build_list_page, listed_categories
from feedsvc.pages.responses import (
    LIST_HEADERS,
    NOINDEX,
    UNINDEXED_HEADERS,
    cached_page,
    requested_language,
)
from feedsvc.pages.values import PageLanguages, list_language
from feedsvc.services import Services, current_services
from feedsvc.storage.categories import Categories
from feedsvc.storage.changes import read_validity
from feedsvc.storage.entries import (
    SELECT_STAMPS,
    find_entry,
    read_entries,
    read_stamps,
)
from feedsvc.storage.tables import EntryRow
from feedsvc.text.languages import UI_LANGUAGES
from feedsvc.web.feeds import feed_response, link_headers, request_query
from feedsvc.web.responses import conditional_response, redirect_language

#: Changes so soon after its publication are not told on the page of an entry.
_SOON_AFTER = timedelta(minutes=1)

#: Related entries on the page of an entry.
MAX_RELATED = 3

#: Entries of its categories among which related ones are; some may be withdrawn.
_RELATED_CANDIDATES = 8

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def show_front_page() -> Response:
    """Answer with the next events, the newest articles, and the categories."""
    config = current_services().config
    site = config.site
    lang = requested_language()
    languages = PageLanguages.of(site, lang, request.args.get("ui"))
    parameters = {"lang": lang, "ui": languages.ui}

    def render(session: Session) -> tuple[bytes, bool]:
        redirect_language(session, KINDS, lang)
        news, events = (
            FeedQuery(kind, FORMATS["html"], parameters=parameters) for kind in KINDS
        )
        articles = build_list(session, news, site)
        agenda = build_agenda(session, events, site)
        categories = Categories(session)
        slugs = {
            kind: listed_categories(categories, kind, site, lang) for kind in KINDS
        }
        top = [row.category for row in categories.rows if not row.parent_id]
        body = render_front_page(articles, agenda, top, slugs, config.pages, languages)
        return body, articles.is_plain

    return conditional_response(cached_page("/", parameters, render))


@blueprint.get("/feeds/<kind>.html")
@blueprint.get("/feeds/<kind>/<category_filter>.html")
def show_list(kind: str, category_filter: str = "") -> Response:
    """Answer with the page of a list, or redirect to its canonical URL."""
    query, is_canonical = request_query(kind, "html", category_filter)
    site = current_services().site
    languages = PageLanguages.of(site, query["lang"], query["ui"])
    query = query.with_parameters(ui=languages.ui)
    return feed_response(query, is_canonical, _render_list)


def _render_list(services: Services, query: FeedQuery) -> CachedResponse:
    """Render the page of a list; raise what `build_feed` raises."""
    with limit_work(), services.database.read() as session:
        redirect_language(session, [query.kind], query["lang"])
        # The page leads to entries of the other kind.
        validity = read_validity(session, *KINDS)
        page = build_list_page(session, query, services.site)
        body = render_list(page, services.config.pages)
    headers = link_headers(page) + LIST_HEADERS
    due_times = [each for each in (validity.due_at, page.due_at) if each]
    return CachedResponse(
        body,
        query.format.media_type,
        validity.revision,
        min(due_times, default=None),
        PAGE_MAX_AGE,
        # Crawlers should index only the pages of sections and categories.
        headers=headers if page.is_plain else (*headers, NOINDEX),
    )


@blueprint.get("/entries/<id>")
def show_entry(id: str) -> Response:
    """Answer with the page of an entry, or its preview with a signed link."""
    if "preview" in request.args:
        return _preview(id, request.args["preview"])

    def render(session: Session) -> tuple[bytes, bool]:
        return _entry_page(session, _find_public_entry(session, id))

    ui = request.args.get("ui")
    parameters = {"ui": ui if ui in UI_LANGUAGES else None}
    return conditional_response(cached_page(f"/entries/{id}", parameters, render))


@blueprint.get("/entries/<id>.ics")
def show_calendar(id: str) -> Response:
    """Answer with the calendar of an event."""
    site = current_services().site

    def render(session: Session) -> tuple[bytes, bool]:
        # Whoever has saved an event learns of its withdrawal from its calendar.
        row = _find_public_entry(session, id, with_withdrawn=True)
        entry = row.entry.public_view()
        if entry.event is None:
            raise NotFound(f"“{id}” is not an event.")
        return ics.render_event(entry, site), True

    try:
        media_type = FORMATS["ics"].media_type
        return conditional_response(
            cached_page(f"/entries/{id}.ics", {}, render, media_type)
        )
    except NotFound:
        # The id of another entry may end in “.ics”.
        return show_entry(f"{id}.ics")


def _preview(id: str, signature: str) -> Response:
    """Answer with the page of an entry as readers will see it.

    :raises NotFound: there is no such entry, it was withdrawn, or the signature is
        wrong or too old.
    """
    services = current_services()
    with services.database.read() as session:
        row = find_entry(session, id)
        is_signed = services.is_valid_preview(session, id, signature)
        if row is None or row.status in ("deleted", "withdrawn") or not is_signed:
            raise NotFound(f"There is no entry “{id}”.")
        body, _ = _entry_page(session, row)
    return Response(
        body,
        mimetype=FORMATS["html"].media_type,
        headers=list(UNINDEXED_HEADERS),
    )


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


def _entry_page(session: Session, row: EntryRow) -> tuple[bytes, bool]:
    """Return the page of an entry, and if crawlers may index it."""
    config, ui = current_services().config, request.args.get("ui")
    site = config.site
    lang = list_language(site, row.entry.language)
    languages = PageLanguages.of(site, lang, ui, row.entry.language)
    statement = SELECT_STAMPS.where(EntryRow.pk == row.pk)
    (entry,) = read_entries(session, read_stamps(session, statement).values())
    slugs = [category.slug for category in entry.categories[:MAX_TERMS]]
    related: list[Entry] = []
    if slugs:
        query = FeedQuery(
            entry.kind,
            FORMATS["html"],
            CategoryFilter.create(slugs),
            {
                "limit": _RELATED_CANDIDATES,
                "lang": lang,
                "cancelled": "hide",
            },
        )
        related = [
            candidate
            for candidate in build_list(session, query, site).entries
            if candidate.id != entry.id and candidate.status != "withdrawn"
        ]
    # An import has the dates of its source.
    is_changed = (row.version > 1 or row.is_imported) and (
        entry.updated - entry.date > _SOON_AFTER
    )
    body = render_entry(
        entry,
        related[:MAX_RELATED],
        site,
        config.pages,
        languages,
        is_changed=is_changed,
    )
    return body, languages.ui is None
