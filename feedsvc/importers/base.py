"""What foreign files are read into, whatever their format."""

from __future__ import annotations

from dataclasses import dataclass
from mimetypes import guess_type
from typing import Any


@dataclass(frozen=True)
class ImportedEntry:
    """An entry: its guid, the members that the API would be sent, the titles of its categories.

    Where it is not to be taken, `skip` says why.
    """

    guid: str
    fields: dict[str, Any]
    categories: tuple[str, ...] = ()
    skip_reason: str = ""


@dataclass(frozen=True)
class ImportWarning:
    """What could not be read of a file."""

    text: str


def guess_media_type(url: str, given: str | None) -> str:
    """A file's media type: where none is given the one that its name tells."""
    return given or guess_type(url)[0] or "application/octet-stream"
