"""The result of both readers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from mimetypes import guess_type
from typing import Any

MAX_GUID_LENGTH = 1000
"""Characters of an imported guid; a longer one is replaced."""


@dataclass(frozen=True)
class ImportedEntry:
    """An entry as read from a file, before validation.

    `fields` are members of the API's entry documents; empty ones are left out.
    `updated` is when its source changed it last. `categories` are titles; the importer
    finds or creates their slugs. An entry with a `skip_reason` is reported and not
    imported.
    """

    guid: str
    fields: dict[str, Any]
    updated: datetime | None = None
    categories: tuple[str, ...] = ()
    skip_reason: str = ""


def guess_media_type(url: str, declared: str | None) -> str:
    """Return the declared media type of a file, or else guess it from the URL."""
    return declared or guess_type(url)[0] or "application/octet-stream"
