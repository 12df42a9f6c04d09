"""What distinguishes one version of an entry from another."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from feedsvc.models import EPOCH, Entry, Event
from feedsvc.storage.mappers import entry_row, event_row


def stored_values(entry: Entry) -> tuple[object, ...]:
    """Return what would be stored of an entry, except for what the store gives.

    A row distinguishes the two passes of a repeated hour, which times compare as equal.
    """
    bare = replace(entry, guid="", updated=EPOCH, version=0, sequence=0, starts=None)
    return entry_row(bare), entry.event and event_row(entry.event), entry.categories


def schedule(entry: Entry) -> tuple[object, ...]:
    """Return the part of an entry whose changes a calendar shows by a higher SEQUENCE (RFC 5546 §2.1.4)."""
    return entry.status, entry.event and event_row(replace(entry.event, organizer=None))


def updated_at(source: datetime | None, entry: Entry, changed: datetime) -> datetime:
    """Return when an entry was updated: by its source, but neither before its publication nor after now."""
    if source is None:
        return changed
    return min(max(source, entry.published or source), changed)


def with_previous_start(event: Event | None, old: Event | None) -> Event | None:
    """Return an event with the start that it had before it was postponed."""
    if event is None or old is None:
        return event
    moved = event.start != old.start and "postponed" in (event.status, old.status)
    previous = old.start if moved else old.previous_start
    return replace(event, previous_start=None if previous == event.start else previous)
