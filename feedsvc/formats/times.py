"""Dates of feeds, in whole seconds: fractions are misread by minutes (ROME) or hours (podcastparser)."""

from __future__ import annotations

from datetime import date, datetime

from feedsvc.models import Site


def local(moment: datetime, site: Site) -> datetime:
    """Return an instant by the site's clocks, in whole seconds."""
    return moment.astimezone(site.timezone).replace(microsecond=0)


def iso(moment: date) -> str:
    """Return a date, or a time in whole seconds, as ISO 8601."""
    return (
        moment.isoformat(timespec="seconds")
        if isinstance(moment, datetime)
        else moment.isoformat()
    )
