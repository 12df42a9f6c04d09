"""A crawl from the directory and the OPML: pages and feeds of the sample data are valid."""

import zlib
from collections import Counter, deque
from typing import Any
from urllib.parse import urljoin

import feedparser
import pytest
from flask import Flask
from lxml import etree, html

from tests.conformance import CHECKS, findings

PUBLIC_URL = "https://feeds.example"
START = ("/", "/feeds.opml")
XML = ("application/atom+xml", "application/rss+xml")


def links_in(body: bytes, media_type: str, url: str) -> list[str]:
    """Return the URLs that a document links to."""
    if media_type == "text/html":
        root: Any = html.fromstring(body.decode())
    elif media_type in (*XML, "text/x-opml"):
        root = etree.fromstring(body)
    else:
        return []
    links = root.xpath("//@href | //@xmlUrl | //item/link/text()")
    return [urljoin(url, link) for link in links]


def own_path(link: str) -> str | None:
    """Return the path of a link within the service, without the other languages."""
    if not link.startswith(PUBLIC_URL) or "ui=" in link:
        return None
    return link.partition("#")[0].removeprefix(PUBLIC_URL)


@pytest.mark.parametrize(
    ("share", "feeds", "pages"),
    [(4, 5, 60), pytest.param(1, 40, 300, marks=pytest.mark.soak)],
)
def test_linked_pages_and_feeds_are_valid(
    seeded_app: Flask, share: int, feeds: int, pages: int
) -> None:
    """Crawl one in `share` of the linked URLs, always the same ones."""
    client = seeded_app.test_client()
    queue, seen = deque(START), set(START)
    errors: list[str] = []
    media_types: Counter[str] = Counter()
    while queue:
        path = queue.popleft()
        # Buffered, or the files of styles would stay open.
        response = client.get(path, buffered=True)
        if response.status_code == 410 and path.startswith("/entries/"):
            continue  # withdrawn: feeds link to it with its notice
        assert response.status_code == 200, path
        media_type = response.mimetype or ""
        media_types[media_type] += 1
        for link in links_in(response.data, media_type, PUBLIC_URL + path):
            linked = own_path(link)
            if linked is not None and linked not in seen:
                seen.add(linked)
                if zlib.crc32(linked.encode()) % share == 0:
                    queue.append(linked)
        if media_type in CHECKS:
            url = PUBLIC_URL + path
            found = findings(response.data, response.content_type, url=url)
            errors += [f"{path} {finding}" for finding in found]
        if media_type in XML:
            assert not feedparser.parse(response.data).bozo, path
    assert errors == []
    assert min(media_types[media_type] for media_type in CHECKS) > feeds
    assert media_types["text/html"] > pages
