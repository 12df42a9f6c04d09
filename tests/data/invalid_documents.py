"""Documents that the API must refuse, each with the pointer of the error."""

from __future__ import annotations

from typing import Any

_FILE = {"url": "https://media.example/a.mp3", "mime_type": "audio/mpeg"}

_ARTICLES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"title": "क़" * 251}, "/title"),  # 251 characters, 502 in NFC
    ({"title": "\u202e\u2066 \u2069"}, "/title"),  # nothing but controls
    ({"title": "a" + "\u0316" * 31}, "/title"),
    ({"title": "a\u0085\ufdd0\U0010ffff"}, "/title"),
    ({"summary": "क़" * 1001}, "/summary"),
    ({"content_html": "<p>\udc00</p>"}, "/content_html"),
    ({"content_html": "<blockquote>" * 257}, "/content_html"),
    # Over 256 KiB in octets, not in characters.
    ({"content_html": "ệ" * 87_382}, "/content_html"),
    ({"url": "https://portal.example/100%"}, "/url"),
    ({"url": "https://portal.example/%zz"}, "/url"),
    ({"url": "https://portal.example\\@x.example/"}, "/url"),
    ({"url": "https://portal.example:0/"}, "/url"),
    ({"url": "https://portal.example/a\u200fb"}, "/url"),
    ({"url": "https://biên-tập@portal.example/"}, "/url"),
    ({"url": "HTTPS:///portal.example/"}, "/url"),
    ({"language": "vi_VN"}, "/language"),
    ({"authors": [{"name": "Lan"}] * 51}, "/authors"),
    (
        {"authors": [{"name": "Lan", "email": "lan@x.example\nBcc: y@x.example"}]},
        "/authors/0/email",
    ),
    ({"authors": [{"name": "L" * 201}]}, "/authors/0/name"),
    ({"source": {"url": "https://bao.example/"}}, "/source/name"),
    (
        {"image": {"url": "https://media.example/a.jpg", "width": 100_001}},
        "/image/width",
    ),
    (
        {"attachments": [{**_FILE, "duration_in_seconds": -0.5}]},
        "/attachments/0/duration_in_seconds",
    ),
    ({"attachments": [_FILE] * 51}, "/attachments"),
    ({"date_published": "1969-12-31T23:59:59.999999Z"}, "/date_published"),
    ({"date_published": "1970-01-01T06:59:59+07:00"}, "/date_published"),
    ({"date_published": "2200-12-31T23:59:59-00:01"}, "/date_published"),
    ({"date_published": "2026-06-30T23:59:60Z"}, "/date_published"),
    ({"date_published": "2026-06-30T24:00:00"}, "/date_published"),
    ({"date_published": "2026-06-30T12:00:00+7"}, "/date_published"),
    ({"date_published": "2026-06-30T12:00:00,5Z"}, "/date_published"),
    ({"date_published": "２０２６-06-30T12:00:00Z"}, "/date_published"),
    (
        {
            "date_published": "2026-11-02T00:00:00+07:00",
            "expires": "2026-11-01T17:00:00Z",
        },
        "/expires",
    ),
)
_EVENTS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"start": "1969-12-31"}, "/start"),
    ({"start": "2027-02-29"}, "/start"),
    ({"start": "2026-12-24T19:00:00", "timezone": "asia/ho_chi_minh"}, "/timezone"),
    ({"start": "2026-12-24T19:00:00", "end": "2026-12-24T19:00:00+07:30"}, "/end"),
    (
        {"start": "2027-11-07T01:30:00-05:00", "end": "2027-11-07T01:30:00-04:00"},
        "/end",
    ),
)


def invalid_documents() -> list[tuple[dict[str, Any], str]]:
    """Return documents with kind and id, and the pointer of the error of each."""
    cases = [("news", *case) for case in _ARTICLES] + [
        ("events", *case) for case in _EVENTS
    ]
    return [
        (
            {"kind": kind, "id": f"x-{number}", "title": "Tiêu đề", **fields},
            f"#{pointer}",
        )
        for number, (kind, fields, pointer) in enumerate(cases)
    ]
