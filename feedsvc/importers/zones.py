"""The zones that calendars name: IANA's, Windows', and those that they define themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from feedsvc.timezones import zone, zone_names

_MONTHS_COMPARED = 36
_YEARS_ALIKE = 10


class CalendarZones:
    """The zones of one calendar, by their TZID."""

    def __init__(self, definitions: Iterable[Any]) -> None:
        """:param definitions: the VTIMEZONE components of the file."""
        self._defined: Mapping[str, Any] = {
            str(one.get("TZID", "")): one for one in definitions
        }

    def find(self, tzid: str, start: datetime) -> ZoneInfo | None:
        """Return the zone of a TZID; None where it is unknown or could be several.

        :param start: a time at which the zone is needed.
        """
        for name in (tzid, WINDOWS_TO_OLSON.get(tzid, "")):
            if name in zone_names():
                return zone(name)
        if tzid not in self._defined:
            return None
        own: tzinfo = self._defined[tzid].to_tz()
        begin = datetime(start.year, 1, 1, 12, tzinfo=UTC)
        moments = [
            begin + timedelta(days=30 * number) for number in range(_MONTHS_COMPARED)
        ]
        return _zone_with(
            tuple(_offset(own, moment) for moment in moments), tuple(moments)
        )


def _offset(own: tzinfo, moment: datetime) -> timedelta:
    """Return the offset of a zone at a time that its clocks show."""
    return moment.replace(tzinfo=own).utcoffset() or timedelta()


@lru_cache(64)
def _zone_with(
    offsets: tuple[timedelta, ...], moments: tuple[datetime, ...]
) -> ZoneInfo | None:
    """Return the zone that has some offsets, if all that do are alike for years.

    Of these the first that a name of Windows stands for is taken, else the first by name.
    """
    matching = [
        zone(name)
        for name in sorted(zone_names())
        if all(
            _offset(zone(name), moment) == offset
            for moment, offset in zip(moments, offsets, strict=True)
        )
    ]
    later = [
        moments[0] + timedelta(days=15 * number) for number in range(_YEARS_ALIKE * 24)
    ]
    ahead = {tuple(_offset(one, moment) for moment in later) for one in matching}
    if len(ahead) != 1:
        return None
    usual = [*WINDOWS_TO_OLSON.values(), *sorted(zone_names())]
    return min(matching, key=lambda one: usual.index(one.key))
