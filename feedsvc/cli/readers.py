"""The command `readers`: who polls the feeds, by the access log.

It needs neither the database nor the application, and stores nothing. A log may have
any number of lines, so what is kept of them in memory is limited.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import click
import msgspec

from feedsvc.cli.output import help_epilog, json_option, printable, progress_bar

SERVICE = "service"
PROGRAM = "program"
ROBOT = "robot"
BROWSER = "browser"

# The first match counts: Feedly calls itself “like FeedFetcher-Google”. Sources without
# a host are repositories on GitHub.
KNOWN = (
    ("Feedly", SERVICE, "Feedly/"),  # feedly.com/fetcher.html
    ("Inoreader", SERVICE, "inoreader"),  # inoreader.com/feed-fetcher
    ("NewsBlur", SERVICE, "NewsBlur"),  # samuelclay/NewsBlur, utils/feed_fetcher.py
    ("The Old Reader", SERVICE, "theoldreader"),  # docs.buttondown.com/rss-subscribers
    ("Feedbin", SERVICE, "Feedbin"),  # feedbin/feedbin
    ("BazQux", SERVICE, "BazQux"),  # bazqux.com/fetcher
    ("Dreamwidth", SERVICE, "Dreamwidth"),  # docs.buttondown.com/rss-subscribers
    # developers.google.com/crawling/docs/crawlers-fetchers/feedfetcher
    ("Google Feedfetcher", SERVICE, "FeedFetcher-Google"),
    ("Google Calendar", SERVICE, "Google-Calendar-Importer"),  # aaronpk/Meetable#138
    ("FreshRSS", PROGRAM, "FreshRSS/"),  # FreshRSS/FreshRSS, constants.php
    ("Miniflux", PROGRAM, "Miniflux/"),  # miniflux/v2, internal/config
    ("Tiny Tiny RSS", PROGRAM, "Tiny Tiny RSS/"),  # tt-rss/tt-rss, classes/Config.php
    ("Nextcloud News", PROGRAM, "NextCloud-News/"),  # nextcloud/news, FetcherConfig.php
    ("CommaFeed", PROGRAM, "CommaFeed/"),  # Athou/commafeed, HttpGetter.java
    ("NetNewsWire", PROGRAM, "NetNewsWire"),  # Ranchero-Software/NetNewsWire
    ("Thunderbird", PROGRAM, "Thunderbird/"),  # MDN, header User-Agent
    ("Newsboat", PROGRAM, "newsboat/"),  # our tests
    ("Liferea", PROGRAM, "Liferea/"),  # lwindolf/liferea, src/net.c
    ("Akregator", PROGRAM, "Akregator/"),  # invent.kde.org/pim/akregator
    ("Feeder", PROGRAM, "SpaceCowboys Android RSS Reader"),  # spacecowboy/Feeder
    ("rss2email", PROGRAM, "rss2email/"),  # rss2email/rss2email
    ("Apple Calendar", PROGRAM, "dataaccessd/"),  # browscap/browscap#382
    ("Apple Calendar", PROGRAM, "CalendarAgent/"),  # DAViCal/davical#30
    ("ICSx⁵", PROGRAM, "ICSx5/"),  # bitfireAT/icsx5, Constants.kt
)
"""Names, kinds and marks of services and programs, with the source of each mark."""

EXPECTED = (
    "Give the access log of this service (text or JSON), or of nginx with "
    "deploy/nginx.conf; from systemd by `journalctl -u feedsvc -o cat`."
)

# Possessive quantifiers (++), so that a line that does not match takes linear time.
_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)" '
_LINE = re.compile(
    # Address, time to the minute, zone.
    r"(\S+) \[([^]:]+:\d\d:\d\d):\d\d (\S+)\] "
    # Method, target; nginx also logs the version of HTTP.
    r'"(\S+) ([^\s"\\]*+(?:\\.[^\s"\\]*+)*+)[^"]*+" '
    # Status, bytes.
    r"(\d{3}) (\d+|-) [\d.]+m?s "
    # Referrer, which only nginx logs, User-Agent, validators.
    rf"(?:{_QUOTED})??{_QUOTED}(etag\+date|etag|date|-) "
)
# Without pages, which people read, and without parameters, which nginx does not log.
_FEEDS = "/feeds/"
_SUFFIXES = (".rss", ".atom", ".json", ".ics")
# At most seven digits: more people than that are a forgery.
_SUBSCRIBERS = re.compile(r"\b(\d{1,7}) (?:subscriber|reader)s?\b", re.IGNORECASE)
# A service may know one feed by several URLs, each with its own subscribers.
_FEED_ID = re.compile(r"feed-?id[:=] ?(\w{1,40})", re.IGNORECASE)
_PRODUCT = re.compile(r"[^/(;,]{1,40}")
_ROBOT = re.compile(
    r"bot\b|bot/|crawl|spider|curl/|wget/|python|go-http-client|java/|okhttp|axios",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[\d,.]+( %| .?B)?|–")
_DAY_MINUTES = 24 * 60

_MAX_FEEDS = 5_000
_MAX_PROGRAMS = 1_000
_MAX_SUBSCRIBERS = 10_000
_MAX_POLLERS = 10_000
_MAX_DEVICES = 100_000
"""Numbers of things of which a client can invent any number."""

OTHER = "(others)"

_TOP = 10
_ROWS = 25
_BARS = 15


class Program(NamedTuple):
    """A User-Agent, understood. `subscribers` is what a service reports."""

    name: str
    kind: str
    subscribers: int | None
    feed_id: str


class Poll(NamedTuple):
    """A request for a feed. `minute` counts from 1970."""

    minute: int
    address: str
    feed: str
    status: int
    bytes: int
    agent: str
    is_conditional: bool


class _JsonLine(msgspec.Struct):
    """A line of the service's log as JSON; other lines lack the fields."""

    time: str = ""
    address: str = "-"
    method: str = ""
    target: str = ""
    status: int = 0
    bytes: int | str | None = 0
    agent: str | None = "-"
    validators: str = "-"


_json_decoder = msgspec.json.Decoder(_JsonLine)


@lru_cache(10_000)
def identify(agent: str) -> Program:
    """Return the service or program of a User-Agent."""
    number = _SUBSCRIBERS.search(agent)
    subscribers = int(number[1]) if number else None
    feed_id = _FEED_ID.search(agent)
    name, kind = _name_and_kind(agent, has_subscribers=bool(number))
    return Program(name, kind, subscribers, feed_id[1] if feed_id else "")


def _name_and_kind(agent: str, *, has_subscribers: bool) -> tuple[str, str]:
    # Versions differ in their use of capitals.
    folded = agent.lower()
    for name, kind, mark in KNOWN:
        if mark.lower() in folded:
            return name, kind
    match = _PRODUCT.match(agent.removeprefix("Mozilla/5.0 (compatible; "))
    name = printable(match[0]).strip() if match else "-"
    if has_subscribers:
        return name, SERVICE
    if _ROBOT.search(agent):
        return name, ROBOT
    # People who look at a feed, but also readers that are extensions of a browser.
    if agent.startswith("Mozilla/5.0 (") and "compatible;" not in agent:
        return "Browsers", BROWSER
    return name or "-", PROGRAM


@lru_cache(4096)
def _minute_number(text: str, date_format: str) -> int:
    # The text has a zone.
    return int(datetime.strptime(text, date_format).timestamp()) // 60  # noqa: DTZ007


def parse_line(line: str) -> Poll | None:
    """Return the poll of a feed in a line of the log, None for another request.

    :raises ValueError: the line has another format.
    """
    if line.startswith("{"):
        return _parse_json(line)
    match = _LINE.match(line)
    if not match:
        raise ValueError(line)
    address, minute, zone, method, target, status, size, _, agent, validators = (
        match.groups()
    )
    feed = _feed_path(target)
    # Redirects and errors are no polls of a feed that exists.
    if not feed or method != "GET" or status not in ("200", "304"):
        return None
    return Poll(
        # Lines of a minute share the object, which saves time and memory.
        _minute_number(f"{minute} {zone}", "%d/%b/%Y:%H:%M %z"),
        address,
        feed,
        int(status),
        int(size) if size != "-" else 0,
        agent,
        validators != "-",
    )


def _parse_json(line: str) -> Poll | None:
    # Without unused fields, in a third of the time of the json module.
    record = _json_decoder.decode(line)
    feed = _feed_path(record.target)
    is_poll = record.method == "GET" and record.status in (200, 304)
    if not feed or not is_poll:
        return None
    return Poll(
        _minute_number(record.time[:16] + record.time[19:], "%Y-%m-%dT%H:%M%z"),
        record.address,
        feed,
        record.status,
        int(record.bytes or 0),
        record.agent or "-",
        record.validators != "-",
    )


def _feed_path(target: str) -> str:
    """Return the path of a feed in a target, an empty text if it is no feed."""
    path = target.partition("?")[0]
    _, begin, rest = path.partition(_FEEDS)
    return begin + rest if rest.endswith(_SUFFIXES) else ""


@dataclass(slots=True)
class Polls:
    """Numbers of polls: all, answered by 304, without validators; bytes of the 200s."""

    polls: int = 0
    not_modified: int = 0
    unconditional: int = 0
    bytes: int = 0

    def add(self, poll: Poll) -> None:
        """Count a poll."""
        self.polls += 1
        if poll.status == 304:
            self.not_modified += 1
        else:
            self.bytes += poll.bytes
        if not poll.is_conditional:
            self.unconditional += 1

    @property
    def saved_bytes(self) -> int:
        """The bytes that 304 saved, each the mean of a 200."""
        # Sizes by encoding and by time are not known of a 304.
        documents = self.polls - self.not_modified
        return self.not_modified * self.bytes // documents if documents else 0


class Devices:
    """Count distinct devices of each feed within 24 hours, in limited memory.

    All are kept while they are few. Then one half of all possible hashes counts double,
    a quarter four times, and so on (adaptive sampling).
    """

    def __init__(self) -> None:
        self._last_minutes: dict[str, dict[int, int]] = defaultdict(dict)
        self._number = 0
        self._mask = 0
        self._newest = 0

    def add(self, poll: Poll) -> None:
        """Note a device by its address and its User-Agent."""
        # Salted by Python, so that nobody can choose addresses with equal hashes.
        key = hash((poll.address, poll.agent))
        if key & self._mask:
            return
        devices = self._last_minutes[poll.feed]
        previous = devices.get(key)
        if previous is None:
            self._number += 1
        # Files may be given in any order.
        if previous is None or previous < poll.minute:
            devices[key] = poll.minute
            self._newest = max(self._newest, poll.minute)
        if self._number > _MAX_DEVICES:
            self._shrink()

    def _shrink(self) -> None:
        # First what does not count any more, which costs no precision.
        self._keep(lambda key, minute: minute > self._newest - _DAY_MINUTES)
        # To one half, or every new device would be a reason to shrink again.
        while self._number > _MAX_DEVICES // 2:
            self._mask = self._mask * 2 + 1
            self._keep(lambda key, minute: not key & self._mask)

    def _keep(self, is_kept: Callable[[int, int], bool]) -> None:
        for feed, devices in self._last_minutes.items():
            self._last_minutes[feed] = {
                key: minute for key, minute in devices.items() if is_kept(key, minute)
            }
        self._number = sum(map(len, self._last_minutes.values()))

    def count(self, feed: str) -> int:
        """Return how many devices polled a feed in the last 24 hours of the log."""
        oldest = self._newest - _DAY_MINUTES
        minutes = self._last_minutes.get(feed, {}).values()
        return sum(minute > oldest for minute in minutes) * (self._mask + 1)


@dataclass
class Statistics:
    """The polls in a log, counted; `first` and `last` are their minutes from 1970."""

    lines: int = 0
    unrecognised: int = 0
    feeds: dict[str, Polls] = field(default_factory=dict)
    programs: dict[tuple[str, str], Polls] = field(default_factory=dict)
    days: dict[int, Polls] = field(default_factory=dict)
    subscribers: dict[tuple[str, str, str], tuple[int, int]] = field(
        default_factory=dict
    )
    """Time and number of the last report of a service, by feed, service and its id."""
    pollers: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Polls without validators, by address and User-Agent."""
    devices: Devices = field(default_factory=Devices)
    first: int = 0
    last: int = 0
    has_networks: bool = False
    has_no_addresses: bool = False

    def read(self, lines: Iterable[str]) -> None:
        """Count the polls in lines of a log."""
        for line in lines:
            self.lines += 1
            # Most lines of a portal's log are other requests.
            if _FEEDS not in line:
                continue
            try:
                poll = parse_line(line)
            except (ValueError, msgspec.DecodeError):
                self.unrecognised += 1
                continue
            if poll:
                self.add(poll)

    def add(self, poll: Poll) -> None:
        """Count a poll."""
        program = identify(poll.agent)
        if poll.feed not in self.feeds and len(self.feeds) >= _MAX_FEEDS:
            poll = poll._replace(feed=OTHER)
        name = program.name, program.kind
        if name not in self.programs and len(self.programs) >= _MAX_PROGRAMS:
            name = OTHER, program.kind
        self.feeds.setdefault(poll.feed, Polls()).add(poll)
        self.programs.setdefault(name, Polls()).add(poll)
        self.days.setdefault(poll.minute // _DAY_MINUTES, Polls()).add(poll)
        self.first = min(self.first or poll.minute, poll.minute)
        self.last = max(self.last, poll.minute)
        self._add_readers(poll, program)
        self._add_poller(poll)

    def _add_readers(self, poll: Poll, program: Program) -> None:
        # The last report by time, since files may be given in any order.
        if program.subscribers is not None:
            key = poll.feed, program.name, program.feed_id
            report = poll.minute, program.subscribers
            is_known = key in self.subscribers
            if is_known or len(self.subscribers) < _MAX_SUBSCRIBERS:
                self.subscribers[key] = max(self.subscribers.get(key, report), report)
        # Of a service the address is that of its servers.
        elif program.kind == PROGRAM and poll.address != "-":
            self.devices.add(poll)

    def _add_poller(self, poll: Poll) -> None:
        self.has_no_addresses |= poll.address == "-"
        self.has_networks |= "/" in poll.address
        if poll.is_conditional:
            return
        self.pollers[poll.address, poll.agent] += 1
        if len(self.pollers) > _MAX_POLLERS:
            # Those that poll most are far above the others.
            self.pollers = Counter(dict(self.pollers.most_common(_MAX_POLLERS // 2)))

    @property
    def total(self) -> Polls:
        """The numbers of all days."""
        total = Polls()
        for polls in self.days.values():
            total.polls += polls.polls
            total.not_modified += polls.not_modified
            total.unconditional += polls.unconditional
            total.bytes += polls.bytes
        return total

    @property
    def day_count(self) -> float:
        """The days that the log covers, for rates; at least an hour."""
        # Two polls within a minute are not thousands a day.
        return max(self.last - self.first + 1, 60) / _DAY_MINUTES


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
    feeds = _feed_rows(statistics)
    # Somebody who reads two feeds counts twice, as with the subscribers of services.
    known = [row.devices for row in feeds if row.devices is not None]
    return Report(
        first=_time(statistics.first),
        last=_time(statistics.last),
        lines=statistics.lines,
        unrecognised=statistics.unrecognised,
        polls=total.polls,
        polls_a_day=_rate(statistics, total.polls),
        not_modified=_share(total.not_modified, total.polls),
        unconditional=_share(total.unconditional, total.polls),
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
                _time(day * _DAY_MINUTES)[:10],
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
            printable(feed),
            subscribers[feed],
            None if statistics.has_no_addresses else statistics.devices.count(feed),
            _rate(statistics, polls.polls),
            _share(polls.not_modified, polls.polls),
            _share(polls.unconditional, polls.polls),
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
            _rate(statistics, polls.polls),
            _share(polls.not_modified, polls.polls),
            _share(polls.unconditional, polls.polls),
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
    if statistics.last - statistics.first < _DAY_MINUTES - 60:
        notes.append("The log covers less than a day, which some programs wait.")
    if statistics.unrecognised:
        notes.append(
            f"{statistics.unrecognised} of {statistics.lines} lines were not "
            f"recognised. {EXPECTED}"
        )
    return notes


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def _rate(statistics: Statistics, number: int) -> float:
    return round(number / statistics.day_count, 1)


def _time(minute: int) -> str:
    return f"{datetime.fromtimestamp(minute * 60, UTC):%Y-%m-%d %H:%M} UTC"


# Output.

Table = tuple[list[str], list[list[str]]]


def tables(report: Report) -> dict[str, Table]:
    """Return the tables of a report by title: the headings, and rows of text."""
    rates = ["polls a day", "304", "without validators"]
    return {
        "Feeds": (
            ["feed", "subscribers", "devices", *rates, "saved by 304"],
            [
                [
                    row.feed,
                    _number(row.subscribers),
                    _number(row.devices),
                    *_rates(row),
                    _size(row.saved_bytes),
                ]
                for row in report.feeds[:_ROWS]
            ],
        ),
        "Programs": (
            ["program", "kind", "share", "subscribers", *rates],
            [
                [
                    row.program,
                    row.kind,
                    _percent(row.share),
                    _number(row.subscribers),
                    *_rates(row),
                ]
                for row in report.programs[:_ROWS]
            ],
        ),
        "Most polls without validators": (
            ["address", "polls a day", "User-Agent"],
            [
                [row.address, _number(row.polls_a_day), row.agent[:100]]
                for row in report.pollers
            ],
        ),
    }


def summary(report: Report) -> str:
    """Return the totals in a sentence or two."""
    devices = _number(report.devices)
    if report.devices is None:
        devices = "an unknown number of"
    return (
        f"{report.first} to {report.last}: {_number(report.subscribers)} subscribers "
        f"of services, and {devices} devices (estimate). {_number(report.polls_a_day)} "
        f"polls a day, {_percent(report.not_modified)} of them 304, which saved "
        f"{_size(report.saved_bytes)}; {_percent(report.unconditional)} without "
        "validators."
    )


def _rates(row: FeedRow | ProgramRow) -> list[str]:
    shares = _percent(row.not_modified), _percent(row.unconditional)
    return [_number(row.polls_a_day), *shares]


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def _size(number: float) -> str:
    # Decimal, as traffic is charged.
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    columns = list(zip(headings, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    for number, row in enumerate([headings, *rows]):
        # Numbers to the right, so that their digits are below each other.
        cells = [
            cell.rjust(width) if _is_number(column[-1]) else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        click.secho("  ".join(cells).rstrip(), bold=number == 0 or None)


def _is_number(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell))


class Bar(NamedTuple):
    """A bar of a plot in two parts, whose lengths are percentages of the plot."""

    label: str
    first: float
    second: float
    text: str


class Plot(NamedTuple):
    """A plot of bars with the meanings of their parts."""

    title: str
    legend: tuple[str, str]
    bars: list[Bar]


def _plot(
    title: str, legend: tuple[str, str], values: Iterable[tuple[str, float, float]]
) -> Plot:
    rows = list(values)
    longest = max((first + second for _, first, second in rows), default=0) or 1
    bars = []
    for label, first, second in rows:
        text = _number(first + second)
        # The ends of URLs differ, not the beginnings.
        short = label if len(label) <= 38 else f"…{label[-37:]}"
        scale = 100 / longest
        bars.append(Bar(short, first * scale, second * scale, text))
    return Plot(title, legend, bars)


def plots(report: Report) -> list[Plot]:
    """Return the plots of a report."""
    return [
        _plot(
            "Readers of feeds",
            ("subscribers of services", "devices (estimate)"),
            (
                (row.feed, row.subscribers, row.devices or 0)
                for row in report.feeds[:_BARS]
            ),
        ),
        _plot(
            "Polls a day by program",
            ("with validators", "without"),
            (
                (
                    row.program,
                    row.polls_a_day * (1 - row.unconditional),
                    row.polls_a_day * row.unconditional,
                )
                for row in report.programs[:_BARS]
            ),
        ),
        _plot(
            "Polls by day (UTC)",
            ("304", "whole document"),
            (
                (row.day, row.not_modified, row.polls - row.not_modified)
                for row in report.days[-31:]
            ),
        ),
    ]


# One file without a host of its own, so that it can be sent by mail. The policy is a
# second protection from what clients call themselves.
_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'">
<title>Readers of the feeds</title>
<style>
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto;
    padding: 0 1rem; }
  section { overflow-x: auto; margin-top: 2rem; }
  table { border-collapse: collapse; font-size: 0.875rem; }
  th, td { padding: 0.25rem 0.75rem; text-align: left; white-space: nowrap; }
  th { border-bottom: 1px solid; }
  .number { text-align: right; font-variant-numeric: tabular-nums; }
  svg { width: 100%; min-width: 40rem; max-width: 60rem; height: auto; }
  svg text { fill: currentColor; font-size: 13px; }
  .first { fill: #2b6cb0; }
  .second { fill: #dd8a2e; }
</style>
<h1>Readers of the feeds</h1>
<p>{{ summary }}</p>
{% for plot in plots if plot.bars %}
<section>
<h2>{{ plot.title }}</h2>
{% set height = 26 * plot.bars|length + 34 %}
<svg viewBox="0 0 900 {{ height }}" role="img" aria-label="{{ plot.title }}">
  {% for name in plot.legend %}
  <rect class="{{ ["first", "second"][loop.index0] }}" x="{{ 290 + loop.index0 * 200 }}"
   y="4" width="12" height="12"/>
  <text x="{{ 308 + loop.index0 * 200 }}" y="15">{{ name }}</text>
  {% endfor %}
  {% for bar in plot.bars %}
  {% set y = 30 + loop.index0 * 26 %}
  {% set first = bar.first * 5.2 %}
  {% set second = bar.second * 5.2 %}
  <text x="280" y="{{ y + 14 }}" text-anchor="end">{{ bar.label }}</text>
  <rect class="first" x="290" y="{{ y }}" width="{{ first|round(1) }}" height="18"/>
  <rect class="second" x="{{ (290 + first)|round(1) }}" y="{{ y }}"
   width="{{ second|round(1) }}" height="18"/>
  <text x="{{ (298 + first + second)|round(1) }}" y="{{ y + 14 }}">{{ bar.text }}</text>
  {% endfor %}
</svg>
</section>
{% endfor %}
{% for title, (headings, rows) in tables.items() if rows %}
<section>
<h2>{{ title }}</h2>
<table>
<tr>
{% for heading in headings %}
{% set kind = "number" if is_number(rows[0][loop.index0]) else "text" %}
<th scope="col" class="{{ kind }}">{{ heading }}</th>
{% endfor %}
</tr>
{% for row in rows %}
<tr>
{% for cell in row %}
<td class="{{ "number" if is_number(cell) else "text" }}">{{ cell }}</td>
{% endfor %}
</tr>
{% endfor %}
</table>
</section>
{% endfor %}
{% for note in notes %}
<p>{{ note }}</p>
{% endfor %}
</html>
"""


def render_html(report: Report) -> str:
    """Return the report as a page that loads nothing."""
    # Only this output needs it.
    from jinja2 import Environment

    # Names come from anyone's User-Agent.
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_PAGE).render(
        summary=summary(report),
        plots=plots(report),
        tables=tables(report),
        notes=report.notes,
        is_number=_is_number,
    )


def _open(path: Path | None) -> io.BufferedReader:
    if path:
        return path.open("rb")
    # Also where standard input is replaced, `peek` works.
    return io.BufferedReader(cast(io.RawIOBase, sys.stdin.buffer))


def _read_file(path: Path | None, statistics: Statistics, bar: Any) -> None:
    """Read a log, which may be compressed; None is standard input.

    :raises ClickException: it cannot be read.
    """
    name = path or "standard input"
    try:
        with _open(path) as raw:
            file: Any = raw
            # Rotated logs are often compressed, also where they come by a pipe.
            if raw.peek(2)[:2] == b"\x1f\x8b":
                file = gzip.GzipFile(fileobj=raw)
            position = 0
            # nginx logs the bytes of a path, which may be in any encoding.
            lines = (line.decode("utf-8", "replace") for line in file)
            while chunk := list(islice(lines, 10_000)):
                statistics.read(chunk)
                if path:
                    bar.update(raw.tell() - position)
                    position = raw.tell()
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.ClickException(f"{name} cannot be read: {reason}.") from None


def _paths(
    ctx: click.Context, parameter: click.Parameter, names: Iterable[str]
) -> list[Path | None]:
    return [None if name == "-" else Path(name) for name in names] or [None]


@click.command(
    epilog=help_epilog(
        "readers /var/log/nginx/access.log", "readers access.log --html readers.html"
    )
)
@click.argument("files", nargs=-1, metavar="[FILE]...", callback=_paths)
@click.option(
    "--html",
    "html_file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a page with plots to this file.",
)
@json_option
def readers(files: list[Path | None], html_file: Path | None, as_json: bool) -> None:
    """Tell who reads the feeds, by access logs.

    FILE is a log of this service, or of nginx with deploy/nginx.conf; it may be
    compressed by gzip. Without one, standard input is read. Give nginx's log if there
    is one: the service itself sees only what nginx has not cached.
    """
    statistics = Statistics()
    # A file that is missing is reported when its turn comes.
    size = sum(path.stat().st_size for path in files if path and path.exists())
    with progress_bar(length=size) as bar:
        for path in files:
            _read_file(path, statistics, bar)
    if not statistics.days:
        raise click.ClickException(
            f"No poll of a feed in {statistics.lines} lines, of which "
            f"{statistics.unrecognised} were not recognised. {EXPECTED}"
        )
    report = make_report(statistics)
    if html_file:
        _write_page(report, html_file)
    if as_json:
        click.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        _print(report)


def _write_page(report: Report, path: Path) -> None:
    try:
        path.write_text(render_html(report), "utf-8")
    except OSError as error:
        raise click.ClickException(
            f"{path} cannot be written: {error.strerror}."
        ) from None


def _print(report: Report) -> None:
    click.echo(summary(report))
    for title, (headings, rows) in tables(report).items():
        if rows:
            click.echo(f"\n{title}")
            _print_table(headings, rows)
    for note in report.notes:
        click.echo(f"\n{note}")
