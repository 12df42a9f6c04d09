"""The comparison of what a program shows with what it should."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from html import escape
from typing import Any

import requests
from dateutil.parser import parse
from lxml import html

from readers.expected import (
    TITLE_PREFIXES,
    as_html,
    normalize_url,
)

Facts = dict[str, Any]
"""The facts that a program shows of an entry, or of an occurrence of an event.

id, link, date, authors, enclosures, categories; title as it stands in the feed, or
shown_title; text as HTML, or plain_text; picture beside the text; start, end, all_day.
Some are missing.
"""


class Text:
    """Pieces of HTML that a text has once each, and others that it does not have."""

    def __init__(self, wanted: Iterable[str], unwanted: Iterable[str] = ()) -> None:
        self.wanted = [*filter(None, map(visible_text, wanted))]
        whole = "".join(self.wanted)
        pieces = filter(None, map(visible_text, unwanted))
        self.unwanted = [piece for piece in pieces if piece not in whole]

    def __eq__(self, shown: object) -> bool:
        """Compare with visible text."""
        text = str(shown)
        has_all = all(text.count(piece) == 1 for piece in self.wanted)
        return has_all and not any(piece in text for piece in self.unwanted)


class Times:
    """The occurrences of an event."""

    def __init__(self, occurrences: Iterable[tuple[str, str]]) -> None:
        self.occurrences = sorted(occurrences)

    def __eq__(self, shown: object) -> bool:
        """Compare with starts and ends; a program may know no end."""
        assert isinstance(shown, list)
        pairs = zip(self.occurrences, sorted(shown), strict=False)
        return len(shown) == len(self.occurrences) and all(
            shown_start == start and shown_end in (end, "")
            for (start, end), (shown_start, shown_end) in pairs
        )


class Files:
    """The enclosures of an entry; programs may count its image as one."""

    def __init__(self, urls: list[str], pictures: list[str]) -> None:
        self.urls = urls
        self.pictures = read_urls(pictures)

    def __eq__(self, shown: object) -> bool:
        """Compare with URLs."""
        assert isinstance(shown, list)
        return self.urls == [url for url in shown if url not in self.pictures]


class Urls:
    """URLs that a text or an entry has; it may have others too."""

    def __init__(self, urls: Iterable[str]) -> None:
        self.urls = {*map(read_url, urls)}

    def __eq__(self, shown: object) -> bool:
        """Compare with URLs."""
        assert isinstance(shown, list)
        return self.urls.issubset(shown)


def visible_text(markup: str) -> str:
    """Return the characters of HTML that people see, without spaces."""
    return str(read_html(markup)["text"])


def read_time(value: Any) -> str:
    """Return a date as it is, and a time in UTC, to the second."""
    if isinstance(value, int):
        return datetime.fromtimestamp(value, UTC).isoformat()
    if len(value) == len("2030-01-01"):
        return str(value)
    time = parse(value)
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return time.isoformat(timespec="seconds")


def read_url(value: Any) -> str:
    """Return a URL as clients request it; what is none, as it is."""
    try:
        return normalize_url(value)
    except requests.RequestException:
        return str(value)


def read_list(value: Any) -> list[str]:
    """Return names or URLs, also of a program that shows them in one line."""
    names = value.split(", ") if isinstance(value, str) else value or []
    return [*filter(None, map(str, names))]


def read_urls(value: Any) -> list[str]:
    """Return URLs as clients request them."""
    return [*map(read_url, read_list(value))]


def read_html(markup: str) -> Facts:
    """Return what people see of HTML: its text, and addresses of links and images."""
    tree = html.fromstring(f"<div>{markup}</div>")
    return {
        "text": "".join(str(tree.xpath("string()")).split()),
        "links": read_urls(tree.xpath("//a/@href")),
        "images": read_urls(tree.xpath("//img/@src")),
    }


READ: dict[str, Callable[[Any], Any]] = {
    "link": read_url,
    "date": lambda time: time and read_time(time),
    "authors": read_list,
    "enclosures": read_urls,
    "picture": read_urls,
    "categories": lambda names: sorted(read_list(names)),
}


def read_items(items: list[Facts], titles_are_html: bool) -> list[Facts]:
    """Return a program's items as they are compared.

    Events have `times`, and the starts of those that are `cancelled`.
    """
    entries: dict[Any, Facts] = {}
    for number, item in enumerate(items):
        entry = {name: READ.get(name, str)(value) for name, value in item.items()}
        if titles_are_html and "title" in item:
            entry["title"] = as_html(item["title"])
        entry.setdefault("title", item.get("shown_title"))
        if item.get("text"):
            entry |= read_html(item["text"])
        elif "text" in item or "plain_text" in item:
            text = escape(item.get("plain_text") or "")
            entry["text"] = visible_text(text)
        if "start" not in item:
            entries[number] = entry
            continue
        size = 10 if item.get("all_day") else None
        start, end = item["start"][:size], (item.get("end") or "")[:size]
        lists: Facts = {"times": [], "cancelled": []}
        event = entries.setdefault(entry["link"], entry | lists)
        event["times"].append((read_time(start), end and read_time(end)))
        if str(entry["title"]).startswith(TITLE_PREFIXES["cancelled"]):
            event["cancelled"].append(read_time(start))
            event["cancelled"].sort()
        else:
            event.update(entry)
    return list(entries.values())


def differences(
    expected: dict[str, Facts], entries: list[Facts]
) -> Iterator[tuple[str, Facts]]:
    """Yield the name of each wrong fact, with what a program shows."""
    links: dict[Any, str] = {facts["link"]: guid for guid, facts in expected.items()}
    missing = dict(expected)
    for entry in entries:
        id = entry.get("id")
        guid = id if id in expected else links.get(entry["link"])
        if facts := missing.pop(str(guid), None):
            for name in wrong_facts(facts, entry):
                yield name, entry
        else:
            yield "extra", entry
    for facts in missing.values():
        yield "missing", facts


def wrong_facts(expected: Facts, entry: Facts) -> set[str]:
    """Return the names of the facts that a program shows wrong."""
    return {name for name in expected.keys() & entry if expected[name] != entry[name]}
