"""Write what was measured to bench.json, and its tables and plots to docs/performance.md and its folder."""

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


def keep(
    rows: Sequence[Row], lines: Sequence[Line], profile: str = "", worst: str = ""
) -> None:
    """Replace the figures of what was measured; those of other parts stay as they are."""
    before = (
        json.loads(FILE.read_text("utf-8"))
        if FILE.exists()
        else {"rows": [], "lines": []}
    )
    all_rows = {row.what: row for row in [*map(_row, before["rows"]), *rows]}
    all_lines = {
        (line.panel, line.what): line for line in [*map(_line, before["lines"]), *lines]
    }
    kept = sorted(all_rows.values(), key=lambda row: list(GROUPS).index(row.group))
    document = {
        "machine": machine(),
        "rows": [{**asdict(row), "holds": row.holds} for row in kept],
        "lines": [asdict(line) for line in all_lines.values()],
    }
    FILE.write_text(json.dumps(document, ensure_ascii=False, indent=1), "utf-8")
    table = "\n".join([f"{machine()}.\n", HEAD, *map(str, kept)])
    _write("table", table)
    if profile:
        _write("profile", profile)
    if worst:
        _write("worst", worst, WORST_PAGE)
    plots.ratios(kept, PLOTS / "ratios.svg")
    if all_lines:
        plots.growth(all_lines.values(), PLOTS / "growth.svg")


def _write(name: str, text: str, page: Path = PAGE) -> None:
    """Replace what stands between the two comments of a name in a page."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = page.read_text("utf-8").partition(begin)
    page.write_text(f"{before}{begin}{text}\n{end}{rest.partition(end)[2]}", "utf-8")


def _row(kept: dict[str, Any]) -> Row:
    least, median, greatest = kept.pop("ratios")
    del kept["holds"]
    return Row(**kept, ratios=(least, median, greatest))


def _line(kept: dict[str, Any]) -> Line:
    return Line(
        **kept | {"points": {int(size): cost for size, cost in kept["points"].items()}}
    )
