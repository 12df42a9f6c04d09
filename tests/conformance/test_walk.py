"""A walk over every URL that is reachable from the directory and from the OPML, with the corpus stored."""

from __future__ import annotations

from collections import Counter, deque
from typing import Any
from urllib.parse import urljoin

import feedparser
from flask import Flask
from lxml import etree, html

from tests.conformance import CHECKS, findings
from tests.conformance.test_service import known

PUBLIC = "https://feeds.example"


def links_of(body: bytes, media_type: str, url: str) -> list[str]:
    """The URLs that a document of this service leads to."""
    if media_type == "text/html":
        root: Any = html.fromstring(body.decode())
    elif media_type in ("application/atom+xml", "application/rss+xml", "text/x-opml"):
        root = etree.fromstring(body)
    else:
        return []
    return [
        urljoin(url, value)
        for value in root.xpath("//@href | //@xmlUrl | //item/link/text()")
    ]


def test_every_page_and_feed_keeps_the_rules(seeded_app: Flask) -> None:
    client = seeded_app.test_client()
    waiting, seen, found = deque(["/", "/feeds.opml"]), {"/", "/feeds.opml", "/hub"}, []
    kinds: Counter[str] = Counter()
    while waiting:
        path = waiting.popleft()
        answer = client.get(path)
        if answer.status_code == 410 and path.startswith("/entries/"):
            continue  # withdrawn: it stands in the feeds as a notice, and its page is gone
        assert answer.status_code == 200, path
        media_type = answer.mimetype or ""
        kinds[media_type] += 1
        for link in links_of(answer.data, media_type, PUBLIC + path):
            way = link.partition("#")[0].removeprefix(PUBLIC)
            if link.startswith(PUBLIC) and way not in seen and "ui=" not in way:
                seen.add(way)
                waiting.append(way)
        if media_type in CHECKS:
            url = PUBLIC + path
            found += [
                f"{path} {finding}"
                for finding in findings(answer.data, answer.content_type, url=url)
                if not known(finding)
            ]
        if media_type in ("application/atom+xml", "application/rss+xml"):
            assert not feedparser.parse(answer.data).bozo, path
    assert found == []
    assert min(kinds[media_type] for media_type in CHECKS) > 200, kinds
    assert kinds["text/html"] > 300
