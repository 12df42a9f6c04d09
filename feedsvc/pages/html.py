"""HTML pages from Jinja templates: the front page, feeds, entries, errors."""

from collections.abc import Callable, Container, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from feedsvc.config import PageSettings
from feedsvc.feeds.feed import FeedHead
from feedsvc.feeds.query import FORMATS, PERIODS, query_string
from feedsvc.formats import content, phrases, times, titles
from feedsvc.formats.common import iri_to_uri
from feedsvc.formats.shown import Shown
from feedsvc.models import KINDS, Category, Entry, Site
from feedsvc.pages import links, words
from feedsvc.pages.json_ld import json_ld
from feedsvc.pages.values import ListPage, PageLanguages, list_language
from feedsvc.recurrence import display_occurrence
from feedsvc.text.folding import MAX_SEARCH_LENGTH
from feedsvc.text.languages import has_phrases, match_tag, resolve_language

#: Articles on the front page.
_FRONT_ARTICLES = 5

_environment = Environment(
    loader=PackageLoader("feedsvc.pages"),
    autoescape=True,
    # Templates are package data: they do not change while the service runs.
    auto_reload=False,
    # A misspelled name in a template is an error instead of an empty text.
    undefined=StrictUndefined,
)
_environment.globals |= {
    "kinds": KINDS,
    "periods": PERIODS,
    "max_search_length": MAX_SEARCH_LENGTH,
    # Templates get whole modules, and so name functions as Python code does.
    "content": content,
    "links": links,
    "phrases": phrases,
    "times": times,
    "titles": titles,
    "words": words,
    "iri_to_uri": iri_to_uri,
    "query_string": query_string,
    "json_ld": json_ld,
}


def render_page(
    template: str,
    site: Site,
    settings: PageSettings,
    languages: PageLanguages,
    **context: Any,
) -> bytes:
    """Render a page.

    Every template knows:

    - `site`: the portal; `settings`: those that only pages know
    - `language`: the language of the page; `t`: its phrases by key
    - `show`: a function that returns an entry as the page shows it
    - `parameters`: those of the URLs of other pages, so that they are in the same
      language
    - `section`: the kind that the page belongs to, `front`, or None
    - `search`: the words that the page has searched for, or None
    - `language_links`: pairs of a language and the URL of the page in it, or of the one
      with the entries in it

    A page that announces feeds has `feeds`, each a list of its formats.

    :param context: further names for the template, or other values for some of these.
    """
    language = languages.words
    names = {
        "site": site,
        "settings": settings,
        "language": language,
        "show": lambda entry: Shown(entry, site, entry.date, language, is_on_page=True),
        "language_links": _words_links(
            site, languages, lambda ui: f"?ui={ui}" if ui else "?", {}
        ),
        "parameters": {"lang": languages.lists, "ui": languages.ui},
        "section": None,
        "search": None,
        **context,
    }
    return _environment.get_template(template).render(names).encode()


def render_front_page(
    articles: ListPage,
    agenda: Mapping[str, Sequence[Entry]],
    categories: Sequence[Category],
    slugs: Mapping[str, Container[str]],
    settings: PageSettings,
    languages: PageLanguages,
) -> bytes:
    """Render the front page: the next events, the newest articles, and categories.

    Of the articles, the newest with a picture comes first.

    :param agenda: the events by `today`, `weekend` and `soon`.
    :param slugs: of each kind, those of the categories that have entries.
    """
    site, lang = articles.site, languages.feeds
    newest = articles.entries[:_FRONT_ARTICLES]
    lead = [entry for entry in newest if entry.image][:1]
    others = [entry for entry in newest if entry not in lead]
    shown = [
        category
        for category in categories
        if any(category.slug in slugs[kind] for kind in KINDS)
    ]
    variants = {kind: _variants(site, kind, lang=lang) for kind in KINDS}

    def url_with(**changes: str | None) -> str:
        parameters = {"lang": articles.query["lang"], **changes}
        return query_string(parameters) or "./"

    return render_page(
        "front.html",
        site,
        settings,
        languages,
        language_links=_list_links(site, languages, url_with),
        section="front",
        # Readers offer all that a page announces, so it is one feed a kind.
        feeds=[
            [each for each in feeds if each.query.format.suffix in ("rss", "ics")]
            for feeds in variants.values()
        ],
        articles=lead + others,
        agenda=agenda,
        variants=variants,
        categories=shown,
        slugs=slugs,
    )


def render_entry(
    entry: Entry,
    related: Sequence[Entry],
    site: Site,
    settings: PageSettings,
    languages: PageLanguages,
    *,
    is_changed: bool = False,
) -> bytes:
    """Render the page of an entry, which announces the feeds of its categories.

    :param is_changed: readers are told when it was updated.
    """
    feeds = [
        _variants(site, entry.kind, category, languages.feeds)
        for category in (None, *entry.categories)
    ]
    # A portal of several languages leads from one to the other by translations.
    translations = {
        match_tag(site.languages, translation.language): site.entry_url(translation)
        for translation in entry.translations
    }

    def url_with(ui: str | None) -> str:
        return query_string({"ui": ui}) or quote(entry.id)

    return render_page(
        "entry.html",
        site,
        settings,
        languages,
        language_links=_words_links(site, languages, url_with, translations),
        section=entry.kind,
        feeds=feeds,
        # The page offers to follow its first category, or else the section.
        variants=feeds[1] if entry.categories else feeds[0],
        entry=entry,
        related=related,
        is_changed=is_changed,
    )


def render_list(feed: ListPage, settings: PageSettings) -> bytes:
    """Render the page of a list: its entries, other formats and pages."""
    site, query = feed.site, feed.query
    languages = PageLanguages.of(site, query["lang"], query["ui"])

    def url_with(**parameters: str | None) -> str:
        return feed.with_parameters(**parameters).self_url

    return render_page(
        "feed.html",
        site,
        settings,
        languages,
        language_links=_list_links(site, languages, url_with),
        section=query.kind,
        search=query["q"],
        feeds=[_formats_of(feed.with_parameters(lang=languages.feeds))],
        feed=feed,
        groups=_group_entries(feed),
    )


def _variants(
    site: Site,
    kind: str,
    category: Category | None = None,
    lang: str | None = None,
) -> list[FeedHead]:
    """Return the feed of a kind or a category in each format."""
    return _formats_of(FeedHead.of(site, kind, FORMATS["html"], category, lang))


def _formats_of(feed: FeedHead) -> list[FeedHead]:
    return [
        links.in_format(feed, format)
        for format in FORMATS.values()
        if feed.query.kind in format.kinds
    ]


def _group_entries(feed: ListPage) -> list[tuple[date | None, list[Entry]]]:
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
        groups.setdefault((is_behind_ongoing, month_of(entry)), []).append(entry)
    return [(month, entries) for (_, month), entries in groups.items()]


def _list_links(
    site: Site, languages: PageLanguages, url_with: Callable[..., str]
) -> list[tuple[str, str]]:
    """Return the other languages of a list with its URLs in them.

    Each leads to the entries in it.

    :param url_with: returns the URL of the list with other parameters.
    """
    if not site.languages:
        return _words_links(site, languages, lambda ui: url_with(ui=ui), {})
    return [
        (each, url_with(lang=list_language(site, each), ui=None, page=None))
        for each in site.languages
        if each != languages.feeds
    ]


def _words_links(
    site: Site,
    languages: PageLanguages,
    url_with: Callable[[str | None], str],
    translations: Mapping[str | None, str],
) -> list[tuple[str, str]]:
    """Return the other languages of the portal, and the page's own, with its URLs.

    :param url_with: returns the URL of the page with another `ui`. Relative URLs work
        under any host name and prefix.
    :param translations: the URLs of an entry's translations. A language without one
        leads to the same page with other words.
    """
    urls: dict[str, str] = {}
    for language in (*site.languages, languages.default):
        url = translations.get(language)
        ui = resolve_language(language)
        if not url and has_phrases(language) and ui != languages.words:
            url = url_with(None if ui == languages.default else ui)
        # Easy language has the words of its language, and so the same page.
        if url:
            urls.setdefault(url, language)
    return [(language, url) for url, language in urls.items()]
