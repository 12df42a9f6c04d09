"""A validator of feed documents, independent of the service.

The rules are those of RFC 4287, RSS 2.0 with the RSS Advisory Board's profile, JSON Feed 1.1, Media RSS 1.5.1,
and what the W3C's feed validator reports as errors and warnings.
"""

from __future__ import annotations

from datetime import datetime

from tests.conformance import atom, json_feed, rss
from tests.conformance.findings import Finding, Report

CHECKS = {
    "application/atom+xml": atom.check,
    "application/rss+xml": rss.check,
    "application/feed+json": json_feed.check,
}

__all__ = ["Finding", "findings"]


def findings(
    document: bytes,
    media_type: str,
    *,
    url: str | None = None,
    now: datetime | None = None,
) -> list[Finding]:
    """Return the violations in a feed document.

    :param media_type: its Content-Type, with parameters or without.
    :param url: the URL that it was fetched from, to compare with its self link.
    :param now: the time after which dates are in the future; None allows them.
    """
    check = CHECKS.get(media_type.partition(";")[0].strip().lower())
    if check is None:
        return [
            Finding(
                "W3C feed validator UnexpectedContentType",
                "/",
                "is not served with a feed's media type",
                media_type,
            )
        ]
    report = Report(document, url, now)
    check(report, media_type)
    return report.findings
