"""Where the processor's time goes, by library: of a cold feed and of a PUT, in one process, by cProfile."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.cache_miss import SMALL, filled, get
from bench.scaling import putting

TIMES, LEAST = 100, 0.02


def tables() -> str:
    """Markdown: parts of the time, in milliseconds of what it takes without the profiler."""
    with filled(SMALL) as app:
        actions = {
            "a cold feed of 50 entries": lambda: get(app, "/feeds/news.rss"),
            "a PUT of one article": putting(app),
        }
        return "\n\n".join(_table(what, action) for what, action in actions.items())


def _table(what: str, action: Callable[[], object]) -> str:
    action()
    begun = time.thread_time()
    for _ in range(TIMES):
        action()
    whole = (time.thread_time() - begun) / TIMES * 1000
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    for _ in range(TIMES):
        action()
    profile.disable()
    own: Counter[str] = Counter()
    for (file, _, name), (_, _, took, _, callers) in pstats.Stats(
        profile
    ).stats.items():  # type: ignore[attr-defined]
        if file != "~":
            own[_library(file)] += took
        elif "sqlite" in name:
            own["SQLite"] += took
        else:  # of what is built in, each caller is told its part
            for (caller, _, _), (_, _, part, _) in callers.items():
                own[_library(caller)] += part
    total = sum(own.values())
    rows = [
        f"| {library} | {took / total * whole:.2f} |"
        for library, took in own.most_common()
    ]
    shown = [
        row
        for row, (_, took) in zip(rows, own.most_common(), strict=True)
        if took / total >= LEAST
    ]
    return "\n".join([f"| {what}: {whole:.1f} ms | ms |", "|---|---|", *shown])


def _library(file: str) -> str:
    parts = Path(file).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    for package in ("feedsvc", "bench"):
        if package in parts:
            inner = parts[parts.index(package) + 1]
            return (
                f"feedsvc, {inner.removesuffix('.py')}"
                if package == "feedsvc"
                else "bench"
            )
    return "Python's own library"
