"""Atom, read by feedparser and lxml."""

from __future__ import annotations

from feedsvc.formats import render_feed
from tests.formats.feeds import FULL, feed
from tests.formats.xml_reader import read_xml

HIDDEN = {"id", "content_text", "translation_key"}


def read_entries(document: bytes) -> tuple[int, list[str]]:
    count, root = read_xml(document)
    return count, [element.text or "" for element in root.xpath("//*[@type='html']")]


def test_atom_has_no_durations() -> None:
    assert b"itunes" not in render_feed(feed("news", "atom", FULL))
