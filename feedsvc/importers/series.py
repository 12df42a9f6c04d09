"""Rules of foreign calendars, brought into the form that the API takes (RFC 5545 §3.3.10, §3.8.5.3)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from feedsvc.recurrence import rule_since

_UNTIL = re.compile("UNTIL=([0-9]{8})(?:T([0-9]{6})(Z?))?")


def with_until(rule: str, start: date, zone: tzinfo) -> str:
    """Return a rule whose UNTIL is of the kind of the start: a date, or a time in UTC.

    :param zone: the zone of a local UNTIL, and of one in UTC that ends an all-day series.
    """

    def until(match: re.Match[str]) -> str:
        day, clock, is_utc = match[1], match[2], bool(match[3])
        if clock is None and not isinstance(start, datetime):
            return match[0]
        moment = datetime.fromisoformat(f"{day}T{clock or '235959'}")
        if not isinstance(start, datetime):
            if is_utc and moment.time() != time():
                moment = moment.replace(tzinfo=UTC).astimezone(zone)
            return f"UNTIL={moment:%Y%m%d}"
        local = moment.replace(tzinfo=UTC if is_utc else zone)
        return f"UNTIL={local.astimezone(UTC):%Y%m%dT%H%M%SZ}"

    return _UNTIL.sub(until, rule)


def delay_to_first_match(rule: str, start: date) -> timedelta | None:
    """Return how long after the start the first occurrence of a rule is; None where there is none."""
    # UNTIL is left out: dateutil takes none in UTC beside a start without a zone.
    endless = _UNTIL.sub("", rule).replace(";;", ";").strip(";")
    begin = datetime.combine(
        start, start.time() if isinstance(start, datetime) else time()
    )
    try:
        first = next(iter(rule_since(endless, begin, begin)), None)
    except (ValueError, LookupError):
        return None  # the API says what is wrong with it
    return first - begin if first else None
