"""Plain text is normalized, and no mark at its start joins the markup before it."""

import re
import sys
import unicodedata

import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from feedsvc.input import plain_text
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.text_everywhere import event_with

MARK = "\u0338"
"""Composes with `<`, `=` and `>`."""


def test_lines_are_normalized(editor: ApiClient) -> None:
    """tests/data has difficult titles."""
    text = "Ha\u0300\u2067\r\nNội\u202e x\rmột\u2028hai\u2029ba\x85bốn"
    stored = editor.put("/articles/a", {"title": "x", "content_text": text}).get_json()
    assert stored["content_text"] == "Hà\nNội x\nmột\nhai\nba\nbốn"


def test_invalid_characters_are_surrogates_noncharacters_and_controls() -> None:
    pattern = (
        "[\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x84\x86-\x9f"
        "\ud800-\udfff\ufdd0-\ufdef\ufffd-\uffff]"
    )
    for number in range(sys.maxunicode + 1):
        is_invalid = number & 0xFFFE == 0xFFFE or re.match(pattern, chr(number))
        stripped = plain_text.strip_invalid_chars(chr(number))
        assert (stripped == "") == bool(is_invalid), hex(number)


@pytest.mark.parametrize(
    "mark",
    [MARK, f"\u0327{MARK}", f" {MARK} {MARK}", f"\u202e{MARK}", f"\n\n{MARK}"],
)
def test_leading_combining_mark_of_plain_text_is_removed(
    editor: ApiClient, client: FlaskClient, mark: str
) -> None:
    text = f"{mark} onclick=alert(1) x"
    editor.put("/categories/giao-thong", {"title": text, "description": text})
    lines = f"{text}\n\n{text}\n{mark}x"
    editor.put("/events/a", event_with(text) | {"content_text": lines})
    feeds = [f"/feeds/events.{format}" for format in FORMATS]
    pages = ["/", "/entries/a", "/feeds.opml", "/feeds/events/giao-thong.html"]
    for path in (*feeds, *pages, "/api/v1/changes", "/api/v1/categories"):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert unicodedata.is_normalized("NFC", answer.text), path


@pytest.mark.parametrize(
    ("html", "summary"),
    [
        *read_tables("api")["summaries"],
        # It has 300 characters at most, and is cut between words.
        (f"{'x' * 296}, ba bốn", f"{'x' * 296}…"),
    ],
)
def test_summary_is_the_text_of_the_body(
    shared_editor: ApiClient, html: str, summary: str
) -> None:
    article = {"title": "x", "content_html": html}
    stored = shared_editor.put("/articles/a", article).get_json()
    assert stored["summary"] == summary
