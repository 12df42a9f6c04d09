"""Measurements against references, and their rows in the table."""

from __future__ import annotations

import operator
import os
import platform
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HEAD = (
    "| what | ours | reference | ratio (least–median–greatest) | bar |\n"
    "|---|---|---|---|---|"
)
GROUPS = {
    "hot": "Cached feeds",
    "front": "Behind nginx",
    "cold": "Uncached feeds",
    "writes": "Writes",
    "memory": "Memory and start",
    "readers": "Readers",
}
"""The groups of rows, in their order."""


@dataclass(frozen=True)
class Effort:
    """The amounts that are measured."""

    rounds: int = 15
    feed_rounds: int = 75
    sizes: tuple[int, ...] = (1_000, 10_000, 100_000, 1_000_000)
    cached_feeds: tuple[int, ...] = (1, 10, 100, 2_000)
    batch_lines: int = 3_000
    batch_bytes: int = 8 * 1024 * 1024
    requested_feeds: int = 10_000
    worst_entries: int = 100_000
    search_entries: tuple[int, ...] = (100_000, 1_000_000)
    new_entries: int = 60


QUICK = Effort(
    rounds=1,
    feed_rounds=3,
    sizes=(1_000, 2_000),
    cached_feeds=(1, 20),
    batch_lines=200,
    batch_bytes=1024 * 1024,
    requested_feeds=100,
    worst_entries=4_000,
    search_entries=(2_000,),
    new_entries=3,
)
"""Only tries whether everything runs; the figures say nothing."""


@dataclass(frozen=True)
class Row:
    """Medians, and the least, median and greatest ratio of all rounds."""

    group: str
    what: str
    ours: float
    reference: float
    ratios: tuple[float, float, float]
    unit: str
    bar: str

    @property
    def holds(self) -> bool:
        """Return whether the median is within the bar, such as `≥ 0.90`."""
        sign, _, limit = self.bar.partition(" ")
        if not sign:
            return True
        compare = {"≥": operator.ge, "≤": operator.le}[sign]
        return bool(compare(round(self.ratios[1], 2), float(limit)))

    def __str__(self) -> str:
        least, median, greatest = self.ratios
        verdict = self.bar if self.holds else f"{self.bar}: missed"
        return (
            f"| {self.what} | {self._amount(self.ours)} | {self._amount(self.reference)} "
            f"| {least:.2f}–**{median:.2f}**–{greatest:.2f} "
            f"| {verdict or '–'} |"
        )

    def _amount(self, value: float) -> str:
        space = "" if self.unit.startswith("/") else " "
        return f"{value:,.{_digits(value)}f}{space}{self.unit}"


def alternate(*runs: Callable[[], float], rounds: int) -> list[tuple[float, ...]]:
    """Return the results of all runs in each round.

    Every other round goes backwards, so that other load of the machine affects all
    runs alike.
    """
    results = []
    for number in range(rounds):
        order = range(len(runs)) if number % 2 else reversed(range(len(runs)))
        by_run = {index: runs[index]() for index in order}
        results.append(tuple(by_run[index] for index in range(len(runs))))
    return results


def compare(
    group: str,
    ours: Callable[[], float],
    references: Mapping[str, tuple[Callable[[], float], str]],
    *,
    unit: str = "/s",
    rounds: int,
) -> list[Row]:
    """Measure ours and some references in turn.

    :param references: by what the row says of both: a measurement, and the bar.
    """
    measurements = [measure for measure, _ in references.values()]
    results = alternate(ours, *measurements, rounds=rounds)
    return [
        make_row(
            group, what, [(each[0], each[index]) for each in results], bar, unit=unit
        )
        for index, (what, (_, bar)) in enumerate(references.items(), start=1)
    ]


def make_row(
    group: str, what: str, pairs: list[tuple[float, float]], bar: str = "", *, unit: str
) -> Row:
    """Return the row of measured pairs of ours and the reference."""
    ratios = sorted(ours / reference for ours, reference in pairs)
    ours, reference = (statistics.median(column) for column in zip(*pairs, strict=True))
    least, median, greatest = ratios[0], statistics.median(ratios), ratios[-1]
    return Row(group, what, ours, reference, (least, median, greatest), unit, bar)


def machine() -> str:
    """Return the machine and the version of Python."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in lines if "model name" in line]
    model = models[0] if models else platform.machine()
    return (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, {model}, "
        f"{platform.system()}"
    )


def _digits(value: float) -> int:
    if value >= 100:
        return 0
    return 1 if value >= 10 else 2
