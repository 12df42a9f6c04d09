"""Measurements against their references, in turn, and their rows in the table."""

from __future__ import annotations

import operator
import os
import platform
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

HEAD = "| what | ours | reference | ratio (least – median – greatest) | bar |\n|---|---|---|---|---|"
GROUPS = {
    "hot": "What is hot",
    "front": "Behind nginx",
    "cold": "What is cold",
    "writes": "Writes",
    "memory": "Memory and start",
    "readers": "Readers",
}
"""The rows' groups, in their order."""


@dataclass(frozen=True)
class Row:
    """Medians, and the ratio of the two: the least, the median and the greatest of all rounds."""

    group: str
    what: str
    ours: float
    reference: float
    ratios: tuple[float, float, float]
    unit: str
    bar: str

    @property
    def holds(self) -> bool:
        """Whether the median is within the bar, such as `≥ 0.90`."""
        sign, _, value = self.bar.partition(" ")
        return (
            {"≥": operator.ge, "≤": operator.le}[sign](
                round(self.ratios[1], 2), float(value)
            )
            if sign
            else True
        )

    def __str__(self) -> str:
        least, median, greatest = self.ratios
        verdict = self.bar and f"{self.bar}: {'holds' if self.holds else 'missed'}"
        return (
            f"| {self.what} | {self.ours:,.{_digits(self.ours)}f} {self.unit} "
            f"| {self.reference:,.{_digits(self.reference)}f} {self.unit} "
            f"| {least:.2f} – **{median:.2f}** – {greatest:.2f} | {verdict or '–'} |"
        )


def in_turn(*runs: Callable[[], float], rounds: int) -> list[tuple[float, ...]]:
    """Rounds of all, forwards and backwards, so that what else the machine does meets all."""
    found = []
    for number in range(rounds):
        order = range(len(runs)) if number % 2 else reversed(range(len(runs)))
        figures = {at: runs[at]() for at in order}
        found.append(tuple(figures[at] for at in range(len(runs))))
    return found


def compare(
    group: str,
    ours: Callable[[], float],
    references: Mapping[str, tuple[Callable[[], float], str]],
    *,
    unit: str = "/s",
    rounds: int = 15,
) -> list[Row]:
    """A row for each reference, which is told by what it says of both, with its bar."""
    found = in_turn(ours, *(run for run, _ in references.values()), rounds=rounds)
    return [
        row(group, what, [(each[0], each[at]) for each in found], bar, unit=unit)
        for at, (what, (_, bar)) in enumerate(references.items(), start=1)
    ]


def row(
    group: str, what: str, pairs: list[tuple[float, float]], bar: str = "", *, unit: str
) -> Row:
    """The row of pairs that were measured."""
    ratios = sorted(ours / reference for ours, reference in pairs)
    ours, reference = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row(
        group,
        what,
        ours,
        reference,
        (ratios[0], statistics.median(ratios), ratios[-1]),
        unit,
        bar,
    )


def machine() -> str:
    """What measures."""
    facts = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(": ")[2] for line in facts if "model name" in line]
    model = models[0] if models else platform.machine()
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {model}, {platform.system()}"


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2
