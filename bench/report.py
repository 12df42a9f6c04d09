"""The table of `make bench` and its picture, in docs/performance.md."""

import os
import platform

from bench.compare import Figures
from feedsvc import __version__
from feedsvc.models import utcnow
from tests.server import ROOT

DOCUMENT = ROOT / "docs/performance.md"
PICTURE = ROOT / "docs/performance.svg"
BEGIN, END = "<!-- make bench -->\n", "<!-- end -->\n"

ROWS = (
    *(
        f"{state} {feed}"
        for state in ("first", "cold")
        for feed in ("RSS", "RSS, gzip", "Atom", "Atom, gzip", "JSON", "JSON, gzip")
    ),
    # The first one has events of the round before.
    "cold calendar",
    "cached RSS",
    "cached RSS, gzip",
    "304",
    "PUT",
    "batch item",
    "a day, s",
)
PICTURED_ROWS = ("cold RSS", "304")


def write_report(columns: dict[str, Figures]) -> str:
    """Write the table into the document, and the picture; return the table."""
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    head = f"Version {__version__}, {utcnow():%Y-%m-%d}, {machine}:"
    table = f"{head}\n\n{format_table(columns)}\n{list_losses(columns)}"
    before, _, rest = DOCUMENT.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", "utf-8")
    PICTURE.write_text(draw_picture(columns), "utf-8")
    return table


def format_table(columns: dict[str, Figures]) -> str:
    """Return a table in Markdown."""
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    for row in ROWS:
        lines.append(
            [row, *(format_cell(figures, row) for figures in columns.values())]
        )
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def list_losses(columns: dict[str, Figures]) -> str:
    """Return the rows in which others take less time than this service."""
    own = columns["feedsvc"]
    lines = ["Others take less time than feedsvc in these rows:\n\n"]
    for name, figures in columns.items():
        rows = [
            f"{row} ({format_cell(figures, row)} beside {format_cell(own, row)})"
            for row in ROWS
            if row in figures and figures[row] < own[row]
        ]
        if rows:
            lines.append(f"- {name}: {'; '.join(rows)}\n")
    return "".join(lines)


def format_cell(figures: Figures, row: str) -> str:
    """Return a number with two or three digits that count, or a dash."""
    if row not in figures:
        return "–"
    number = figures[row]
    decimals = 0 if number >= 20 else 1 if number >= 1 else 3
    return f"{number:,.{decimals}f}"


def draw_picture(columns: dict[str, Figures]) -> str:
    """Return bars as SVG."""
    shapes = []
    y = 0
    for row in PICTURED_ROWS:
        shapes.append(f'<text x="130" y="{y + 24}" font-weight="bold">{row}, ms</text>')
        y += 32
        servers = {name: column for name, column in columns.items() if row in column}
        longest = max(column[row] for column in servers.values())
        for name, column in servers.items():
            color = "#1d4f91" if name == "feedsvc" else "#c9a227"
            width = max(1, round(420 * column[row] / longest))
            shapes += [
                f'<text x="120" y="{y + 14}" text-anchor="end">{name}</text>',
                f'<rect x="130" y="{y}" width="{width}" height="19" fill="{color}"/>',
                f'<text x="{width + 136}" y="{y + 14}">{format_cell(column, row)}</text>',
            ]
            y += 22
    size = f'width="640" height="{y + 10}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
            "<title>Milliseconds of processor time a request</title>",
            f'<rect {size} fill="#fff"/>',
            *shapes,
            "</svg>\n",
        ]
    )
