"""Recurrences (RFC 5545 §3.8.5), checked: what is taken can be expanded in little time, by any calendar."""

from __future__ import annotations

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from feedsvc.api.fields import check_year
from feedsvc.models import Event, Recurrence
from feedsvc.recurrence import (
    WEEKDAYS,
    is_unbounded,
    occurrences,
    start_matches_rule,
    unmatched_exdates,
)

MAX_OCCURRENCES = 1000
"""Occurrences of a series that has an end, and dates that are left out or added."""

MAX_RULE_LENGTH = 500
"""Characters of a rule."""

_YEARS = 10
_DAYS = f"(?:{'|'.join(WEEKDAYS)})"


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
_ALLOWED_FREQ = {
    "BYMONTHDAY": ("DAILY", "MONTHLY", "YEARLY"),
    "BYYEARDAY": ("YEARLY",),
    "BYWEEKNO": ("YEARLY",),
}


def validate_rrule(text: str) -> str:
    """The value of a RRULE.

    :raises ValueError: it is none that can be taken.
    """
    parts = (
        Recurrence(text).rule_parts
        if len(text) <= MAX_RULE_LENGTH and re.fullmatch(PATTERN, text)
        else {}
    )
    if "FREQ" not in parts or len(parts) <= text.count(";"):
        raise ValueError(
            "Not a RRULE that is taken, such as FREQ=WEEKLY;BYDAY=SA;COUNT=10."
        )
    for name in parts:
        if parts["FREQ"] not in _ALLOWED_FREQ.get(name, parts["FREQ"]):
            raise ValueError(f"{name} cannot stand in a rule that is {parts['FREQ']}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT and UNTIL exclude each other.")
    numbered = re.search(r"\d", parts.get("BYDAY", ""))
    if numbered and (parts["FREQ"] not in ("MONTHLY", "YEARLY") or "BYWEEKNO" in parts):
        raise ValueError(
            "BYDAY has numbers only with MONTHLY and YEARLY, and not beside BYWEEKNO."
        )
    if "BYSETPOS" in parts and not any(
        name.startswith("BY") for name in parts.keys() - {"BYSETPOS"}
    ):
        raise ValueError("BYSETPOS needs another part to choose from, such as BYDAY.")
    return text


def localize(recurrence: Recurrence, zone: ZoneInfo) -> Recurrence:
    """A recurrence with its times as the clocks of a zone show them, skipped ones too."""

    def shown(moment: date) -> date:
        if not isinstance(moment, datetime):
            return moment
        return moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)

    exdates, rdates = (
        tuple(map(shown, moments))
        for moments in (recurrence.exdates, recurrence.rdates)
    )
    return Recurrence(recurrence.rrule, exdates, rdates)


ErrorMessages = dict[str, dict[int, list[str]] | list[str]]
"""Messages by member, and of a list by index."""


def validate(event: Event) -> ErrorMessages:
    """What is wrong with the recurrence of an event."""
    assert event.recurrence is not None
    return (
        _check_value_types(event, event.recurrence)
        or _check_rule(event)
        or _check_exdates(event)
    )


def _check_value_types(event: Event, recurrence: Recurrence) -> ErrorMessages:
    """Dates where the start is a time, and the reverse; and times that no calendar can tell from others."""
    wrong: ErrorMessages = {}
    for name, moments in (
        ("exdates", recurrence.exdates),
        ("rdates", recurrence.rdates),
    ):
        found = {}
        for index, moment in enumerate(moments):
            if isinstance(moment, datetime) == event.all_day:
                found[index] = ["Must be a date if the start is one, else a time."]
            elif isinstance(moment, datetime) and moment.fold:
                found[index] = [
                    "Lies in the second pass of an hour that the clocks repeat."
                ]
            elif name == "rdates" and moment < event.start:
                found[index] = ["Lies before the start."]
        if found:
            wrong[name] = found
    until = re.search("UNTIL=([^;]*)", recurrence.rrule)
    if until and ("T" in until[1]) == event.all_day:
        wanted = (
            "a date such as 20261231"
            if event.all_day
            else "a time in UTC such as 20261231T165959Z"
        )
        wrong["rrule"] = [f"UNTIL must be {wanted}, as the start is."]
    return wrong


def _check_rule(event: Event) -> ErrorMessages:
    """A rule that its start does not follow, or that goes on for too long."""
    try:
        if not start_matches_rule(event):
            return {
                "rrule": [
                    "The start must be its first occurrence, and no second pass of an hour."
                ]
            }
        if is_unbounded(event):
            return {}
        last_of_all = event.start + relativedelta(years=_YEARS)
        for number, occurrence in enumerate(occurrences(event), start=1):
            if number > MAX_OCCURRENCES or occurrence.start > last_of_all:
                return {
                    "rrule": [
                        f"Ends neither within {_YEARS} years and {MAX_OCCURRENCES} occurrences, nor never."
                    ]
                }
            check_year(occurrence.start)
    except ValueError as error:
        return {"rrule": [f"Not a RRULE: {error}"]}
    return {}


def _check_exdates(event: Event) -> ErrorMessages:
    """Exceptions that except nothing, or everything."""
    missed = {index: ["Is no occurrence."] for index in unmatched_exdates(event)}
    if missed:
        return {"exdates": missed}
    return (
        {}
        if next(occurrences(event), None)
        else {"exdates": ["No occurrence is left."]}
    )
