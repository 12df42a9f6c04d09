"""Tests of the checks of single values: valid and invalid ones at the limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conformance.html import looks_like_html
from tests.conformance.values import (
    is_canonical,
    is_email,
    is_integer,
    is_language,
    is_media_type,
    is_uri,
    is_w3cdtf,
    rfc_822,
    rfc_3339,
)

CASES: list[tuple[Callable[[str], object], list[str], list[str]]] = [
    (
        is_uri,
        ["https://a.example", "https://a.example:8443/x?a=b&c=%C4%91#d", "http://[::1]/x", "http://localhost:8000/",
         "mailto:a@b.example", "urn:uuid:00000000-0000-4000-8000-00000000000A", "urn:isbn:0451450523",
         "tag:a.example,2026:x", "tag:a.example,2026-11-01:x/y"],
        ["", "a", "/a", "//a.example/", "https:a", "https://", "https://a.example/%zz", "https://a.example/<",
         "https://a.example/đ", "https://a.example/a#b#c", "javascript:x()", "urn:uuid:0", "urn:x", "tag:x"],
    ),
    (
        is_canonical,
        ["https://a.example/", "https://a.example/%C4%91", "https://a.example:81/", "urn:isbn:0451450523"],
        ["https://a.example", "https://A.example/", "http://a.example:80/", "https://a.example/./",
         "https://a.example/%c4%91", "https://a.example/%41", "https://@a.example/", "HTTPS://a.example/"],
    ),
    (is_language, ["vi", "en-GB", "zh-Hant-TW", "sr-Latn", "de-1996", "es-419", "en-x-a"], ["", "vi_VN", "xx", "vi-", "v"]),
    (
        is_media_type,
        ["text/html", "image/svg+xml", "audio/mpeg; codecs=\"a b\"", "text/html;charset=utf-8"],
        ["", "text", "text/", "text/html;", "text/html; charset", "a/b/c"],
    ),
    (is_email, ["a@b.example", "a.b+c@x-y.example"], ["", "a", "a@b", "a b@c.example", "a@b.example>", "đ@b.example"]),
    (is_integer, ["0", "12"], ["", "-1", "1.0", "1e3", " 1", "²", "١"]),
    (
        is_w3cdtf,
        ["2026", "2026-11", "2026-11-01", "2026-11-01T08:00Z", "2026-11-01T08:00:00.5+07:00"],
        ["", "26", "2026-13", "2026-11-31", "2026-11-01T08:00:00", "2026-11-01 08:00Z", "2026-11-01T25:00Z"],
    ),
    (
        rfc_3339,
        ["2026-11-01T08:00:00Z", "2026-11-01T08:00:00.123456-07:30"],
        ["", "2026-11-01", "2026-11-01T08:00Z", "2026-11-01T08:00:00", "2026-11-01t08:00:00z", "2026-02-29T08:00:00Z"],
    ),
    (
        rfc_822,
        ["Sun, 01 Nov 2026 08:00:00 +0700", "Sun, 1 Nov 2026 08:00 +0530"],
        ["", "1 Nov 2026 08:00:00 +0700", "Mon, 01 Nov 2026 08:00:00 +0700", "CN, 01 Thg11 2026 08:00:00 +0700",
         "Sun, 01 Nov 2026 08:00:00 Z", "Sun, 01 Nov 2026 24:00:00 +0700"],
    ),
    (
        looks_like_html,
        ["<b>x</b>", "&amp;", "&#39;", "&#x27;", "x &copy y", "</P>"],
        ["", "A & B", "AT&T", "R&D;", "1 < 2 > 0", "<- x ->", "<Trống Đồng>", "</trống>"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("test", "good", "bad"), CASES, ids=lambda value: getattr(value, "__name__", "")
)
def test_check_accepts_good_values_and_no_bad_ones(
    test: Callable[[str], object], good: list[str], bad: list[str]
) -> None:
    assert [value for value in good if not test(value)] == []
    assert [value for value in bad if test(value)] == []
