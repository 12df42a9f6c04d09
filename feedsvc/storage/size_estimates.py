"""Estimate the bytes of entries in a feed, and choose which of them fit.

Bodies are large: what does not fit is decided before they are loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from math import inf
from typing import Any

from feedsvc.models import Entry

ENTRY_OVERHEAD = 2048
"""Bytes for the names of an entry's elements, and for its dates, ids and links."""

CATEGORY_SIZE = 400
"""Bytes for one category of an entry."""

_ESCAPE_COSTS = {"&": 4, "<": 3, ">": 3, '"': 1, "\\": 1, ",": 1, ";": 1, "\n": 1}
"""Bytes that a character grows by in the format which escapes it the longest."""


def entries_budget(max_feed: int) -> int:
    """Return the bytes for the entries of a feed; the rest is for its head."""
    return max_feed - max_feed // 16


def text_size(text: str) -> int:
    """Return the bytes of a text in the format that needs most."""
    costs = sum(text.count(char) * cost for char, cost in _ESCAPE_COSTS.items())
    # iCalendar folds lines: 3 bytes for at most 75.
    return (len(text.encode()) + costs) * 21 // 20


def entry_sizes(entry: Entry, document: str) -> dict[str, int]:
    """Return the columns `size` and `content_size`: bytes of an entry, and of its body.

    Both are upper estimates over all formats.
    """
    body = entry.content_html or escape(entry.content_text or "", quote=False).replace(
        "\n", "<br>"
    )
    content_size = text_size(body)
    # Summaries, pictures and links are in a feed twice.
    size = (
        content_size
        + 2 * text_size(document)
        + ENTRY_OVERHEAD
        + CATEGORY_SIZE * len(entry.categories)
    )
    return {"size": size, "content_size": content_size}


@dataclass(frozen=True, slots=True)
class Fitting:
    """The entries of a feed that fit, by their keys, in the order of the feed.

    `whole` are those with their bodies, `size` the estimated bytes; `is_cut` tells that
    entries were left out.
    """

    keys: list[int]
    whole: frozenset[int]
    size: int
    is_cut: bool


def fit(
    rows: Iterable[Any], max_bytes: int | None, *, bodies: bool, cut: bool
) -> Fitting:
    """Choose which entries fit in a feed, and which of them with their bodies.

    The newest entries get their bodies, as long as these fit. If not even the other
    members of all entries fit, the last entries are left out, but never the first.

    :param rows: of `entries`, in the order of the feed.
    :param max_bytes: of the feed; None for no limit.
    :param bodies: whether the feed has bodies at all.
    :param cut: whether entries may be left out.
    """
    budget = inf if max_bytes is None else entries_budget(max_bytes)
    chosen: list[Any] = []
    size = 0
    is_cut = False
    for row in rows:
        size_without_body = row.size - row.content_size
        if cut and chosen and size + size_without_body > budget:
            is_cut = True
            break
        chosen.append(row)
        size += size_without_body
    keys = [row.pk for row in chosen]
    whole: set[int] = set()
    bodies_size = sum(row.content_size for row in chosen)
    if bodies and size + bodies_size <= budget:
        # Nearly every feed, so spare it the sorting.
        whole.update(keys)
        size += bodies_size
    elif bodies:
        # By guid within one instant, in the order of feeds.
        by_guid = sorted(chosen, key=lambda row: row.guid)
        for row in sorted(by_guid, key=lambda row: row.published, reverse=True):
            if size + row.content_size > budget:
                break
            whole.add(row.pk)
            size += row.content_size
    return Fitting(keys, frozenset(whole), size, is_cut)
