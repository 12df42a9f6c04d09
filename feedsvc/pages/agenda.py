"""The next events of the front page."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy.orm import Session

from feedsvc.feeds.build import build_feed
from feedsvc.feeds.period import days_of
from feedsvc.feeds.query import FeedQuery
from feedsvc.models import Entry, Site, Stamp
from feedsvc.storage.database import revision_row
from feedsvc.storage.entries import read_entries
from feedsvc.storage.tables import from_microseconds

#: Events on the front page: at least these, if there are so many, and at most.
_MIN_AGENDA = 3
_MAX_AGENDA = 5


def build_agenda(
    session: Session, query: FeedQuery, site: Site
) -> dict[str, Sequence[Entry]]:
    """Return the first events of today, of the weekend, and if few others, by name.

    The part whose first event is next comes first.
    A period would have to expand all series, while these are among the nearest events.
    """
    query = query.with_parameters(limit=query.format.max_limit)
    today = revision_row(session).day

    def day_of(stamp: Stamp) -> date:
        return site.day_of(from_microseconds(stamp.starts_at or 0))

    rest: Sequence[Stamp] = build_feed(session, query, site).stamps
    agenda: dict[str, Sequence[Stamp]] = {}
    shown = 0
    # Those of today leave room for the weekend.
    for period, most in (("today", _MIN_AGENDA), ("weekend", _MAX_AGENDA)):
        first, last = days_of(period, today)
        stamps = [each for each in rest if first <= day_of(each) <= last]
        rest = [each for each in rest if each not in stamps]
        agenda[period] = stamps[: most - shown]
        shown += len(agenda[period])
    # Those that have begun come last.
    rest = sorted(rest, key=lambda stamp: stamp.listed_at != stamp.starts_at)
    if agenda["weekend"]:
        # Those after it follow only if none is before it.
        weekend = day_of(agenda["weekend"][0])
        rest = [each for each in rest if day_of(each) < weekend] or rest
    agenda["soon"] = rest[: max(0, _MIN_AGENDA - shown)]
    names = [name for name, stamps in agenda.items() if stamps]
    names.sort(key=lambda name: agenda[name][0].listed_at or 0)
    return {name: read_entries(session, agenda[name]) for name in names}
