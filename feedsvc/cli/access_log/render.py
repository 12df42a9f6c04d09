"""A report as tables of text, and as a page with plots."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.resources import files
from typing import NamedTuple

from feedsvc.cli.access_log.report import FeedRow, ProgramRow, Report

_NUMBER = re.compile(r"[\d,.]+( %| .?B)?|–")

# Numbers of rows of a table, and of bars of a plot.
_ROWS = 25
_BARS = 15


def tables(report: Report) -> dict[str, tuple[list[str], list[list[str]]]]:
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


def is_number(cell: str) -> bool:
    """Return True for a cell that is aligned as a number."""
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


def render_html(report: Report) -> str:
    """Return the report as one file that loads nothing, so that it can be mailed."""
    # Only this output needs it.
    from jinja2 import Environment

    template = files(__package__).joinpath("page.html").read_text("utf-8")
    # Names come from anyone's User-Agent. The page's policy is a second protection.
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        summary=summary(report),
        plots=plots(report),
        tables=tables(report),
        notes=report.notes,
        is_number=is_number,
    )
