"""Time zones: those of the pinned tzdata package, whatever the host has.

Importing this module takes the host's zone files out of Python's search path for the whole process, for the
libraries too, so that every machine has the same zones with the same rules. The package imports it first.
"""

from __future__ import annotations

import zoneinfo
from functools import cache
from zoneinfo import ZoneInfo

import tzdata

zoneinfo.reset_tzpath(())
ZoneInfo.clear_cache()

VERSION: str = tzdata.IANA_VERSION
"""The release of the IANA database, such as 2026f."""

_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
"""Names in the database that stand for no place: an unset zone, the host's own, and a file of rules."""


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all zones."""
    names = zoneinfo.available_timezones() - _NO_ZONES
    return frozenset(
        name for name in names if not name.startswith(("posix/", "right/"))
    )


def zone(name: str) -> ZoneInfo:
    """Return the zone of this name.

    :raises ValueError: there is none.
    """
    if name not in zone_names():
        raise ValueError(f"“{name}” is not an IANA time zone.")
    return ZoneInfo(name)
