"""The days of `period`, by which a feed selects events."""

from datetime import date, timedelta
from typing import Any

from dateutil.relativedelta import SU, relativedelta

_DAY = timedelta(days=1)


def days_of(period: Any, today: date) -> tuple[date, date]:
    """Return the first and the last day of a period.

    :param period: the value of the parameter, as PARAMETERS parses it.
    """
    sunday = today + relativedelta(weekday=SU)
    match period:
        case date() as day:
            return day, day
        case "today":
            return today, today
        case "week":
            return today, sunday
        case "weekend":
            return max(today, sunday - _DAY), sunday
        case "month":
            return today, today + relativedelta(day=31)
        case count:
            return today, today + (count - 1) * _DAY
