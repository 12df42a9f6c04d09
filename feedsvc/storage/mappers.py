"""Between rows and the model's values; no row leaves `store`."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from feedsvc import timezones
from feedsvc.models import (
    Attachment,
    Category,
    Entry,
    Event,
    Image,
    Person,
    Place,
    Recurrence,
    Source,
    Tombstone,
)
from feedsvc.recurrence import check_rule, series_end
from feedsvc.storage.readable import UNREADABLE, readable_rows, report
from feedsvc.storage.tables import (
    INHERITED,
    categories,
    entries,
    entry_categories,
    event_details,
)

# The columns that hold JSON, and the value that each object in them stands for.
_PARTS = {
    "authors": Person,
    "source": Source,
    "image": Image,
    "attachments": Attachment,
}
_PLAIN = [
    field.name
    for field in fields(Entry)
    if field.name in entries.c and field.name not in _PARTS
]

_UNTIL = "%Y%m%dT%H%M%S"
_NUMBERS = frozenset("length width height duration latitude longitude".split())

_ESSENTIAL = (
    "id",
    "kind",
    "language",
    "status",
    "guid",
    "version",
    "sequence",
    "published",
)
"""The columns without which an entry cannot be replaced or deleted."""

_AT_HEAD = [*_PLAIN, *_PARTS]

EntryRows = list[tuple[sa.Row[Any], Entry]]
"""Entries with their rows."""

_BODY = ("content_html", "content_text")
ENTRY_SELECT = sa.select(
    *(
        entries.c[name] for name in _AT_HEAD
    ),  # first, to be read by their place: thrice as fast as by name
    *(column for column in entries.c if column.name not in _AT_HEAD),
    *(column.label(f"event_{column.name}") for column in event_details.c),
).select_from(entries.outerjoin(event_details))
"""Entries with their events' details beside them: what `entry_from` reads."""
_abridged_entries = ENTRY_SELECT.with_only_columns(
    *(
        sa.null().label(name) if name in _BODY else one
        for name, one in ENTRY_SELECT.selected_columns.items()
    ),
    maintain_column_froms=True,
)

_filed_under = (
    sa.select(
        entry_categories.c.entry_pk,
        categories.c.titled_at,
        *(categories.c[field.name] for field in fields(Category)),
    )
    .join_from(entry_categories, categories)
    .where(entry_categories.c.position > INHERITED)
    .order_by(entry_categories.c.entry_pk, entry_categories.c.position)
)
"""The categories that entries name, in their order: an entry's key, when the title of the category last
changed, and what makes a `Category`."""


def fetch_entries(
    connection: sa.Connection,
    *where: sa.ColumnElement[bool],
    order: Iterable[Any] = (),
    limit: int | None = None,
    bodies: bool = True,
) -> EntryRows:
    """Entries with their details in one statement, and their categories in a second one.

    One that cannot be read is left out and logged. Without `bodies` their content is not read.
    """
    statement = (
        (ENTRY_SELECT if bodies else _abridged_entries)
        .where(*where)
        .order_by(*order)
        .limit(limit)
    )
    rows = readable_rows(connection, statement, entries.c.pk)
    placed: dict[int, list[Category]] = defaultdict(list)
    changed = {row.pk: row.changed_at for row in rows}
    if rows:
        mine = entry_categories.c.entry_pk.in_(list(changed))
        for pk, titled_at, *category in connection.execute(_filed_under.where(mine)):
            placed[pk].append(Category(*category))
            changed[pk] = max(changed[pk], titled_at)
    loaded: EntryRows = []
    for row in rows:
        try:
            loaded.append(
                (row, entry_from(row, tuple(placed[row.pk]), changed[row.pk]))
            )
        except UNREADABLE as error:
            report(row.pk, error)
    return loaded


def load_damaged(
    connection: sa.Connection, *where: sa.ColumnElement[bool]
) -> tuple[int, Entry] | None:
    """Return the key of a stored entry and what can be read of one that `load` leaves out.

    It has no title, so that no entry that is put over it equals it.
    """
    columns = [entries.c[name] for name in _ESSENTIAL]
    try:
        row = (
            connection.execute(sa.select(entries.c.pk, *columns).where(*where))
            .mappings()
            .one_or_none()
        )
    except UNREADABLE:
        columns.remove(entries.c.published)
        row = (
            connection.execute(sa.select(entries.c.pk, *columns).where(*where))
            .mappings()
            .one_or_none()
        )
    if row is None:
        return None
    values = {column.name: row[column.name] for column in columns}
    return row["pk"], Entry(**values, title="")


_series = (
    sa.select(
        event_details.c.entry_pk,
        event_details.c.start.label("event_start"),
        event_details.c.end.label("event_end"),
        event_details.c.timezone.label("event_timezone"),
        event_details.c.recurrence.label("event_recurrence"),
    )
    .join_from(event_details, entries)
    .where(event_details.c.recurrence.is_not(sa.null()))
)
"""The columns of `event_details` that say when series take place."""


def load_series(
    connection: sa.Connection, *where: sa.ColumnElement[bool]
) -> Iterator[tuple[int, Event]]:
    """Yield the keys of series with their times, and nothing else of them."""
    for row in readable_rows(
        connection, _series.where(*where), event_details.c.entry_pk
    ):
        try:
            event = Event(**_times_from(row))
        except UNREADABLE as error:
            report(row.entry_pk, error)
        else:
            yield row.entry_pk, event


def fold_diacritics(text: str) -> str:
    """Text as search compares it: no case, no marks, đ as d; “Hà Nội” is found by “ha noi”."""
    plain = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    return "".join(char for char in plain if not unicodedata.combining(char))


def entry_row(entry: Entry) -> dict[str, Any]:
    """The columns of `entries`, but for the key."""
    return {
        **{name: getattr(entry, name) for name in _PLAIN},
        **{name: _json(getattr(entry, name)) for name in _PARTS},
        "title_search": fold_diacritics(entry.title),
        "lang": entry.language.lower(),
        "ends": series_end(entry.event) if entry.event else None,
    }


def entry_from(
    row: sa.Row[Any], placed: tuple[Category, ...], changed: datetime
) -> Entry:
    """An entry from a row of `whole_entries`, its categories, and when it or a label of it last changed."""
    values = dict(zip(_AT_HEAD, row, strict=False))
    for name, kind in _PARTS.items():
        values[name] = _part(kind, values[name])
    for name in ("authors", "attachments"):
        values[name] = values[name] or ()
    event = _event_from(row) if row.event_start else None
    return Entry(**values, categories=placed, event=event, changed=changed)


def event_row(event: Event) -> dict[str, Any]:
    """The columns of `event_details`, but for the key."""
    return {
        "start": _stored(event.start),
        "end": _stored(event.end) if event.end else None,
        "timezone": event.timezone.key,
        "status": event.status,
        "location": _json(event.location),
        "organizer": _json(event.organizer),
        "recurrence": event.recurrence
        and _stored_recurrence(event.recurrence, event.timezone),
        "previous_start": _stored(event.previous_start)
        if event.previous_start
        else None,
    }


def tombstone_from(row: sa.Row[Any]) -> Tombstone:
    """A tombstone from a row of its table with the entry's `guid` and, as `when`, the time that counts."""
    event = None
    if row.start:
        try:
            zone = timezones.zone(row.timezone)
            event = Event(_moment(row.start, zone), None, zone)
        except UNREADABLE as error:  # calendars leave it out
            report(row.entry_pk, error)
    return Tombstone(row.guid, row.when, event, row.sequence or 0)


def category_from(row: sa.Row[Any]) -> Category:
    """A category from a row of its table."""
    return Category(
        **{field.name: getattr(row, field.name) for field in fields(Category)}
    )


def _event_from(row: sa.Row[Any]) -> Event:
    times = _times_from(row)
    return Event(
        **times,
        status=row.event_status,
        location=_part(Place, row.event_location),
        organizer=_part(Person, row.event_organizer),
        previous_start=_moment(row.event_previous_start, times["timezone"])
        if row.event_previous_start
        else None,
    )


def _times_from(row: Any) -> dict[str, Any]:
    """Return the fields of `EventDetails` that say when an event takes place."""
    zone = timezones.zone(row.event_timezone)
    start = _moment(row.event_start, zone)
    recurrence = None
    if row.event_recurrence is not None:
        recurrence = _recurrence_from(row.event_recurrence, zone)
        check_rule(recurrence.rrule, start)
    return {
        "start": start,
        "end": _moment(row.event_end, zone) if row.event_end else None,
        "timezone": zone,
        "recurrence": recurrence,
    }


def _recurrence_from(found: dict[str, Any], zone: ZoneInfo) -> Recurrence:
    def moment(text: str) -> date:
        return (
            datetime.fromisoformat(text).replace(tzinfo=zone)
            if "T" in text
            else date.fromisoformat(text)
        )

    lists = {
        name: tuple(map(moment, found.get(name, ()))) for name in ("exdates", "rdates")
    }
    return Recurrence(_rule_from(found["rrule"], zone), **lists)


def _moment(text: str, zone: ZoneInfo) -> date:
    """Return a date, or a time in a zone from its wall time; one with an offset is of the second pass."""
    if "T" not in text:
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    local = moment.replace(tzinfo=zone, fold=1 if moment.tzinfo else 0)
    # By way of UTC, so that a time which a change of the clock skips becomes one that exists.
    return local.astimezone(UTC).astimezone(zone)


def _stored(moment: date) -> str:
    """Return a date or a wall time as text: the zone's rules may change, the hour of an event does not."""
    if (
        isinstance(moment, datetime)
        and moment.replace(fold=0).utcoffset() == moment.utcoffset()
    ):
        return moment.replace(tzinfo=None).isoformat()
    return moment.isoformat()


def _stored_recurrence(recurrence: Recurrence, zone: ZoneInfo) -> dict[str, Any]:
    """Return a recurrence as JSON, its UNTIL as the wall time that it means in the zone."""

    def local(match: re.Match[str]) -> str:
        try:
            wall = (
                datetime.strptime(match[1], _UNTIL).replace(tzinfo=UTC).astimezone(zone)
            )
        except (ValueError, OverflowError):
            return match[0]
        repeated = wall.replace(fold=0).utcoffset() != wall.utcoffset()
        return match[0] if repeated else f"UNTIL={wall:{_UNTIL}}"

    document = recurrence.to_dict()
    return {
        **document,
        "rrule": re.sub("UNTIL=([0-9]{8}T[0-9]{6})Z", local, document["rrule"]),
    }


def _rule_from(text: str, zone: ZoneInfo) -> str:
    """Return a rule with UNTIL in UTC, from one with the wall time."""

    def instant(match: re.Match[str]) -> str:
        wall = datetime.strptime(match[1], _UNTIL).replace(tzinfo=zone)
        return f"UNTIL={wall.astimezone(UTC):{_UNTIL}}Z"

    return re.sub("UNTIL=([0-9]{8}T[0-9]{6})(?!Z)", instant, text)


def _json(value: Any) -> Any:
    """A value, or several, as JSON without what is absent."""
    if isinstance(value, tuple):
        return [_json(item) for item in value] or None
    return value and {
        name: item for name, item in asdict(value).items() if item is not None
    }


def _part(kind: type[Any], found: Any) -> Any:
    if isinstance(found, list):
        return tuple(_value(kind, item) for item in found)
    return _value(kind, found) if found else None


def _value(kind: type[Any], members: dict[str, Any]) -> Any:
    """Return a value of the model.

    :raises TypeError: a member is missing, unknown, or text where a number belongs or the reverse.
    """
    for name, member in members.items():
        if not isinstance(member, (int, float) if name in _NUMBERS else str):
            raise TypeError(f"{name} is {member!r}")
    return kind(**members)
