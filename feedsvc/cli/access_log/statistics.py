"""Counts of polls, in limited memory for a log with any number of lines."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from feedsvc.cli.access_log.clients import PROGRAM, Program, identify
from feedsvc.cli.access_log.polls import FEEDS, Poll, parse_line

DAY_MINUTES = 24 * 60

# Clients can invent any number of each.
_MAX_FEEDS = 5_000
_MAX_PROGRAMS = 1_000
_MAX_SUBSCRIBERS = 10_000
_MAX_POLLERS = 10_000
_MAX_DEVICES = 100_000

OTHER = "(others)"
"""The name for all feeds or programs above their maximum."""


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
        oldest = self._newest - DAY_MINUTES
        while True:
            # First only what does not count any more, which costs no precision.
            for feed, devices in self._last_minutes.items():
                self._last_minutes[feed] = {
                    key: minute
                    for key, minute in devices.items()
                    if minute > oldest and not key & self._mask
                }
            self._number = sum(map(len, self._last_minutes.values()))
            # To one half, or every new device would be a reason to shrink again.
            if self._number <= _MAX_DEVICES // 2:
                return
            self._mask = self._mask * 2 + 1

    def count(self, feed: str) -> int:
        """Return how many devices polled a feed in the last 24 hours of the log."""
        oldest = self._newest - DAY_MINUTES
        minutes = self._last_minutes.get(feed, {}).values()
        return sum(minute > oldest for minute in minutes) * (self._mask + 1)


class Statistics:
    """The polls in a log, counted; `first` and `last` are their minutes from 1970."""

    def __init__(self) -> None:
        self.lines = 0
        self.unrecognised = 0
        self.total = Polls()
        self.feeds: defaultdict[str, Polls] = defaultdict(Polls)
        self.programs: defaultdict[tuple[str, str], Polls] = defaultdict(Polls)
        self.days: defaultdict[int, Polls] = defaultdict(Polls)
        self.subscribers: dict[tuple[str, str, str], tuple[int, int]] = {}
        """Time and number of a service's last report, by feed, service and its id."""
        self.pollers: Counter[tuple[str, str]] = Counter()
        """Polls without validators, by address and User-Agent."""
        self.devices = Devices()
        self.first = 0
        self.last = 0
        self.has_networks = False
        self.has_no_addresses = False

    def read(self, lines: Iterable[str]) -> None:
        """Count the polls in lines of a log."""
        for line in lines:
            self.lines += 1
            # Most lines of a portal's log are other requests.
            if FEEDS not in line:
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
        self.total.add(poll)
        self.feeds[poll.feed].add(poll)
        self.programs[name].add(poll)
        self.days[poll.minute // DAY_MINUTES].add(poll)
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
    def day_count(self) -> float:
        """The days that the log covers, for rates; at least an hour."""
        # Two polls within a minute are not thousands a day.
        return max(self.last - self.first + 1, 60) / DAY_MINUTES
