"""Validate recurrences (RFC 5545 §3.8.5): any calendar must expand them quickly."""

import re
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta

from feedsvc.input.fields import check_year
from feedsvc.models import Cancellation, Event, Recurrence
from feedsvc.recurrence import (
    WEEKDAYS,
    first_by_rule,
    is_unbounded,
    occurrences,
    starts_by_moment,
    without_cancelled,
)

#: Occurrences of a series that ends; also the limit of exdates and of rdates.
MAX_OCCURRENCES = 1000

#: Cancelled occurrences: a calendar repeats much of the event for each.
MAX_CANCELLED = 100

#: Characters of a rule.
MAX_RULE_LENGTH = 500

#: Years within which a series ends, if it does.
MAX_YEARS = 10

_DAY = f"(?:{'|'.join(WEEKDAYS)})"

#: Messages by member; of a list by index.
ErrorMessages = dict[str, Any]


def _list_of(item: str) -> str:
    return f"{item}(?:,{item})*"


# The parts of a rule and their values (RFC 5545 §3.3.10). FREQ is a day at least, and
# BYHOUR and smaller parts are missing: a series has one occurrence a day at most.
# BYWEEKNO, BYYEARDAY and the twentieth Monday of a year are missing because calendar
# programs read them wrong, or refuse the whole calendar.
_PARTS = {
    "FREQ": "DAILY|WEEKLY|MONTHLY|YEARLY",
    "INTERVAL": "[1-9][0-9]{0,3}",
    "COUNT": "[1-9][0-9]{0,3}",
    "UNTIL": "[0-9]{8}(?:T[0-9]{6}Z)?",
    "BYDAY": _list_of(f"(?:[+-]?[1-5])?{_DAY}"),
    "BYMONTHDAY": _list_of("[+-]?(?:[1-9]|[12][0-9]|3[01])"),
    "BYMONTH": _list_of("(?:[1-9]|1[0-2])"),
    "BYSETPOS": _list_of("[+-]?[1-9][0-9]{0,2}"),
    "WKST": _DAY,
}
_PART = "|".join(f"{name}=(?:{value})" for name, value in _PARTS.items())
_MAX_POSITIONS = 5
#: The most days of a month and a year, the periods whose days may be numbered.
_MAX_DAYS = {"MONTHLY": 31, "YEARLY": 366}
#: Parts that need one of these periods for FREQ.
#:
#: §3.3.10 has them with others too, but the few days of a shorter period may never
#: match.
_MONTHLY_PARTS = ("BYMONTHDAY", "BYSETPOS")


def validate_rrule(text: str) -> str:
    """Return the value of an RRULE, without the property's name.

    :raises ValueError: it is not supported.
    """
    text = text.removeprefix("RRULE:")
    if len(text) > MAX_RULE_LENGTH:
        raise _unsupported()
    for part in text.split(";"):
        if not re.fullmatch(_PART, part):
            # Empty behind a semicolon at the end.
            raise _unsupported(f" Not supported: “{part or ';'}”.")
    parts = Recurrence(text).rule_parts
    has_duplicate = len(parts) <= text.count(";")
    if "FREQ" not in parts or has_duplicate:
        raise _unsupported()
    frequency = parts["FREQ"]
    for name in _MONTHLY_PARTS:
        if name in parts and frequency not in _MAX_DAYS:
            raise ValueError(f"{name} is not allowed with FREQ={frequency}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("Only one of COUNT and UNTIL.")
    has_numbers = re.search("[1-5]", parts.get("BYDAY", ""))
    if has_numbers and frequency not in _MAX_DAYS:
        raise ValueError("BYDAY may have numbers only with FREQ=MONTHLY or YEARLY.")
    _check_positions(parts)
    return text


def _unsupported(hint: str = "") -> ValueError:
    return ValueError(
        f"Must be a supported RRULE such as FREQ=WEEKLY;BYDAY=SA;COUNT=10.{hint}"
    )


def _check_positions(parts: dict[str, str]) -> None:
    if "BYSETPOS" not in parts:
        return
    others = parts.keys() - {"BYSETPOS"}
    if not any(name.startswith("BY") for name in others):
        raise ValueError("BYSETPOS needs another part such as BYDAY.")
    if parts["BYSETPOS"].count(",") >= _MAX_POSITIONS:
        raise ValueError(f"BYSETPOS has at most {_MAX_POSITIONS} positions.")
    last = _MAX_DAYS[parts["FREQ"]]
    if any(abs(int(each)) > last for each in parts["BYSETPOS"].split(",")):
        raise ValueError(f"BYSETPOS is at most {last} with FREQ={parts['FREQ']}.")


def localize(recurrence: Recurrence, zone: ZoneInfo) -> Recurrence:
    """Return a recurrence with its times in a zone."""

    def localized(moment: date) -> date:
        if not isinstance(moment, datetime):
            return moment
        if moment.tzinfo is None:
            return moment.replace(tzinfo=zone)
        return moment.astimezone(zone)

    return Recurrence(
        recurrence.rrule,
        tuple(map(localized, recurrence.exdates)),
        tuple(map(localized, recurrence.rdates)),
        tuple(
            Cancellation(localized(each.start), each.notice)
            for each in recurrence.cancelled
        ),
    )


def validate(event: Event) -> tuple[Event, ErrorMessages]:
    """Return an event, cancelled days as times, and the errors of its recurrence."""
    recurrence = event.recurrence
    assert recurrence is not None
    errors = (
        _check_value_types(event, recurrence)
        or _check_rule(event)
        or _check_exdates(event, recurrence)
    )
    return (event, errors) if errors else _check_cancelled(event, recurrence)


def _check_value_types(event: Event, recurrence: Recurrence) -> ErrorMessages:
    """Check that all values are dates if the start is one, else times."""
    errors: ErrorMessages = {}
    dates = {"exdates": recurrence.exdates, "rdates": recurrence.rdates}
    for name, moments in dates.items():
        for index, moment in enumerate(moments):
            message = ""
            if isinstance(moment, datetime) == event.all_day:
                message = "Must be a date if the start is one, else a time."
            elif name == "rdates" and moment < event.start:
                message = "Must not be before the start."
            if message:
                errors.setdefault(name, {})[index] = [message]
    until = recurrence.rule_parts.get("UNTIL")
    if until and ("T" in until) == event.all_day:
        message = "UNTIL must be a UTC time such as 20261231T165959Z."
        if event.all_day:
            message = "UNTIL must be a date such as 20261231, as the start is."
        errors["rrule"] = [message]
    return errors


def _check_rule(event: Event) -> ErrorMessages:
    """Check that the start matches the rule, and that the series is not too long."""
    try:
        # RFC 5545 §3.8.5.3 leaves open what another start means.
        first = first_by_rule(event)
        # A local time that is repeated has two offsets.
        if first is None or first.isoformat() != event.start.isoformat():
            hint = f", {first.isoformat()}" if first else ""
            return {"rrule": [f"The start must be the first occurrence{hint}."]}
        if not is_unbounded(event) and _is_too_long(event):
            message = (
                f"Must either be unbounded or end within {MAX_YEARS} years and "
                f"{MAX_OCCURRENCES:,} occurrences."
            )
            return {"rrule": [message]}
    except ValueError as error:
        # By dateutil for the rule, or by check_year for an occurrence.
        return {"rrule": [f"Not a valid RRULE: {error}"]}
    return {}


def _is_too_long(event: Event) -> bool:
    limit = event.start + relativedelta(years=MAX_YEARS)
    for number, occurrence in enumerate(occurrences(event), start=1):
        if number > MAX_OCCURRENCES or occurrence.start > limit:
            return True
        check_year(occurrence.start)
    return False


def _check_exdates(event: Event, recurrence: Recurrence) -> ErrorMessages:
    """Check that each exdate is an occurrence, and that one is left."""
    without_exdates = replace(recurrence, exdates=())
    found = starts_by_moment(event, without_exdates, recurrence.exdates)
    wrong = {
        index: ["Not an occurrence."]
        for index, moment in enumerate(recurrence.exdates)
        if moment not in found
    }
    if wrong:  # mistyped, most likely
        return {"exdates": wrong}
    if next(occurrences(event), None) is None:
        return {"exdates": ["No occurrence is left."]}
    return {}


def _check_cancelled(
    event: Event, recurrence: Recurrence
) -> tuple[Event, ErrorMessages]:
    """Check that each cancelled start is an occurrence, once, and that one is left.

    A day stands for the time of its occurrence, if it has only one.
    """
    found = starts_by_moment(event, recurrence, recurrence.cancelled_starts)
    cancelled: dict[date, Cancellation] = {}
    errors: Any = {}
    for index, each in enumerate(recurrence.cancelled):
        starts = found[each.start]
        if len(starts) != 1 or starts[0] in cancelled:
            detail = (
                "Must be an occurrence, once, and no exdate. "
                "If a day has several, send the time."
            )
            errors[index] = {"start": [detail]}
        else:
            cancelled[starts[0]] = replace(each, start=starts[0])
    recurrence = replace(recurrence, cancelled=tuple(cancelled.values()))
    event = replace(event, recurrence=recurrence)
    if next(occurrences(without_cancelled(event)), None) is None:
        errors = ["No occurrence is left. To cancel the event, set event_status."]
    return event, {"cancelled": errors} if errors else {}
