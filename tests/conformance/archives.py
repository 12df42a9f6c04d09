"""Checks of archived feeds (RFC 5005), in both formats."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from tests.conformance.findings import Element, Report, children
from tests.conformance.links import ARCHIVE_RELATIONS, links


def check_archives(report: Report, feed: Element) -> None:
    """Check the fh: elements and links of a current feed, an archive or a complete feed."""
    relations = {relation: links(feed, relation) for relation in ARCHIVE_RELATIONS}
    archive, complete = (
        bool(children(feed, "fh:archive")),
        bool(children(feed, "fh:complete")),
    )
    for relation, found in relations.items():
        if len(found) > 1:
            report.add(feed, "RFC 5005 §4", "has two links of one relation", relation)
    if complete and (archive or any(relations.values())):
        report.add(feed, "RFC 5005 §2", "is complete but has archives")
    if archive and not relations["current"]:
        report.add(
            feed, "RFC 5005 §4", "is an archive that does not link to the current feed"
        )
    if archive and not (
        relations["prev-archive"] or relations["next-archive"] or complete
    ):
        report.add(
            feed,
            "W3C feed validator ArchiveIncomplete",
            "is an archive that links to no other",
        )
    if not archive and relations["next-archive"]:
        report.add(feed, "RFC 5005 §4", "is not an archive but has a next one")
    if report.url and archive != ("archive" in parse_qs(urlsplit(report.url).query)):
        report.add(
            feed,
            "RFC 5005 §4",
            "does not match its URL, current or archive",
            report.url,
        )
    _check_targets(report, feed, relations, archive)


def _check_targets(
    report: Report, feed: Element, relations: dict[str, list[Element]], archive: bool
) -> None:
    own = {link.get("href") for link in links(feed, "self")}
    other = (
        "prev-archive",
        "next-archive",
        "next",
        "previous",
        *(["current"] if archive else []),
    )
    for link in [link for relation in other for link in relations[relation]]:
        if link.get("href") in own:
            report.add(
                link,
                "RFC 5005 §4",
                "links from a document to itself",
                link.get("href", ""),
            )
    before, after = relations["prev-archive"], relations["next-archive"]
    if before and after and before[0].get("href") == after[0].get("href"):
        report.add(feed, "RFC 5005 §4", "has the same previous and next archive")
