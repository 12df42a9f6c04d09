"""Checks of deleted entries (RFC 6721), in both formats."""

from __future__ import annotations

from collections import Counter

from tests.conformance.findings import Element, Report, children
from tests.conformance.values import is_uri, rfc_822, rfc_3339

SECTION = "RFC 6721 §3"


def check_tombstones(report: Report, feed: Element) -> None:
    """Check tombstones; an entry with a tombstone must have been updated since."""
    tombstones = children(feed, "at:deleted-entry")
    updated = {
        (entry.findtext("{*}id") or entry.findtext("guid") or ""): (
            rfc_3339(entry.findtext("{*}updated") or "")
            or rfc_822(entry.findtext("pubDate") or "")
        )
        for entry in children(feed, "entry", "item")
    }
    for tombstone in tombstones:
        ref, when = tombstone.get("ref", ""), tombstone.get("when", "")
        moment = rfc_3339(when)
        if ref and not is_uri(ref) and children(feed, "entry"):
            report.add(tombstone, SECTION, "has a ref that is not an absolute URI", ref)
        if when and moment is None:
            report.add(
                tombstone, SECTION, "has a when that is not an RFC 3339 date", when
            )
        lives = updated.get(ref)
        if moment and lives and lives <= moment:
            report.add(
                tombstone, SECTION, "is a deletion of an entry in the same feed", ref
            )
        if moment and report.now and moment > report.now:
            report.add(tombstone, SECTION, "is a deletion in the future", when)
    for ref, count in Counter(
        tombstone.get("ref", "") for tombstone in tombstones
    ).items():
        if count > 1:
            report.add(feed, SECTION, "has a duplicate tombstone", ref)
