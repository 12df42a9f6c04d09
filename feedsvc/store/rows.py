"""Between rows and the model's values; no row leaves `store`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc.model import Category, Enclosure, Entry, EventDetails, Image, Person, Place, Source
from feedsvc.store.tables import categories, entries, event_details

_event_columns = [column.label(f"event_{column.name}") for column in event_details.c]

joined = entries.outerjoin(event_details)
"""An entry with its event's details beside it."""

columns = [*entries.c, *_event_columns]
"""What `entry_from` reads."""

category_columns = [column for column in categories.c if column is not categories.c.id]


def _document(value: Any) -> dict[str, Any] | None:
    return value and {name: item for name, item in asdict(value).items() if item is not None}


def _documents(values: Sequence[Any]) -> list[dict[str, Any] | None] | None:
    return [_document(value) for value in values] or None


def entry_row(entry: Entry) -> dict[str, Any]:
    """The columns of `entries` that hold an entry; whether it is shown is not among them."""
    return {
        "id": entry.id,
        "guid": entry.guid,
        "kind": entry.kind,
        "status": entry.status,
        "version": entry.version,
        "published": entry.published,
        "updated": entry.updated,
        "ends": entry.event.ends if entry.event else None,
        "url": entry.url,
        "title": entry.title,
        "summary": entry.summary,
        "content_html": entry.content_html,
        "content_text": entry.content_text,
        "language": entry.language,
        "rights": entry.rights,
        "authors": _documents(entry.authors),
        "source": _document(entry.source),
        "image": _document(entry.image),
        "attachments": _documents(entry.attachments),
    }


def event_row(event: EventDetails) -> dict[str, Any]:
    """The columns of `event_details`."""
    return {
        "start": event.start.isoformat(),
        "end": event.end.isoformat() if event.end else None,
        "timezone": event.timezone.key,
        "status": event.status,
        "location": _document(event.location),
        "organizer": _document(event.organizer),
    }


def entry_from(row: sa.Row[Any], placed: tuple[Category, ...]) -> Entry:
    """An entry from a row of `columns` and its categories."""
    return Entry(
        id=row.id,
        guid=row.guid,
        kind=row.kind,
        status=row.status,
        version=row.version,
        published=row.published,
        updated=row.updated,
        url=row.url,
        title=row.title,
        summary=row.summary,
        content_html=row.content_html,
        content_text=row.content_text,
        language=row.language,
        rights=row.rights,
        authors=tuple(Person(**item) for item in row.authors or ()),
        source=Source(**row.source) if row.source else None,
        image=Image(**row.image) if row.image else None,
        attachments=tuple(Enclosure(**item) for item in row.attachments or ()),
        categories=placed,
        event=_event_from(row) if row.event_start else None,
    )


def _event_from(row: sa.Row[Any]) -> EventDetails:
    zone = ZoneInfo(row.event_timezone)
    return EventDetails(
        start=_moment(row.event_start, zone),
        end=_moment(row.event_end, zone) if row.event_end else None,
        timezone=zone,
        status=row.event_status,
        location=Place(**row.event_location) if row.event_location else None,
        organizer=Person(**row.event_organizer) if row.event_organizer else None,
    )


def _moment(text: str, zone: ZoneInfo) -> date:
    return datetime.fromisoformat(text).astimezone(zone) if "T" in text else date.fromisoformat(text)


def category_from(row: sa.Row[Any]) -> Category:
    """A category from a row of `category_columns`."""
    return Category(row.slug, row.title, row.description, row.language, row.url)
