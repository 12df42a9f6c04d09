"""A load of GETs over kept connections, on 127.0.0.1, by wrk."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping

CONNECTIONS = 16
SECONDS = 2


def requests_a_second(port: int, path: str, headers: Mapping[str, str] | None = None) -> float:
    """Answered requests a second, of clients that ask again at once.

    :raises SystemExit: wrk is not installed.
    """
    return _run(port, path, headers or {})[0]


def slowest(port: int, path: str) -> float:
    """Milliseconds that 99 of 100 requests take at most."""
    return _run(port, path, {})[1]


def _run(port: int, path: str, headers: Mapping[str, str]) -> tuple[float, float]:
    program = shutil.which("wrk")
    if not program:
        raise SystemExit("make bench needs wrk: apt-get install wrk")
    said = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
    how = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s", "--latency"]
    url = f"http://127.0.0.1:{port}{path}"
    report = subprocess.run([program, *how, *said, url], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in report, report
    rate = re.search(r"Requests/sec: +([0-9.]+)", report)
    late = re.search(r"99% +([0-9.]+)(us|ms|s)\b", report)
    assert rate, report
    assert late, report
    return float(rate[1]), float(late[1]) * {"us": 0.001, "ms": 1, "s": 1000}[late[2]]
