"""Decide before loading which entries fit into a document, and which of them with their bodies."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from feedsvc.storage.sizes import entries_budget


@dataclass(frozen=True, slots=True)
class Fitting:
    """The keys of a feed's entries in its order, those that come with their bodies, and estimated bytes."""

    keys: list[int]
    whole: frozenset[int]
    size: int
    is_cut: bool


def fit(
    rows: Iterable[Any], max_bytes: int | None, *, bodies: bool, cut: bool
) -> Fitting:
    """Fit rows of `entries`, in the feed's order, into a document.

    The newest entries get their bodies, as long as these fit; where even the other fields of all entries do
    not, the last ones are left out, but never the first.

    :param max_bytes: of the document; None is no limit.
    :param bodies: whether the feed has bodies at all.
    :param cut: whether entries may be left out.
    """
    kept: list[Any] = []
    size = 0
    budget = None if max_bytes is None else entries_budget(max_bytes)
    is_cut = False
    for row in rows:
        rest = row.size - row.content_size
        if cut and kept and budget is not None and size + rest > budget:
            is_cut = True
            break
        kept.append(row)
        size += rest
    whole: set[int] = set()
    newest_first = sorted(
        sorted(kept, key=lambda row: row.guid),
        key=lambda row: row.published,
        reverse=True,
    )
    for row in newest_first if bodies else ():
        if budget is not None and size + row.content_size > budget:
            break
        whole.add(row.pk)
        size += row.content_size
    return Fitting([row.pk for row in kept], frozenset(whole), size, is_cut)
