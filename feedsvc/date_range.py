"""The dates that `from` and `to` of event feeds may name: near today, where series are expanded."""

from __future__ import annotations

from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

YEARS_BACK, YEARS_AHEAD = 10, 5


def allowed_dates(today: date) -> tuple[date, date]:
    """Return the first and the last date that may be named."""
    return today - relativedelta(years=YEARS_BACK), today + relativedelta(
        years=YEARS_AHEAD
    )


def too_old_on(named: date) -> date:
    """Return the first day on which a date lies too far back."""
    day = named + relativedelta(years=YEARS_BACK)
    while allowed_dates(day)[0] <= named:
        day += timedelta(days=1)
    return day
