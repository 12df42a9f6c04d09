"""Write results to bench.json, and tables and plots to docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import plots
from bench.scaling import Line
from bench.table import GROUPS, HEAD, Row, machine
from tests.server import ROOT

FILE, PAGE, PLOTS = (
    ROOT / "bench.json",
    ROOT / "docs/performance.md",
    ROOT / "docs/performance",
)
WORST_PAGE = PLOTS / "worst.md"


def save(rows: Sequence[Row], lines: Sequence[Line], profile: str, worst: str) -> None:
    """Replace the figures of the measured parts, and keep those of the others."""
    previous = (
        json.loads(FILE.read_text("utf-8"))
        if FILE.exists()
        else {"rows": [], "lines": []}
    )
    all_rows = {row.what: row for row in [*map(_row, previous["rows"]), *rows]}
    all_lines = {
        (line.panel, line.name): line
        for line in [*map(_line, previous["lines"]), *lines]
    }
    sorted_rows = sorted(
        all_rows.values(), key=lambda row: list(GROUPS).index(row.group)
    )
    document = {
        "machine": machine(),
        "rows": [{**asdict(row), "holds": row.holds} for row in sorted_rows],
        "lines": [asdict(line) for line in all_lines.values()],
    }
    FILE.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
    table = "\n".join([f"{machine()}.\n", HEAD, *map(str, sorted_rows)])
    _write("table", table)
    if profile:
        _write("profile", profile)
    if worst:
        _write("worst", worst, WORST_PAGE)
    plots.ratios(sorted_rows, PLOTS / "ratios.svg")
    if all_lines:
        plots.growth(all_lines.values(), PLOTS / "growth.svg")


def _write(name: str, text: str, page: Path = PAGE) -> None:
    """Replace the text between the two comments with a name in a page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    page.write_text(f"{before}{begin}{text}\n{end}{rest.partition(end)[2]}", "utf-8")


def _row(values: dict[str, Any]) -> Row:
    least, median, greatest = values.pop("ratios")
    del values["holds"]
    return Row(**values, ratios=(least, median, greatest))


def _line(values: dict[str, Any]) -> Line:
    return Line(
        **values
        | {"points": {int(size): cost for size, cost in values["points"].items()}}
    )
