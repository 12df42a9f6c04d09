"""The state of an entry at a time: what follows from it and the clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from feedsvc.models import Entry
from feedsvc.recurrence import current_or_next, series_end

#: Time for which a withdrawn entry stays in feeds, with its notice.
WITHDRAWAL_PERIOD = timedelta(days=30)


@dataclass(frozen=True)
class State:
    """The columns of an entry that change with the time.

    :param is_public: readers see it.
    :param was_public: they see it, or have seen it.
    :param starts_at: the start of an event, or of the current or next occurrence.
    :param listed_at: where pages list an event: by its start, and while it goes on
        behind those of today.
    :param ends_at: the end of an event or a series.
    :param is_over: the event or series has ended.
    :param due_at: when one of these changes without a write.
    """

    is_public: bool
    was_public: bool
    starts_at: datetime | None = None
    listed_at: datetime | None = None
    ends_at: datetime | None = None
    is_over: bool = False
    due_at: datetime | None = None


def state_at(entry: Entry, now: datetime, *, was_public: bool) -> State:
    """Return the state of an entry at a time.

    :param was_public: readers have seen it before.
    """
    # They see it from its publication until it expires.
    begin = entry.published
    ends = [
        entry.expires,
        entry.withdrawn and entry.withdrawn + WITHDRAWAL_PERIOD,
    ]
    has_ended = any(end and end <= now for end in ends)
    # A withdrawal tells those who know the entry, and nobody else.
    is_unknown = entry.status == "withdrawn" and not was_public
    is_hidden = has_ended or is_unknown or entry.status in ("draft", "deleted")
    is_public = not is_hidden and begin is not None and begin <= now
    starts_at = listed_at = ends_at = None
    # An event also changes when an occurrence begins or ends.
    moments = [begin, *ends]
    if entry.event:
        occurrence = current_or_next(entry.event, now)
        starts_at = listed_at = occurrence.starts
        if occurrence.starts <= now < occurrence.ends:
            listed_at = _next_midnight(now, entry.event.timezone)
        ends_at = series_end(entry.event)
        moments += [starts_at, listed_at, occurrence.ends]
    # The next of these moments is due; nothing becomes due for a hidden entry.
    ahead = [moment for moment in moments if moment and moment > now]
    return State(
        is_public,
        was_public or is_public,
        starts_at,
        listed_at,
        ends_at,
        is_over=ends_at is not None and ends_at <= now,
        due_at=None if is_hidden else min(ahead, default=None),
    )


def _next_midnight(now: datetime, zone: ZoneInfo) -> datetime:
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).astimezone(UTC)
