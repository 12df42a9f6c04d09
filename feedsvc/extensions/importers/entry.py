"""An entry as read from a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: The reason to skip what a library cannot read; its own errors say nothing to people.
UNREADABLE = "it cannot be read"
#: What was done, `repaired` or `left out`, and to what.
Note = tuple[str, str]


@dataclass(frozen=True)
class ImportedEntry:
    """An entry as read from a file, before validation.

    `fields` are members of the API's entry documents; empty ones are left out.
    `updated` is when its source changed it last. `categories` are titles; the importer
    finds or creates their slugs. `notes` say what differs from the file. One with a
    `skip_reason` is reported and not imported.
    """

    guid: str
    fields: dict[str, Any]
    updated: datetime | None = None
    categories: Sequence[str] = ()
    notes: Sequence[Note] = ()
    skip_reason: str = ""


class Skipped(Exception):
    """An entry that is not imported; the message says why."""
