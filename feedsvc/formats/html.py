"""HTML pages from Jinja templates: the front page, feeds, entries, errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from feedsvc.feeds.feed import Feed, FeedHead
from feedsvc.feeds.query import FORMATS
from feedsvc.folding import MAX_SEARCH_LENGTH
from feedsvc.formats import content, links, phrases, times, titles
from feedsvc.formats.common import iri_to_uri
from feedsvc.formats.json_ld import json_ld
from feedsvc.formats.shown import Shown
from feedsvc.languages import resolve_language
from feedsvc.models import KINDS, Category, Entry, Site
from feedsvc.recurrence import display_occurrence

#: Articles on the front page besides the first.
_FRONT_ARTICLES = 4

#: Events on the front page.
_FRONT_EVENTS = 5

_environment = Environment(
    loader=PackageLoader("feedsvc.formats"),
    autoescape=True,
    # Templates are package data: they do not change while the service runs.
    auto_reload=False,
    # A misspelled name in a template is an error instead of an empty text.
    undefined=StrictUndefined,
)
_environment.globals |= {
    "kinds": KINDS,
    "max_search_length": MAX_SEARCH_LENGTH,
    # Templates get whole modules, and so name functions as Python code does.
    "content": content,
    "links": links,
    "phrases": phrases,
    "times": times,
    "titles": titles,
    "iri_to_uri": iri_to_uri,
}


def render_page(
    template: str, site: Site, *, ui: str | None = None, **context: Any
) -> bytes:
    """Render a page.

    Every template knows:

    - `site`
    - `language`: the language of the page; `t`: its phrases by key
    - `show`: a function that returns an entry as the page shows it
    - `ui`: the language of the page if it is not the site's, for links to other pages
    - `section`: the kind that the page belongs to, `front`, or None
    - `search`: the words that the page has searched for, or None
    - `feeds`: the feeds that the page announces, each a list of its formats; by default
      those of the sections
    - `language_links`: pairs of a language and the URL of the page in it

    :param ui: the language of the page, if it is not the site's.
    :param context: further names for the template, or other values for some of these.
    """
    language = resolve_language(ui or site.language)
    names = {
        "site": site,
        "language": language,
        "show": lambda entry: Shown(entry, site, entry.date, language),
        "language_links": (),
        "ui": ui,
        "section": None,
        "search": None,
        "feeds": [_variants(site, kind) for kind in KINDS],
        **context,
    }
    return _environment.get_template(template).render(names).encode()


def render_front_page(
    articles: Feed,
    events: Feed,
    categories: Sequence[Category],
    newest: Mapping[tuple[str, str], Entry],
    ui: str | None,
) -> bytes:
    """Render the front page: the newest articles, the next events, and all categories.

    The newest article with a picture comes first.

    :param newest: the newest entries of categories, by kind and slug.
    """
    site = articles.site
    lead = next((entry for entry in articles.entries if entry.image), None)
    others = [entry for entry in articles.entries if entry is not lead]
    # Events that have begun come last, and are left out if there are enough others.
    next_events = sorted(events.entries, key=lambda entry: entry.is_ongoing)
    rows = []
    for category in categories:
        entries = [newest.get((kind, category.slug)) for kind in KINDS]
        present = [entry for entry in entries if entry]
        entry = max(
            present,
            key=lambda entry: (not entry.is_cancelled, entry.date),
            default=None,
        )
        kind = entry.kind if entry else KINDS[0]
        rows.append(
            (
                category,
                entry,
                FeedHead.of(site, kind, FORMATS["rss"], category),
            )
        )
    return render_page(
        "front.html",
        site,
        ui=ui,
        language_links=_language_links(
            site, ui, lambda other: f"?ui={other}" if other else "./"
        ),
        section="front",
        # Readers offer all that a page announces, so it is one feed a kind.
        feeds=[
            [FeedHead.of(site, "news", FORMATS["rss"])],
            [
                FeedHead.of(site, "events", FORMATS[name])
                for name in ("rss", "ics")
            ],
        ],
        lead=lead,
        articles=others[: _FRONT_ARTICLES if lead else _FRONT_ARTICLES + 1],
        events=next_events[:_FRONT_EVENTS],
        variants={kind: _variants(site, kind) for kind in KINDS},
        rows=rows,
    )


def render_entry(
    entry: Entry, related: Sequence[Entry], site: Site, ui: str | None
) -> bytes:
    """Render the page of an entry, which announces the feeds of its categories."""
    feeds = [
        _variants(site, entry.kind, category)
        for category in (None, *entry.categories)
    ]
    return render_page(
        "entry.html",
        site,
        ui=ui,
        language_links=_language_links(
            site,
            ui,
            lambda other: f"?ui={other}" if other else quote(entry.id),
        ),
        section=entry.kind,
        feeds=feeds,
        # The page offers to follow its first category, or else the section.
        variants=feeds[1] if entry.categories else feeds[0],
        entry=entry,
        related=related,
        structured_data=json_ld(Shown(entry, site, entry.date)),
    )


def render(feed: Feed) -> bytes:
    """Render a feed as a page: its entries, other formats and pages."""
    site = feed.site
    query = feed.query
    return render_page(
        "feed.html",
        site,
        ui=query["ui"],
        language_links=_language_links(
            site,
            query["ui"],
            lambda other: feed.with_parameters(ui=other).self_url,
        ),
        section=query.kind,
        search=query["q"],
        feeds=[_formats_of(feed)],
        feed=feed,
        groups=_group_entries(feed),
    )


def _variants(
    site: Site, kind: str, category: Category | None = None
) -> list[FeedHead]:
    """Return the feed of a kind or a category in each format."""
    return _formats_of(FeedHead.of(site, kind, FORMATS["html"], category))


def _formats_of(feed: FeedHead) -> list[FeedHead]:
    return [
        feed.in_format(format)
        for format in FORMATS.values()
        if feed.query.kind in format.kinds
    ]


def _group_entries(feed: Feed) -> list[tuple[date | None, list[Entry]]]:
    """Return the entries in the order of the feed, by the first day of their month.

    Only lists by the dates of events are by month: others are one group. Events that
    have begun are a group of their own, without a month.
    """
    if feed.query["order"] != "start":
        return [(None, list(feed.entries))] if feed.entries else []

    def month_of(entry: Entry) -> date | None:
        occurrence = display_occurrence(entry)
        if occurrence is None or entry.is_ongoing:
            return None
        return times.local_day(occurrence).replace(day=1)

    # Days are in the events' own zones: two events may be in another order than theirs.
    groups: dict[tuple[bool, date | None], list[Entry]] = {}
    is_behind_ongoing = False
    for entry in feed.entries:
        is_behind_ongoing = is_behind_ongoing or entry.is_ongoing
        groups.setdefault((is_behind_ongoing, month_of(entry)), []).append(
            entry
        )
    return [(month, entries) for (_, month), entries in groups.items()]


def _language_links(
    site: Site, ui: str | None, url_with: Callable[[str | None], str]
) -> list[tuple[str, str]]:
    """Return the other language of a page with its URL in it.

    The site's pages are in its language and English, or in English and Vietnamese.

    :param url_with: returns the URL of the page with another `ui`. Relative URLs work
        under any host name and prefix.
    """
    own = resolve_language(site.language)
    second = "vi" if own == "en" else "en"
    current = ui or own
    return [
        (language, url_with(each))
        for language, each in ((own, None), (second, second))
        if language != current
    ]
