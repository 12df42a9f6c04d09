"""Estimates of the bytes that an entry takes in a feed."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import NamedTuple

import pytest

from feedsvc.models import Category, Entry
from feedsvc.storage import size_estimates
from feedsvc.storage.size_estimates import (
    CATEGORY_SIZE,
    ENTRY_OVERHEAD,
    Fitting,
    entries_budget,
    entry_sizes,
    fit,
    text_size,
)


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


def test_estimates_are_not_far_above_the_size() -> None:
    assert text_size("a" * 1000) == 1050
    assert text_size("&" * 1000) == 5250
    assert entries_budget(1600) == 1500


def test_size_of_an_entry_counts_all_but_its_body_twice() -> None:
    entry = Entry("a", "news", "x", "vi", content_text="<\n" * 100)
    document = "d" * 1000
    estimated = entry_sizes(entry, document)
    assert estimated["content_size"] == text_size("&lt;<br>" * 100)
    assert estimated["size"] == estimated["content_size"] + 2 * 1050 + ENTRY_OVERHEAD
    in_two = replace(entry, categories=(Category("a", ""), Category("b", "")))
    assert (
        entry_sizes(in_two, document)["size"] == estimated["size"] + 2 * CATEGORY_SIZE
    )


class Row(NamedTuple):
    pk: int
    published: int
    guid: str = ""
    size: int = 400
    content_size: int = 300


ROWS = [Row(1, published=20), Row(2, published=30), Row(3, published=10)]


@pytest.mark.parametrize(
    ("budget", "keys", "whole", "size", "is_cut"),
    [
        (None, [1, 2, 3], {1, 2, 3}, 1200, False),
        (1200, [1, 2, 3], {1, 2, 3}, 1200, False),
        (1199, [1, 2, 3], {1, 2}, 900, False),
        (600, [1, 2, 3], {2}, 600, False),
        (300, [1, 2, 3], set(), 300, False),
        (299, [1, 2], set(), 200, True),
        (10, [1], set(), 100, True),
    ],
)
def test_newest_entries_of_a_feed_have_bodies_as_far_as_they_fit(
    monkeypatch: pytest.MonkeyPatch,
    budget: int | None,
    keys: list[int],
    whole: set[int],
    size: int,
    is_cut: bool,
) -> None:
    monkeypatch.setattr(size_estimates, "entries_budget", lambda max_bytes: max_bytes)
    fitting = fit(ROWS, budget, bodies=True, cut=True)
    assert fitting == Fitting(keys, frozenset(whole), size, is_cut)


def test_archives_have_all_entries_and_summaries_have_no_bodies() -> None:
    assert fit(ROWS, 10, bodies=True, cut=False).keys == [1, 2, 3]
    fitting = fit(ROWS, None, bodies=False, cut=True)
    assert fitting == Fitting([1, 2, 3], frozenset(), 300, is_cut=False)
