"""The view of the list of all feeds."""

from flask import Blueprint, Response
from sqlalchemy.orm import Session

from feedsvc.concurrency import limit_work
from feedsvc.extensions.opml.document import MEDIA_TYPE, render_opml
from feedsvc.models import KINDS
from feedsvc.pages.lists import categories_with_entries
from feedsvc.pages.responses import cached_page, requested_language
from feedsvc.services import current_services
from feedsvc.storage.categories import Categories
from feedsvc.storage.changes import read_validity
from feedsvc.storage.sets import is_in_language
from feedsvc.web.responses import conditional_response, redirect_language

blueprint = Blueprint("opml", __name__)


@blueprint.get("/feeds.opml")
def show_opml() -> Response:
    """Answer with the list of all feeds for feed readers."""
    services = current_services()
    site = services.site
    lang = requested_language()

    def render(session: Session) -> tuple[bytes, bool]:
        redirect_language(session, KINDS, lang)
        is_shown = is_in_language(lang, site.languages if lang else ())
        with limit_work():
            categories = Categories(session)
            slugs = {
                kind: categories_with_entries(categories, kind, is_shown)
                for kind in KINDS
            }
            modified = read_validity(session, *KINDS).revision
            body = render_opml(site, categories.all(), slugs, modified, lang)
        return body, True

    return conditional_response(
        cached_page("/feeds.opml", {"lang": lang}, render, MEDIA_TYPE)
    )
