"""Time zones from the pinned tzdata package instead of the host's files.

Importing this module removes the host's files from the search path of zoneinfo for the
whole process, libraries included. So every machine has the same zones and rules, and
replicas give the same bytes. feedsvc/config.py and app.py import it before anything
that loads a zone.
"""

import zoneinfo
from functools import cache
from zoneinfo import ZoneInfo

zoneinfo.reset_tzpath(())
ZoneInfo.clear_cache()


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all IANA time zones."""
    # "Factory" stands for a zone that nobody has set.
    return frozenset(zoneinfo.available_timezones() - {"Factory"})


def zone(name: str) -> ZoneInfo:
    """Return a zone by its IANA name.

    :raises ValueError: there is no such zone.
    """
    if name not in zone_names():
        raise ValueError("Must be an IANA time zone such as Asia/Ho_Chi_Minh.")
    return ZoneInfo(name)
