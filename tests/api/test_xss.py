"""Every stored payload in every format and page: parsers read it, and it runs nowhere."""

import json
import re
import time
import unicodedata
from collections.abc import Iterator
from functools import cache
from itertools import cycle
from typing import Any

import lxml.html
import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import etree

from feedsvc.feeds.query import FORMATS
from feedsvc.models import KINDS
from feedsvc.services import get_services
from tests.api.test_sanitize import ALLOWED_TAGS, faults
from tests.conftest import RecordMeasurement
from tests.data.xss_payloads import (
    EVERYWHERE_STEP,
    PAYLOADS,
    everywhere,
    groups,
    lines,
)
from tests.formats import format_tests

STEP = 1 if EVERYWHERE_STEP == 1 else 5
"""One of so many payloads is shown in a place; `make soak` shows all there."""

RUNNING = set("style svg math object embed applet frame frameset".split())
"""Tags that neither bodies nor pages have."""

SCHEMES = ("http", "https", "mailto", "tel", "webcal")
_SCHEME = re.compile("[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_ADDRESSES = set(
    "action cite data formaction href ping poster src srcset xlink:href background".split()
)
_RUNNING_ATTRIBUTES = {"style", "srcdoc", "ping", "formaction", "http-equiv"}


def page_faults(page: Any) -> Iterator[str]:
    """Yield elements and attributes that would run a script, or load or send something."""
    for element in page.iter(etree.Element):
        if element.tag in RUNNING:
            yield f"<{element.tag}>"
        for name, value in element.attrib.items():
            scheme = _SCHEME.match(re.sub("[\x00-\x20\x7f-\xa0]", "", value))
            if name.startswith("on") or name in _RUNNING_ATTRIBUTES:
                yield f"<{element.tag} {name}>"
            elif name in _ADDRESSES and scheme and scheme[0].lower() not in SCHEMES:
                yield f"<{element.tag} {name}={value}>"


def parse_page(document: bytes) -> Any:
    """Parse a page as somebody may have normalized it; nothing in it may run."""
    text = unicodedata.normalize("NFC", document.decode())
    page = lxml.html.document_fromstring(text)
    assert list(page_faults(page)) == []
    return page


@cache
def body_faults(body: str) -> list[str]:
    """Faults of a body, which several formats show."""
    return faults(unicodedata.normalize("NFC", body))


took: list[float] = []
counts: list[int] = []


def feed(client: FlaskClient, path: str) -> bytes:
    """Return a document, which must not hang."""
    begun = time.thread_time()
    answer = client.get(path)
    # A garbage collection of the tests' own objects may come between.
    took.append(time.thread_time() - begun)
    assert took[-1] < 10, path
    assert answer.status_code == 200, path
    document: bytes = answer.data
    return document


def entries(document: bytes, format: str) -> list[str]:
    """Return the HTML of the entries that an independent parser reads."""
    if FORMATS[format].is_page:
        page = parse_page(document)
        parts = page.xpath("//div[@class='body']//*")
        assert {part.tag for part in parts} <= ALLOWED_TAGS
        (base,) = page.iter("base")
        assert dict(base.attrib) == {"target": "_top"}
        for script in page.iter("script"):
            source = script.get("src") or script.get("type")
            assert source in ("../../static/pages.js", "application/ld+json")
    bodies: list[str]
    count, bodies = format_tests(format).read_entries(document)
    counts.append(count)
    return bodies


@pytest.fixture
def client(attacked_app: Flask) -> FlaskClient:
    return attacked_app.test_client()


def test_unsafe_payloads_are_detected() -> None:
    printable = [payload for payload in PAYLOADS if payload.isprintable()]
    pages = [lxml.html.document_fromstring(f"<p>{text}") for text in printable]
    assert sum(any(faults(text)) for text in printable) > 350
    assert sum(any(page_faults(page)) for page in pages) > 300


@pytest.mark.bar
@pytest.mark.parametrize("format", FORMATS)
def test_xss_payloads_leave_every_format_valid_and_inert(
    attacked_app: Flask,
    format: str,
    record_measurement: RecordMeasurement,
    time_factor: int,
) -> None:
    client = attacked_app.test_client()
    took.clear()
    counts.clear()
    # Each format shows other payloads; `make soak` shows all in each.
    names = [f"g-{number}" for number in groups()]
    names = names[[*FORMATS].index(format) % STEP :: STEP]
    kinds = FORMATS[format].kinds
    shown: set[str] = set()
    for kind in kinds:
        for name in names:
            path = f"/feeds/{kind}/{name}.{format}"
            query = "?content=full&limit=100&when=all"
            shown.update(entries(feed(client, path + query), format))
    schemas = get_services(attacked_app).entry_schemas
    assert sum(counts) == sum(
        line["kind"] in kinds and line["categories"][0] in names
        for line in lines(schemas)
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
    for number, format in zip(everywhere()[::STEP], cycle(FORMATS)):
        path = f"/feeds/events/p-{number}.{format}?limit=1&when=all"
        entries(feed(client, path), format)
    etree.fromstring(feed(client, "/feeds.opml"))
    parse_page(feed(client, "/"))


@pytest.mark.bar
def test_xss_payloads_in_entry_pages_are_inert(client: FlaskClient) -> None:
    for number in everywhere()[::STEP]:
        path = f"/entries/{KINDS[number % 2]}-{number}"
        own, data = parse_page(feed(client, path)).iter("script")
        assert own.get("src") == "../static/pages.js"
        json.loads(data.text)
