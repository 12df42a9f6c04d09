"""The page of an error."""

from flask import Response, request
from sqlalchemy.orm import Session

from feedsvc import errors
from feedsvc.feeds.query import FORMATS, FeedQuery
from feedsvc.pages.html import render_page
from feedsvc.pages.lists import build_list
from feedsvc.pages.responses import PAGE_HEADERS, cached_page
from feedsvc.pages.values import PageLanguages
from feedsvc.services import current_services
from feedsvc.web.errors import UNAVAILABLE


def error_page(status: int, detail: str, error: Exception) -> Response:
    """Return the response with the page of an exception."""
    config = current_services().config
    site = config.site
    lang, ui = request.args.get("lang"), request.args.get("ui")
    languages = PageLanguages.of(site, lang, ui)
    page = render_page(
        "error.html",
        site,
        config.pages,
        languages,
        newest=_newest(languages) if status in (404, 410) else "",
        status=status,
        detail=detail,
        notice=error.reason if isinstance(error, errors.Gone) else "",
        parameter=error.parameter if isinstance(error, errors.BadRequest) else "",
        # Links are relative, since the page may be read under another host or prefix.
        root="/".join([".."] * (request.path.count("/") - 1)) or ".",
    )
    return Response(page, status, PAGE_HEADERS, mimetype="text/html")


def _newest(languages: PageLanguages) -> str:
    """Return the newest articles as HTML, from the cache: anyone can miss a page."""
    config = current_services().config
    site = config.site
    parameters = {"lang": languages.lists, "ui": languages.ui}
    query = FeedQuery("news", FORMATS["html"], parameters={**parameters, "limit": 3})

    def render(session: Session) -> tuple[bytes, bool]:
        articles = build_list(session, query, site)
        page = render_page("_newest.html", site, config.pages, languages, feed=articles)
        return page, False

    try:
        return cached_page("newest", parameters, render).body.decode()
    except UNAVAILABLE:
        # The page is missing in any case.
        return ""
