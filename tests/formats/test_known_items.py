"""Items that are kept with their entries: a document is the same as without them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType

import pytest

from feedsvc.feed_query import FORMATS, PARAMETERS, CategoryFilter, FeedQuery
from feedsvc.formats import atom, render_feed, rss
from feedsvc.models import Entry, Feed
from tests.formats.feeds import ENTRIES, FULL, SITE, VAN_HOA, feed
from tests.test_feed_query import VALUES, example

OTHER_SITE = replace(SITE, language="en", public_url="https://other.example")


def queries() -> Iterator[FeedQuery]:
    """Yield queries of feeds: each has another part or parameter."""
    for format in ("rss", "atom"):
        for kind in FORMATS[format].kinds:
            query = FeedQuery(kind, format)
            yield query
            yield replace(query, category_filter=CategoryFilter.create(["van-hoa"]))
            for name in VALUES:
                field = PARAMETERS[name].field
                value = getattr(example(name), field)
                yield replace(query, **{field: value})


def unrendered(feed: Feed) -> Feed:
    """Return an equal feed, whose entries have no items yet."""
    return replace(feed, entries=tuple(replace(entry) for entry in feed.entries))


def test_known_items_change_no_byte() -> None:
    """Each query is rendered after all others, of another site too.

    A parameter that changes items must be part of their key.
    """
    feeds = [
        Feed(query, site, (VAN_HOA,), updated=FULL.updated, entries=ENTRIES[query.kind])
        for site in (SITE, OTHER_SITE)
        for query in queries()
    ]
    for each in feeds:
        render_feed(each)
    for each in feeds:
        assert render_feed(each) == render_feed(unrendered(each)), (
            f"feedsvc/formats/xml.py, render_with_known_items: {each.query}"
        )


@pytest.mark.parametrize(("format", "module"), [("rss", rss), ("atom", atom)])
def test_only_entries_without_an_item_are_rendered(
    format: str, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = unrendered(feed("news", format, *ENTRIES["news"]))
    before = render_feed(document)
    rendered: list[str] = []
    original = module.add_item

    def add_item(generator: object, entry: Entry, *arguments: object) -> object:
        rendered.append(entry.id)
        return original(generator, entry, *arguments)

    monkeypatch.setattr(module, "add_item", add_item)
    assert render_feed(document) == before
    assert rendered == [document.entries[0].id], "it shows where the items belong"
    rendered.clear()
    new = replace(FULL, id="moi")
    render_feed(replace(document, entries=(new, *document.entries)))
    assert rendered == ["moi"]


@pytest.mark.parametrize("format", ["rss", "atom"])
def test_markup_in_texts_is_no_item(format: str) -> None:
    text = "</item><item></entry><entry>x</entry>"
    entry = replace(
        FULL, title=text, summary=text, content_html=None, content_text=text
    )
    document = feed("news", format, entry, FULL)
    render_feed(document)
    assert render_feed(document) == render_feed(unrendered(document))
