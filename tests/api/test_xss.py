"""Every stored payload in every format and page: parsers read it, and it runs nowhere."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import bleach
import html5lib
import lxml.html
import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from feedsvc.feeds.query import FORMATS
from feedsvc.input import sanitize
from feedsvc.models import KINDS
from feedsvc.services import get_services
from tests import data
from tests.api.test_sanitize import ALLOWED_ATTRIBUTES, ALLOWED_TAGS
from tests.conftest import RecordMeasurement
from tests.data.xss_payloads import PAYLOADS, everywhere, groups, lines
from tests.formats import format_tests

BASE = "https://portal.example/tin/"
RUNNING = set(
    "script style svg math object embed applet base meta link form input button frame frameset".split()
)
OWN = frozenset("script base link meta form input button".split())
"""Those of them that pages have too, outside of bodies."""

SCHEMES = ("http", "https", "mailto", "tel", "webcal")
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_ADDRESSES = set(
    "action cite data formaction href ping poster src srcset xlink:href background".split()
)


def faults(elements: Any, own: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield elements and attributes that would run a script, or load or send something."""
    for element in elements:
        if not isinstance(element.tag, str):
            continue
        tag = element.tag.rpartition("}")[2].lower()
        if tag in RUNNING - own:
            yield f"<{tag}>"
        for name, value in element.attrib.items():
            name = name.lower()
            scheme = _SCHEME.match(re.sub("[\x00-\x20\x7f-\xa0]", "", value))
            if name.startswith("on") or name in (
                "style",
                "srcdoc",
                "ping",
                "formaction",
                "http-equiv",
            ):
                yield f"<{tag} {name}>"
            elif name in _ADDRESSES and scheme and scheme[0].lower() not in SCHEMES:
                yield f"<{tag} {name}={value}>"


def tree(body: str) -> Any:
    """Parse a body by another parser than the sanitizer's."""
    return html5lib.HTMLParser(namespaceHTMLElements=False).parseFragment(body)


@cache
def body_faults(body: str) -> list[str]:
    """Faults of a body, which several formats show."""
    return list(faults(tree(body).iter()))


took: list[float] = []


def feed(client: FlaskClient, path: str) -> bytes:
    """Return a document, which must not hang.

    A garbage collection of the tests' own objects may come between.
    """
    begun = time.thread_time()
    answer = client.get(path)
    document: bytes = answer.data
    took.append(time.thread_time() - begun)
    assert took[-1] < 10, path
    assert answer.status_code == 200, path
    return document


def entries(document: bytes, format: str) -> tuple[int, list[str]]:
    """Return what an independent parser reads: the number of entries, and their HTML."""
    if FORMATS[format].is_page:
        page: Any = lxml.html.document_fromstring(document)
        assert list(faults(page.iter(), OWN)) == []
        assert [dict(base.attrib) for base in page.iter("base")] == [{"target": "_top"}]
        assert list(faults(page.xpath("//div[@class='body']//*"))) == []
        assert {
            script.get("src") or script.get("type") for script in page.iter("script")
        } <= {
            "../../static/pages.js",
            "application/ld+json",
        }
    result: tuple[int, list[str]] = format_tests(format).read_entries(document)
    return result


@pytest.fixture
def client(attacked_app: Flask) -> FlaskClient:
    return attacked_app.test_client()


def test_unsafe_payloads_are_detected() -> None:
    assert (
        sum(
            any(faults(tree(payload).iter()))
            for payload in PAYLOADS
            if payload.isprintable()
        )
        > 350
    )


@pytest.mark.bar
@pytest.mark.parametrize("format", FORMATS)
def test_xss_payloads_leave_every_format_valid_and_inert(
    attacked_app: Flask,
    format: str,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    client, schemas = (
        attacked_app.test_client(),
        get_services(attacked_app).entry_schemas,
    )
    took.clear()
    counted = 0
    shown: set[str] = set()
    for kind in FORMATS[format].kinds:
        for number in groups():
            document = feed(
                client, f"/feeds/{kind}/g-{number}.{format}?limit=100&when=all"
            )
            count, bodies = entries(document, format)
            counted += count
            shown.update(bodies)
    assert counted == sum(
        line["kind"] in FORMATS[format].kinds for line in lines(schemas)
    )
    record_measurement(
        f"slowest feed of {len(PAYLOADS)} payloads",
        f"{max(took):.2f} s",
        "1 s",
    )
    assert max(took) < time_factor
    for body in shown:
        if "<" in body:
            assert body_faults(body) == [], body


def test_xss_payloads_in_categories_are_inert(client: FlaskClient) -> None:
    for position, number in enumerate(everywhere()):
        format = list(FORMATS)[position % len(FORMATS)]
        entries(
            feed(client, f"/feeds/events/p-{number}.{format}?limit=1&when=all"), format
        )
    etree.fromstring(feed(client, "/feeds.opml"))
    page = lxml.html.document_fromstring(feed(client, "/"))
    assert list(faults(page.iter(), OWN)) == []


@pytest.mark.bar
def test_xss_payloads_in_entry_pages_are_inert(client: FlaskClient) -> None:
    for number in everywhere():
        page: Any = lxml.html.document_fromstring(
            feed(client, f"/entries/{KINDS[number % 2]}-{number}")
        )
        assert list(faults(page.iter(), OWN)) == []
        own, data = page.iter("script")
        assert own.get("src") == "../static/pages.js"
        json.loads(data.text)


def test_another_sanitizer_changes_nothing() -> None:
    """Neither ours nor another one with the same allow-list changes what is stored."""
    attributes = {tag: sorted(names) for tag, names in ALLOWED_ATTRIBUTES.items()}
    attributes["*"] = ["dir", "lang", "title"]
    schemes = {"http", "https", "mailto", "tel"}
    other = bleach.Cleaner(
        tags=ALLOWED_TAGS, attributes=attributes, protocols=schemes, strip=True
    )
    bodies = [
        entry["content_html"] for entry in data.entries() if "content_html" in entry
    ]
    stored = set()
    for body in [*PAYLOADS, *bodies]:
        with suppress(ValueError):
            stored.add(sanitize.sanitize(body, BASE))
    assert len(stored) > 300
    for body in stored:
        assert sanitize.sanitize(body, BASE) == body
        assert shape(other.clean(body)) == shape(body)


def shape(body: str) -> list[Any]:
    """Return the tags, attributes and texts of a body.

    bleach drops the line end at the start of <pre>, so it is left out.
    """
    elements = []
    for element in tree(body).iter():
        text = (
            (element.text or "").removeprefix("\n")
            if element.tag == "pre"
            else element.text
        )
        elements.append((element.tag, dict(element.attrib), text, element.tail))
    return elements
