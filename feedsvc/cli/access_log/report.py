"""The statistics as rows and sentences."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from feedsvc.cli.access_log.statistics import DAY_MINUTES, Polls, Statistics
from feedsvc.cli.output import printable

EXPECTED = (
    "Give the access log of this service (text or JSON), or of nginx with "
    "deploy/nginx.conf; from systemd by `journalctl -u feedsvc -o cat`."
)
"""Advice for a file with other lines."""

_TOP = 10
"""Number of clients that are listed for polls without validators."""


@dataclass(frozen=True)
class FeedRow:
    """A feed and its readers. `devices` is an estimate, None without addresses."""

    feed: str
    subscribers: int
    devices: int | None
    polls_a_day: float
    not_modified: float
    unconditional: float
    saved_bytes: int


@dataclass(frozen=True)
class ServiceRow:
    """The last report of a service about a feed; `feed_id` is its own, or empty."""

    feed: str
    service: str
    feed_id: str
    subscribers: int


@dataclass(frozen=True)
class ProgramRow:
    """A service or program; `subscribers` of all feeds, None if it reports none."""

    program: str
    kind: str
    share: float
    subscribers: int | None
    polls_a_day: float
    not_modified: float
    unconditional: float


@dataclass(frozen=True)
class PollerRow:
    """A client that polls without validators."""

    address: str
    agent: str
    polls_a_day: float


@dataclass(frozen=True)
class DayRow:
    """The polls of a day, in UTC."""

    day: str
    polls: int
    not_modified: int
    unconditional: int


@dataclass(frozen=True)
class Report:
    """The statistics for people; shares are between 0 and 1."""

    first: str
    last: str
    lines: int
    unrecognised: int
    polls: int
    polls_a_day: float
    not_modified: float
    unconditional: float
    saved_bytes: int
    subscribers: int
    devices: int | None
    feeds: list[FeedRow]
    services: list[ServiceRow]
    programs: list[ProgramRow]
    pollers: list[PollerRow]
    days: list[DayRow]
    notes: list[str]


def make_report(statistics: Statistics) -> Report:
    """Return the report of the statistics."""
    total = statistics.total
    polls_a_day, not_modified, unconditional = _rates(statistics, total)
    feeds = _feed_rows(statistics)
    # Somebody who reads two feeds counts twice, as with the subscribers of services.
    known = [row.devices for row in feeds if row.devices is not None]
    return Report(
        first=_time(statistics.first),
        last=_time(statistics.last),
        lines=statistics.lines,
        unrecognised=statistics.unrecognised,
        polls=total.polls,
        polls_a_day=polls_a_day,
        not_modified=not_modified,
        unconditional=unconditional,
        # Of each feed, since their sizes differ.
        saved_bytes=sum(row.saved_bytes for row in feeds),
        subscribers=sum(row.subscribers for row in feeds),
        devices=sum(known) if known else None,
        feeds=feeds,
        services=[
            ServiceRow(printable(feed), name, feed_id, number)
            for (feed, name, feed_id), (_, number) in sorted(
                statistics.subscribers.items()
            )
        ],
        programs=_program_rows(statistics),
        pollers=[
            PollerRow(printable(address), printable(agent), _rate(statistics, number))
            for (address, agent), number in statistics.pollers.most_common(_TOP)
        ],
        days=[
            DayRow(
                _time(day * DAY_MINUTES)[:10],
                polls.polls,
                polls.not_modified,
                polls.unconditional,
            )
            for day, polls in sorted(statistics.days.items())
        ],
        notes=_notes(statistics),
    )


def _feed_rows(statistics: Statistics) -> list[FeedRow]:
    subscribers: Counter[str] = Counter()
    for (feed, _, _), (_, number) in statistics.subscribers.items():
        subscribers[feed] += number
    rows = [
        FeedRow(
            # Anyone can request any path; it must not control the terminal.
            printable(feed),
            subscribers[feed],
            None if statistics.has_no_addresses else statistics.devices.count(feed),
            *_rates(statistics, polls),
            polls.saved_bytes,
        )
        for feed, polls in statistics.feeds.items()
    ]
    rows.sort(key=lambda row: (-row.subscribers - (row.devices or 0), row.feed))
    return rows


def _program_rows(statistics: Statistics) -> list[ProgramRow]:
    all_polls = statistics.total.polls
    subscribers: Counter[str] = Counter()
    for (_, name, _), (_, number) in statistics.subscribers.items():
        subscribers[name] += number
    rows = [
        ProgramRow(
            name,
            kind,
            _share(polls.polls, all_polls),
            subscribers.get(name),
            *_rates(statistics, polls),
        )
        for (name, kind), polls in statistics.programs.items()
    ]
    rows.sort(key=lambda row: (-row.share, row.program))
    return rows


def _notes(statistics: Statistics) -> list[str]:
    notes = [
        "Subscribers are what services claim in their last poll. Devices are an "
        "estimate: programs by address and User-Agent in the last 24 hours. A person "
        "with two devices or addresses counts twice, people behind one address with "
        "the same program once."
    ]
    if statistics.has_no_addresses:
        notes.append(
            "The log has no addresses, so devices cannot be counted, and polls "
            "without validators are only told apart by User-Agent."
        )
    elif statistics.has_networks:
        notes.append(
            "Addresses are shortened to networks, so there are more devices than "
            "shown, and a client without validators may be several."
        )
    # The log of a whole day hardly begins and ends with a poll.
    if statistics.last - statistics.first < DAY_MINUTES - 60:
        notes.append(
            "The log covers less than a day, but some programs poll only once a day."
        )
    if statistics.unrecognised:
        notes.append(
            f"{statistics.unrecognised} of {statistics.lines} lines were not "
            f"recognised. {EXPECTED}"
        )
    return notes


def _rates(statistics: Statistics, polls: Polls) -> tuple[float, float, float]:
    """Return polls a day, and the shares of 304 and of polls without validators."""
    return (
        _rate(statistics, polls.polls),
        _share(polls.not_modified, polls.polls),
        _share(polls.unconditional, polls.polls),
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4)


def _rate(statistics: Statistics, number: int) -> float:
    return round(number / statistics.day_count, 1)


def _time(minute: int) -> str:
    return f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%d %H:%M} UTC"
