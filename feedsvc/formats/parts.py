"""Parts: what formats make of one entry, for all feeds that show it in the same way."""

from datetime import datetime
from typing import NamedTuple

from feedsvc.models import NEVER_MODIFIED


class Part(NamedTuple):
    """An entry in one format.

    Calendars alone have the other members: `starts` is the start of the occurrence that
    is shown, `zone` the key of the time zone that is written for `years`.
    """

    body: bytes
    guid: str = ""
    updated: datetime = NEVER_MODIFIED
    starts: datetime | None = None
    zone: str | None = None
    years: tuple[int, int] = (0, 0)
