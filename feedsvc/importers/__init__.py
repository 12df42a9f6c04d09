"""Feeds and calendars of others → entries as if they had been posted."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


def skip_reason(error: Exception) -> str:
    """Return why an entry is not imported; a library's error says nothing to people."""
    return str(error) if isinstance(error, Skipped) else "it cannot be read"


#: Members that mark what is not published, and expressions for values that do.
_UNPUBLISHED = {
    # Atom (RFC 5023 §13.1.1), in any namespace
    "draft": "(?!no$|false$|0$).+",
    # exports of WordPress and others
    "status": "draft|auto-draft|private|trash",
    # exports of Blogger
    "blogger_status": "(?!live$).+",
    "blogger_type": "comment",
    # iCalendar (RFC 5545 §3.8.1.3: unknown values are private), and Apple's server
    "class": "(?!public$).+",
    "x-calendarserver-access": "(?!public$).+",
}


def refuse_unpublished(members: Mapping[str, object]) -> None:
    """Refuse an entry that its format marks as not published.

    :param members: the prefix of a name ends with an underscore.
    :raises Skipped: it is marked so.
    """
    for name, value in members.items():
        name = name.lower()
        expression = _UNPUBLISHED.get(name) or _UNPUBLISHED.get(
            name.rpartition("_")[2]
        )
        # icalendar has lists of properties that it does not know.
        text = str(value[0] if isinstance(value, list) else value).strip()
        if expression and re.fullmatch(expression, text, re.I | re.S):
            raise Skipped(f"it is not public ({name}: {text})")
