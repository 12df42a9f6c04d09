"""Estimates of the bytes that an entry takes in a feed."""

from __future__ import annotations

from html import escape

import pytest

from feedsvc.storage.sizes import text_size


@pytest.mark.parametrize("char", ["a", "đ", "&", "<", ">", '"', "🏮"])
def test_size_covers_escaped_xml(char: str) -> None:
    text = char * 1000
    assert text_size(text) >= len(escape(text, quote=False).encode())


@pytest.mark.parametrize("char", ["a", "đ", "\\", ",", ";", "\n"])
def test_size_covers_folded_icalendar(char: str) -> None:
    escaped = ("\\n" if char == "\n" else "\\" + char) if char in "\\,;\n" else char
    content = (escaped * 1000).encode()
    folds = len(content) // 75 * 3
    assert text_size(char * 1000) >= len(content) + folds
