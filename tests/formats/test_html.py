"""Feeds as pages, read by lxml."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import lxml.html
import pytest

from feedsvc.formats import render_feed
from tests.formats.feeds import FULL, feed

# Whole entries have the body instead of the summary.
HIDDEN = {"guid", "summary", "content_text", "translation_key"}


def read_entries(document: bytes) -> tuple[int, list[str]]:
    page: Any = lxml.html.document_fromstring(document)
    return len(page.xpath("//article")), []


@pytest.mark.parametrize(("limit", "has_more"), [(199, True), (200, False)])
def test_longest_page_has_no_link_to_itself(limit: int, has_more: bool) -> None:
    document = feed("news", "html", *[FULL] * limit)
    query = replace(document.query, limit=limit)
    page = render_feed(replace(document, query=query)).decode()
    assert ("Xem thêm tin" in page) == has_more
