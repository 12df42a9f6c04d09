"""SVG plots: each ratio relative to its bar, and how cost grows."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from bench.scaling import Line
from bench.table import GROUPS, Row

INK, GREY, PALE = "#1d2733", "#66717b", "#e3e7eb"
GOOD, BAD, OTHER = "#1f7a5c", "#c2452d", "#2f6db5"
AXIS_LIMITS = 0.17, 5.9
"""Limits of the axis of ratios, at which the others are cut."""

mpl.rcParams.update(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "feedsvc",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.edgecolor": GREY,
        "axes.labelcolor": GREY,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


def ratios(rows: Iterable[Row], file: Path) -> None:
    """Plot each ratio that has a bar, relative to it; further right is better."""
    figure = Figure()
    axes = figure.subplots()
    # Across in parts of the chart, down in rows.
    beside = axes.get_yaxis_transform()
    height = 0.0
    for group, members in groupby(
        (row for row in rows if row.bar), key=lambda row: row.group
    ):
        axes.text(
            -0.02,
            height,
            GROUPS[group],
            weight="bold",
            ha="right",
            va="center",
            transform=beside,
        )
        for row in members:
            height += 1
            _ratio(axes, row, height)
        height += 1.3
    figure.set_size_inches(5, 0.42 * height + 0.8)
    axes.axvline(1, color=INK, linewidth=1)
    axes.set(
        xscale="log",
        xlim=AXIS_LIMITS,
        ylim=(height - 0.7, -0.6),
        yticks=[],
        xlabel="times as good as the bar",
    )
    axes.set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.spines["left"].set_visible(False)
    _write(figure, file)


def _ratio(axes: Axes, row: Row, height: float) -> None:
    sign, _, bar = row.bar.partition(" ")
    parts = (
        ratio / float(bar) if sign == "≥" else float(bar) / ratio
        for ratio in row.ratios
    )
    least, median, greatest = (
        min(max(part, AXIS_LIMITS[0]), AXIS_LIMITS[1]) for part in parts
    )
    color = GOOD if row.holds else BAD
    axes.hlines(height, *AXIS_LIMITS, color=PALE, linewidth=0.6, zorder=0)
    axes.hlines(height, least, greatest, color=color, linewidth=5, alpha=0.3)
    axes.plot(median, height, "o", color=color, markersize=6, clip_on=False)
    beside = axes.get_yaxis_transform()
    what, _, reference = row.what.rpartition(", against ")
    axes.text(-0.02, height - 0.17, what, ha="right", va="center", transform=beside)
    axes.text(
        -0.02,
        height + 0.25,
        f"against {reference}",
        ha="right",
        va="center",
        color=GREY,
        size=8,
        transform=beside,
    )
    axes.text(
        1.02,
        height,
        f"{row.ratios[1]:.2f}",
        weight="bold",
        va="center",
        color=color,
        transform=beside,
    )
    axes.text(1.16, height, f"bar {row.bar}", va="center", color=GREY, transform=beside)


def growth(lines: Iterable[Line], file: Path) -> None:
    """Plot a panel for each quantity, from zero, with labels at the ends of lines."""
    panels = [
        (panel, list(members))
        for panel, members in groupby(lines, key=lambda line: line.panel)
    ]
    figure = Figure(figsize=(10, 6.2))
    grid = figure.subplots(2, 2)
    for axes, (panel, members) in zip(grid.flat, panels, strict=True):
        for line, color in zip(members, (GOOD, OTHER), strict=False):
            sizes, costs = zip(*line.points.items(), strict=True)
            axes.plot(
                sizes,
                costs,
                "o-",
                color=color,
                linewidth=1.8,
                markersize=5,
                clip_on=False,
            )
            axes.annotate(
                f"{line.name}, {costs[-1]:.3g} {line.unit}",
                (sizes[-1], max(costs)),
                (0, 8),
                textcoords="offset points",
                ha="right",
                color=color,
            )
        top = max(cost for line in members for cost in line.points.values())
        axes.set(xscale="log", ylim=(0, top * 1.35), ylabel=members[0].unit)
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(panel, loc="left", fontsize=11, color=INK, weight="bold")
    figure.tight_layout(h_pad=2.5, w_pad=3)
    _write(figure, file)


def _write(figure: Figure, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    figure.savefig(
        file,
        bbox_inches="tight",
        pad_inches=0.15,
        metadata={"Date": None, "Creator": None},
    )
