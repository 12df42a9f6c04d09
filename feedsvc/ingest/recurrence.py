"""Recurrences (RFC 5545 §3.8.5), checked: what is taken can be expanded in little time, by any calendar."""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from feedsvc.ingest.fields import in_range
from feedsvc.model import EventDetails
from feedsvc.occurrences import futile, is_open, occurrences, starts_itself
from feedsvc.recurrence import DAYS, Recurrence

MOST = 1000
"""Occurrences of a series that has an end, and dates that are left out or added."""

LONGEST = 500
"""Characters of a rule."""

_YEARS = 10
_DAYS = f"(?:{'|'.join(DAYS)})"


def _list(item: str) -> str:
    return f"{item}(?:,{item})*"


# The parts of a rule, and what may stand in each (RFC 5545 §3.3.10). A series takes place once a day at
# most, at the time of its start.
_PARTS = {
    "FREQ": "DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": "[1-9][0-9]{0,3}",
    "COUNT": "[1-9][0-9]{0,3}",
    "UNTIL": "[0-9]{8}(?:T[0-9]{6}Z)?",
    "BYDAY": _list(f"(?:[+-]?(?:[1-9]|[1-4][0-9]|5[0-3]))?{_DAYS}"),
    "BYMONTHDAY": _list("[+-]?(?:[1-9]|[12][0-9]|3[01])"),
    "BYYEARDAY": _list("[+-]?[1-9][0-9]{0,2}"),
    "BYWEEKNO": _list("[+-]?(?:[1-9]|[1-4][0-9]|5[0-3])"),
    "BYMONTH": _list("(?:[1-9]|1[0-2])"),
    "BYSETPOS": _list("[+-]?[1-9][0-9]{0,2}"),
    "WKST": _DAYS,
}
_PART = "|".join(f"{name}=(?:{value})" for name, value in _PARTS.items())
PATTERN = f"(?:{_PART})(?:;(?:{_PART}))*"
# With which FREQ alone a part may stand, by the table there.
_WITH = {
    "BYMONTHDAY": ("DAILY", "MONTHLY", "YEARLY"),
    "BYYEARDAY": ("YEARLY",),
    "BYWEEKNO": ("YEARLY",),
}


def rule(text: str) -> str:
    """The value of a RRULE.

    :raises ValueError: it is none that can be taken.
    """
    parts = Recurrence(text).parts if len(text) <= LONGEST and re.fullmatch(PATTERN, text) else {}
    if "FREQ" not in parts or len(parts) <= text.count(";"):
        raise ValueError("Not a RRULE that is taken, such as FREQ=WEEKLY;BYDAY=SA;COUNT=10.")
    for name in parts:
        if parts["FREQ"] not in _WITH.get(name, parts["FREQ"]):
            raise ValueError(f"{name} cannot stand in a rule that is {parts['FREQ']}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT and UNTIL exclude each other.")
    numbered = re.search(r"\d", parts.get("BYDAY", ""))
    if numbered and (parts["FREQ"] not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in parts):
        raise ValueError("BYDAY has numbers only with MONTHLY and YEARLY, and not beside BYWEEKNO.")
    if "BYSETPOS" in parts and not any(name.startswith("BY") for name in parts.keys() - {"BYSETPOS"}):
        raise ValueError("BYSETPOS needs another part to choose from, such as BYDAY.")
    return text


def local(recurrence: Recurrence, zone: ZoneInfo) -> Recurrence:
    """A recurrence with its times as the clocks of a zone show them, skipped ones too."""

    def shown(moment: date) -> date:
        if not isinstance(moment, datetime):
            return moment
        return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)

    exdates, rdates = (tuple(map(shown, moments)) for moments in (recurrence.exdates, recurrence.rdates))
    return Recurrence(recurrence.rrule, exdates, rdates)


Faults = dict[str, dict[int, list[str]] | list[str]]
"""Messages by member, and of a list by index."""


def faults(event: EventDetails) -> Faults:
    """What is wrong with the recurrence of an event."""
    assert event.recurrence is not None
    return _of_kind(event, event.recurrence) or _of_rule(event) or _of_exdates(event)


def _of_kind(event: EventDetails, recurrence: Recurrence) -> Faults:
    """Dates where the start is a time, and the reverse; and times that no calendar can tell from others."""
    wrong: Faults = {}
    for name, moments in (("exdates", recurrence.exdates), ("rdates", recurrence.rdates)):
        found = {}
        for index, moment in enumerate(moments):
            if isinstance(moment, datetime) == event.all_day:
                found[index] = ["Must be a date if the start is one, else a time."]
            elif isinstance(moment, datetime) and moment.fold:
                found[index] = ["Lies in the second pass of an hour that the clocks repeat."]
            elif name == "rdates" and moment < event.start:
                found[index] = ["Lies before the start."]
        if found:
            wrong[name] = found
    until = re.search("UNTIL=([^;]*)", recurrence.rrule)
    if until and ("T" in until[1]) == event.all_day:
        wanted = "a date such as 20261231" if event.all_day else "a time in UTC such as 20261231T165959Z"
        wrong["rrule"] = [f"UNTIL must be {wanted}, as the start is."]
    return wrong


def _of_rule(event: EventDetails) -> Faults:
    """A rule that its start does not follow, or that goes on for too long."""
    try:
        if not starts_itself(event):
            return {"rrule": ["The start must be its first occurrence, and no second pass of an hour."]}
        if is_open(event):
            return {}
        last_of_all = event.start + relativedelta(years=_YEARS)
        for number, occurrence in enumerate(occurrences(event), start=1):
            if number > MOST or occurrence.start > last_of_all:
                return {"rrule": [f"Ends neither within {_YEARS} years and {MOST} occurrences, nor never."]}
            in_range(occurrence.start)
    except ValueError as error:
        return {"rrule": [f"Not a RRULE: {error}"]}
    return {}


def _of_exdates(event: EventDetails) -> Faults:
    """Exceptions that except nothing, or everything."""
    missed = {index: ["Is no occurrence."] for index in futile(event)}
    if missed:
        return {"exdates": missed}
    return {} if next(occurrences(event), None) else {"exdates": ["No occurrence is left."]}
