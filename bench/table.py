"""A measurement against its reference, each in turn, and the table of all."""

from __future__ import annotations

import json
import operator
import os
import platform
import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """Medians, and the ratio of the two: the least, the median and the greatest of all rounds."""

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
            {"≥": operator.ge, "≤": operator.le}[sign](round(self.ratios[1], 2), float(value))
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


def compare(
    what: str,
    ours: Callable[[], float],
    reference: Callable[[], float],
    bar: str = "",
    *,
    unit: str = "/s",
    rounds: int = 5,
) -> Row:
    """Measure both in turn, so that what else the machine does meets both."""
    return row(what, [(ours(), reference()) for _ in range(rounds)], bar, unit=unit)


def row(what: str, pairs: list[tuple[float, float]], bar: str = "", *, unit: str) -> Row:
    """The row of pairs that were measured."""
    ratios = sorted(ours / reference for ours, reference in pairs)
    ours, reference = (statistics.median(column) for column in zip(*pairs, strict=True))
    return Row(what, ours, reference, (ratios[0], statistics.median(ratios), ratios[-1]), unit, bar)


def table(rows: Iterable[Row], file: Path) -> None:
    """Print the rows as Markdown as they come, and write all as JSON."""
    model = next(
        (
            line.partition(": ")[2]
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {model}, {platform.system()}"
    print(
        f"{machine}\n\n| what | ours | reference | ratio (least – median – greatest) | bar |\n"
        "|---|---|---|---|---|"
    )
    found = []
    for one in rows:
        print(one, flush=True)
        found.append({**asdict(one), "holds": one.holds})
    file.write_text(json.dumps({"machine": machine, "rows": found}, ensure_ascii=False, indent=1))


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2
