"""The document of an entry: JSON with all members but `COLUMN_MEMBERS`.

The members and their types come from the dataclasses in `feedsvc.models`, so a member
that is added there is stored without a change here, and without a migration.

An event is stored in the local time of its zone: when the rules of a zone change, the
event stays at its hour.
"""

from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any, TypedDict, get_type_hints
from zoneinfo import ZoneInfo

import msgspec

from feedsvc.models import Cancellation, Entry, Event, Recurrence, local_iso
from feedsvc.text import timezones

#: Members that come from columns, from other rows, or from the query of a feed.
COLUMN_MEMBERS = frozenset(
    "guid version sequence updated starts ends is_ongoing is_next is_over categories "
    "translations".split()
)

_DOCUMENT_MEMBERS = tuple(
    field.name for field in fields(Entry) if field.name not in COLUMN_MEMBERS
)

_MOMENTS = ("start", "end", "previous_start")

#: The members of an event that depend on its zone, which is stored by its name.
_ZONED_MEMBERS: dict[str, Any] = {
    **dict.fromkeys(_MOMENTS, str | None),
    "timezone": str,
    "recurrence": dict[str, Any] | None,
}

# mypy knows typed dictionaries only from literals; these follow the dataclasses.
_EventDocument = TypedDict(  # type: ignore[misc]
    "_EventDocument", get_type_hints(Event) | _ZONED_MEMBERS, total=False
)
_EntryDocument = TypedDict(  # type: ignore[misc]
    "_EntryDocument",
    {name: get_type_hints(Entry)[name] for name in _DOCUMENT_MEMBERS}
    | {"event": _EventDocument},
    total=False,
)

_decoder = msgspec.json.Decoder[dict[str, Any]](_EntryDocument)


def encode_document(entry: Entry) -> str:
    """Return the document of an entry; entries with the same members have the same."""
    members = {name: getattr(entry, name) for name in _DOCUMENT_MEMBERS}
    if entry.event:
        members["event"] = _event_members(entry.event)
    present = _without_empty(msgspec.to_builtins(members))
    encoded: bytes = msgspec.json.encode(present, order="sorted")
    return encoded.decode()


def decode_document(document: str, **columns: Any) -> Entry:
    """Return the entry of a document.

    :param columns: those of `COLUMN_MEMBERS` that are known.
    """
    members: dict[str, Any] = _decoder.decode(document)
    event = members.get("event")
    if event is not None:
        # Version 2.0 stored that of every event that was moved.
        if event["status"] != "rescheduled":
            event.pop("previous_start", None)
        members["event"] = Event(**(event | _decode_times(event)))
    return Entry(**members, **columns)


def _event_members(event: Event) -> dict[str, Any]:
    """Return the members of an event, with local times instead of instants."""
    members = {field.name: getattr(event, field.name) for field in fields(event)}
    return members | {
        **{name: members[name] and _local_text(members[name]) for name in _MOMENTS},
        "timezone": event.timezone.key,
        "recurrence": event.recurrence and event.recurrence.to_dict(),
    }


def _local_text(moment: date) -> str:
    """Return a date or a local time as text.

    Where clocks go back, the same local time comes twice; the text of the second one
    has its UTC offset.
    """
    # The schema and `_local_moment` convert times to UTC and back, which leaves a fold
    # only on the second one.
    is_second = isinstance(moment, datetime) and moment.fold
    return moment.isoformat() if is_second else local_iso(moment)


def _local_moment(text: str, zone: ZoneInfo) -> date:
    """Return the date or the time in a zone that `_local_text` made into text."""
    if "T" not in text:
        return date.fromisoformat(text)
    moment = datetime.fromisoformat(text)
    local = moment.replace(tzinfo=zone, fold=1 if moment.tzinfo else 0)
    # The way over UTC turns a local time that clocks skip into an existing one.
    return local.astimezone(UTC).astimezone(zone)


def _without_empty(value: Any) -> Any:
    """Return a value of JSON without members that are null or an empty list."""
    if isinstance(value, (tuple, list)):
        return [_without_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _without_empty(item)
        for name, item in value.items()
        if item not in (None, (), [])
    }


def _decode_times(event: dict[str, Any]) -> dict[str, Any]:
    """Return the members in `_ZONED_MEMBERS` of an event from its document."""
    zone = timezones.zone(event["timezone"])
    recurrence = event.get("recurrence")
    moments = {name: event.get(name) for name in _MOMENTS}
    return {
        **{name: text and _local_moment(text, zone) for name, text in moments.items()},
        "timezone": zone,
        "recurrence": recurrence and _decode_recurrence(recurrence, zone),
    }


def _decode_recurrence(members: dict[str, Any], zone: ZoneInfo) -> Recurrence:
    # Unlike in `_local_moment`, a skipped time must stay as it is: occurrences are
    # compared with exdates before they are moved behind the change.
    def moment(text: str) -> date:
        if "T" in text:
            return datetime.fromisoformat(text).replace(tzinfo=zone)
        return date.fromisoformat(text)

    exdates, rdates = (
        tuple(map(moment, members.get(name, ()))) for name in ("exdates", "rdates")
    )
    cancelled = tuple(
        Cancellation(moment(each["start"]), each.get("notice"))
        for each in members.get("cancelled", ())
    )
    return Recurrence(members["rrule"], exdates, rdates, cancelled)
