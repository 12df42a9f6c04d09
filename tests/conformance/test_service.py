"""The feeds of the service have no findings, and a mutated feed has one."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from lxml import html

from feedsvc.cli.samples import load_sample_data
from feedsvc.feeds.query import FORMATS
from feedsvc.formats import render_feed
from feedsvc.services import get_services
from tests.conformance import CHECKS, findings
from tests.formats.feeds import ENTRIES, feed

NAMES = ["news.atom", "news.json", "news.rss", "events.atom", "events.json", "events.rss"]  # fmt: skip

VIOLATIONS = [
    ("news.atom", "<id>urn:uuid:00000000-0000-4000-8000-000000000002</id>", "", "lacks id"),
    ("news.atom", "000000000002</id>", "000000000001</id>", "duplicate id"),
    ("news.atom", "<updated>2026-11-02T08:00:00+", "<updated>2026-11-02T08:00:00.1+", "wrong value"),
    ("news.atom", ' hreflang="vi"', "", "two alternate links"),
    ("news.atom", 'href="https://portal.example/tin/', 'href="/tin/', "no absolute URI"),
    ("news.atom", "feeds/news.atom\" rel", "feeds/all.atom\" rel", "self links are"),
    ("news.atom", "<summary>Chỉ", "<summary>&lt;b&gt;x&lt;/b&gt; Chỉ", "looks like HTML"),
    ("news.atom", "<p>Đoạn", "<p onclick='x()'>Đoạn", "unsafe"),
    ("news.rss", "<description>Tin tức và sự kiện</description>", "", "lacks description"),
    ("news.rss", "<language>vi<", "<language>vi_VN<", "wrong value"),
    ("news.rss", "Sun, 01 Nov 2026 08:00:00 +0700", "CN, 01 Thg11 2026 08:00:00 +0700", "wrong value"),
    ("news.rss", "<dc:creator>Lan", "<author>lan@x.vn (Lan)</author><dc:creator>Lan", "same value in author"),
    ("news.rss", "<description><![CDATA[Một", "<content:encoded/><description><![CDATA[Một", "content before its description"),
    ("news.rss", "%E1%BA%A7y-", "ầy-", "no absolute URI"),
    ("news.rss", 'href="https://portal.example/x"', 'href="/x"', "relative URL"),
    ("news.rss", "</a>", "", "HTML with errors"),
    ("news.rss", "Chỉ có", "Chi\u0309 có", "not in NFC"),
    ("events.rss", "<ev:startdate>2026-12-24T19:00:00+07:00", "<ev:startdate>24/12/2026", "wrong value"),
    ("news.json", '"id": "urn:uuid:00000000-0000-4000-8000-000000000002", ', "", "'id' is a required property"),
    ("news.json", "000000000002", "000000000001", "duplicate id"),
    ("news.json", '"duration_in_seconds": 62', '"duration_in_seconds": 61.5', "is not of type 'integer'"),
    ("news.json", "2026-11-01T08:00:00+07:00", "2026-11-01T08:00:00", "does not match"),
    ("news.json", "feeds/news.json", "feeds/all.json", "feed_url is"),
    ("news.json", '"language": "vi"', '"language": "vi", "next_url": "https://feeds.example/feeds/news.json"', "same page"),
    ("news.json", "<p>Đoạn", "<iframe></iframe><p>Đoạn", "unsafe"),
]  # fmt: skip
"""A feed, a text in it with its replacement, and a part of the finding."""


def golden_findings(name: str, old: str = "", new: str = "") -> list[str]:
    """Return the findings in a golden feed with a replacement."""
    kind, _, format = name.partition(".")
    document = render_feed(feed(kind, format, *ENTRIES[kind])).decode()
    assert old in document
    changed = document.replace(old, new, 1).encode()
    url = f"https://feeds.example/feeds/{name}"
    return findings(changed, FORMATS[format].media_type, url=url)


@pytest.mark.parametrize("name", NAMES)
def test_golden_feeds_have_no_findings(name: str) -> None:
    assert golden_findings(name) == []


@pytest.mark.parametrize(("name", "old", "new", "finding"), VIOLATIONS)
def test_violation_is_found(
    name: str, old: str, new: str, finding: str
) -> None:
    assert finding in "\n".join(golden_findings(name, old, new))


def announced_findings(client: FlaskClient) -> list[str]:
    """Return the findings in every feed that the directory page announces."""
    page = html.fromstring(client.get("/").text)
    found, seen = [], 0
    for link in page.findall(".//link[@rel='alternate']"):
        if link.get("type") in CHECKS:
            url = link.get("href", "")
            response = client.get(url)
            assert response.status_code == 200
            found += findings(response.data, response.content_type, url=url)
            seen += 1
    assert seen >= 2, "two kinds at least"
    return found


def test_sample_feeds_have_no_findings(
    app: Flask, client: FlaskClient
) -> None:
    assert load_sample_data(get_services(app))
    assert announced_findings(client) == []


def test_empty_feeds_have_no_findings(client: FlaskClient) -> None:
    assert announced_findings(client) == []
