"""A load of GETs over kept connections, on 127.0.0.1, by wrk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

CONNECTIONS = 16
SECONDS = 1


def requests_a_second(
    pids: Iterable[int], port: int, path: str, headers: Mapping[str, str] | None = None
) -> float:
    """Answered requests a second that processes were at work, of clients that ask again at once.

    Work is the processor's time and no other, so that what else the machine does weighs little.

    :raises SystemExit: wrk is not installed.
    """
    pids = list(pids)
    before = _worked(pids)
    report = _run(port, path, headers or {})
    count = re.search(r"([0-9]+) requests in", report)
    assert count, report
    return int(count[1]) / (_worked(pids) - before)


def slowest(port: int, path: str) -> float:
    """Milliseconds that 99 of 100 requests take at most."""
    report = _run(port, path, {})
    late = re.search(r"99% +([0-9.]+)(us|ms|s)\b", report)
    assert late, report
    return float(late[1]) * {"us": 0.001, "ms": 1, "s": 1000}[late[2]]


def children(pid: int) -> list[int]:
    """The processes that one has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _worked(pids: Iterable[int]) -> float:
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(ticks) for stat in stats for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")


def _run(port: int, path: str, headers: Mapping[str, str]) -> str:
    program = shutil.which("wrk")
    if not program:
        raise SystemExit("make bench needs wrk: apt-get install wrk")
    said = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
    how = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--latency"]
    url = f"http://127.0.0.1:{port}{path}"
    report = subprocess.run([program, *how, *said, url], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in report, report
    return report
