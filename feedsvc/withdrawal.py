"""Withdrawal: which members of an entry readers still see, once it is withdrawn."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from feedsvc.models import Entry

WITHDRAWN_ENTRY = frozenset(
    "id kind title language status url categories event notice expires published guid updated version "
    "withdrawn sequence starts changed".split()
)
"""What readers still see of a withdrawn entry: that it was there, and why it is no longer."""

WITHDRAWN_EVENT = frozenset({"start", "end", "timezone", "status", "recurrence"})
"""What readers still see of a withdrawn event's details: its dates, so that calendars cancel it."""


def as_withdrawn(entry: Entry) -> Entry:
    """Return a withdrawn entry as readers see it."""
    event = entry.event and replace(
        entry.event, **_defaults(entry.event, WITHDRAWN_EVENT)
    )
    return replace(entry, event=event, **_defaults(entry, WITHDRAWN_ENTRY))


def _defaults(value: Any, kept: frozenset[str]) -> dict[str, Any]:
    """Return the defaults of all fields of a value but the kept ones, a new field too."""
    return {
        field.name: field.default for field in fields(value) if field.name not in kept
    }
