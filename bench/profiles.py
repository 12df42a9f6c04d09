"""CPU time by library, of a cold feed and of a PUT, by cProfile in one process."""

from __future__ import annotations

import cProfile
import pstats
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.cache_miss import SECTION, SMALL, get, seeded_app
from bench.scaling import putting
from bench.table import Effort

MIN_SHARE = 0.02


def text(effort: Effort) -> str:
    """Return a list in Markdown, in milliseconds without the profiler."""
    repetitions = effort.feed_rounds
    with seeded_app(SMALL) as app:
        feed = _line(
            "a cold feed of 50 entries", lambda: get(app, SECTION), repetitions
        )
        put = _line("a PUT of one article", putting(app), repetitions)
    return f"{feed}\n{put}"


def _line(name: str, action: Callable[[], object], repetitions: int) -> str:
    action()
    begin = time.thread_time()
    for _ in range(repetitions):
        action()
    milliseconds = (time.thread_time() - begin) / repetitions * 1000
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    for _ in range(repetitions):
        action()
    profile.disable()
    shares = _shares(profile)
    parts = ", ".join(
        f"{library} {share * milliseconds:.2f}"
        for library, share in shares.items()
        if share >= MIN_SHARE
    )
    return f"- {name}, {milliseconds:.1f} ms: {parts}"


def _shares(profile: cProfile.Profile) -> dict[str, float]:
    """Return the share of each library in the time, the largest first."""
    seconds: Counter[str] = Counter()
    functions = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (file, _, name), (_, _, own_time, _, callers) in functions.items():
        if file != "~":
            seconds[_library(file)] += own_time
        elif "sqlite" in name:
            seconds["SQLite"] += own_time
        else:
            # The time of a built-in function counts for its callers.
            for (caller, _, _), (_, _, part, _) in callers.items():
                seconds[_library(caller)] += part
    total = sum(seconds.values())
    return {library: own / total for library, own in seconds.most_common()}


def _library(file: str) -> str:
    parts = Path(file).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    if "feedsvc" in parts:
        package = parts[parts.index("feedsvc") + 1].removesuffix(".py")
        return f"feedsvc.{package}"
    return "bench" if "bench" in parts else "Python's own library"
