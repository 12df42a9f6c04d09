"""The API's documents of an article and an event with every member.

A new member gets its value here, for the tests of the API, the storage and the formats.
"""

from __future__ import annotations

from typing import Any

from marshmallow.fields import List

from feedsvc.input.fields import Text
from feedsvc.input.schemas import ArticleSchema, EntrySchema, EventSchema

SCHEMAS: dict[str, type[EntrySchema]] = {
    "articles": ArticleSchema,
    "events": EventSchema,
}
"""The schema of each collection of the API."""

MINIMAL = {
    "articles": {"title": "x"},
    "events": {"title": "x", "start": "2026-12-24"},
}
"""Documents with the required members alone."""

MEMBERS = {
    name: collection
    for collection in ("events", "articles")
    for name, field in SCHEMAS[collection]._declared_fields.items()
    if not field.dump_only
}
"""All members that can be sent, each with a collection whose entries have it."""

TEXT_MEMBERS: dict[str, dict[str, int]] = {
    collection: {
        name: field.metadata["maxLength"]
        for name, field in schema._declared_fields.items()
        if isinstance(field, Text)
    }
    for collection, schema in SCHEMAS.items()
}
"""The members with plain text, and how many characters they may have.

The limit of `content_text` is that of imports; a posted one is limited in bytes.
"""

TEXT_LISTS = {
    name
    for name, collection in MEMBERS.items()
    if isinstance(field := SCHEMAS[collection]._declared_fields[name], List)
    and isinstance(field.inner, Text)
}
"""The members with lists of plain texts."""

NOT_SEARCHED = {"notice", "rights"}
"""Members with text by which a search does not find an entry."""

_BOTH: dict[str, Any] = {
    "title": "Thành tựu <b>&amp; tiến bộ</b>",
    "url": "https://portal.example/tin/đầy-đủ?a=1&b=2",
    "summary": "Một & hai < ba",
    "content_html": '<p>Đoạn một &amp; hai.</p>\n<p><a href="https://portal.example/x" rel="noopener noreferrer">Liên kết</a></p>',
    "language": "en",
    "authors": [
        {
            "name": "Lan",
            "url": "https://portal.example/lan",
            "email": "lan@portal.example",
        },
        {"name": "Nam"},
    ],
    "source": {"name": "Báo Thủ đô", "url": "https://bao.example/"},
    "rights": "© Báo Thủ đô",
    "categories": ["van-hoa", "giao-thong"],
    "image": {
        "url": "https://media.example/cầu.jpg",
        "alt": "Cầu",
        "caption": "Cây cầu & sông",
        "credit": "Nam",
        "type": "image/jpeg",
        "length": 1000,
        "width": 1200,
        "height": 800,
    },
    "attachments": [
        {
            "url": "https://media.example/a.mp3",
            "mime_type": "audio/mpeg",
            "size_in_bytes": 5,
            "title": "Nghe",
            "duration_in_seconds": 61.5,
        },
        {"url": "https://media.example/b.pdf", "mime_type": "application/pdf"},
    ],
    "translation_key": "thanh-tuu",
    "date_published": "2026-11-01T01:00:00.000500Z",
    "status": "published",
    "notice": "Đã sửa số liệu.",
    "expires": "2031-11-01T01:00:00Z",
}
"""`content_html` stands for the body: an entry has only one of the two."""

ARTICLE: dict[str, Any] = {**_BOTH}

EVENT: dict[str, Any] = {
    **_BOTH,
    "start": "2026-12-24T19:00:00+07:00",
    "end": "2026-12-24T21:30:00+07:00",
    "timezone": "Asia/Ho_Chi_Minh",
    "location": {
        "name": "Nhà hát Lớn",
        "address": "1 Tràng Tiền",
        "latitude": 21.024,
        "longitude": 105.857,
    },
    "organizer": {"name": "Sở Văn hoá", "email": "so@portal.example"},
    "event_status": "postponed",
    "attendance": "mixed",
    "online_url": "https://live.example/hoà-nhạc?a=1&b=2",
    "offers": [
        {
            "name": "Người <lớn>",
            "price": "150000",
            "currency": "VND",
            "url": "https://ve.example/",
            "availability": "in_stock",
        },
        {"name": "Trẻ em", "price": "0", "currency": "VND"},
    ],
    "performers": [
        {"name": "Dàn nhạc <Giao hưởng>", "url": "https://nhac.example/"}
    ],
    "recurrence": {
        "rrule": "FREQ=WEEKLY;COUNT=3",
        "exdates": ["2026-12-31T19:00:00"],
        "rdates": ["2027-01-02T19:00:00"],
        "cancelled": [{"start": "2027-01-07T19:00:00", "notice": "Bão"}],
    },
}
