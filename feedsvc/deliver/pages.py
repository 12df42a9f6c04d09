"""The pages for people: the directory of feeds, and one page for each entry."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from feedsvc.deliver.caching import Answer, respond
from feedsvc.errors import NotFound
from feedsvc.model import KINDS, Category, Clock, Entry, FeedQuery, Site
from feedsvc.render import FORMATS, words
from feedsvc.render.body import body
from feedsvc.store import Store

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' https: http:; media-src https: http:; "
    "frame-src https:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def pages_blueprint(store: Store, site: Site, clock: Clock, max_age: int) -> Blueprint:
    """The directory page and the entries' pages."""
    blueprint = Blueprint("pages", __name__, static_folder="static")

    @blueprint.get("/")
    def directory() -> Response:
        """Every section and category with its feeds."""
        looked = clock()
        with store.read() as reader:
            categories = reader.categories()
            topics = [("categories", None), *((kind, None) for kind in KINDS)]
            modified = reader.last_change(topics)
        sections = [(words.phrase(site.language, kind), feeds_of(kind, categories)) for kind in KINDS]
        page = render_template("directory.html", site=site, sections=sections)
        return respond(Answer(page.encode(), "text/html", modified, looked), request, max_age)

    def feeds_of(kind: str, categories: list[Category]) -> list[tuple[str, list[tuple[str, str, str]]]]:
        """The rows of a section: a title, and the label, media type and URL of each format."""
        rows: list[tuple[str, str | None]] = [(words.phrase(site.language, kind), None)]
        rows += [(category.title, category.slug) for category in categories]
        return [
            (
                title,
                [
                    (form.label, form.media_type, site.public_url + FeedQuery(kind, name, slug).path)
                    for name, form in FORMATS.items()
                ],
            )
            for title, slug in rows
        ]

    @blueprint.get("/entries/<id>")
    def entry(id: str) -> Response:
        """The page of one entry."""
        looked = clock()
        with store.read() as reader:
            found = reader.entry(id)
            if found.status != "published":
                raise NotFound(f"There is no entry “{id}”.")
            slugs: list[str | None] = [category.slug for category in found.categories] or [None]
            modified = reader.last_change((found.kind, slug) for slug in slugs)
        return respond(Answer(entry_page(found).encode(), "text/html", modified, looked), request, max_age)

    def entry_page(found: Entry) -> str:
        return render_template(
            "entry.html",
            site=site,
            entry=found,
            title=words.entry_title(found, site.language),
            body=body(found, site),
            published=words.date_and_time(found.announced, site),
            feeds=feeds_of(found.kind, list(found.categories)),
        )

    @blueprint.after_request
    def protect(response: Response) -> Response:
        """No script, and nothing from elsewhere but pictures and the players that bodies may hold."""
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        return response

    return blueprint
