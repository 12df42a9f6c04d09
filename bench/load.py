"""Loads of GETs over kept connections, on 127.0.0.1: as fast as may be, by wrk, and at a constant rate."""

from __future__ import annotations

import os
import re
import select
import shutil
import socket
import statistics
import subprocess
import time
from collections import deque
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
    count = _run(port, path, headers or {})
    return count / (_worked(pids) - before)


def most(port: int, path: str, headers: Mapping[str, str]) -> float:
    """Answered requests a second by the clock, the median of three; raises as `requests_a_second`."""
    return statistics.median(_run(port, path, headers) / SECONDS for _ in range(3))


def lateness(port: int, path: str, headers: Mapping[str, str], rate: float) -> float:
    """Milliseconds after which 99 of 100 answers were there, of requests at a constant rate.

    The time of an answer counts from the moment at which its request was due, also where it had to wait for
    a connection that was free: a server that stops is late with all that were due meanwhile.
    """
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        *(f"{n}: {v}" for n, v in headers.items()),
    ]
    asks = ("\r\n".join(lines) + "\r\n\r\n").encode()
    free = deque(
        socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)
    )
    busy: dict[socket.socket, _Waiting] = {}
    took: list[float] = []
    sent, count = 0, int(rate * SECONDS)
    begun = time.perf_counter()
    while len(took) < count:
        while free and sent < count and begun + sent / rate <= time.perf_counter():
            one = free.popleft()
            one.sendall(asks)
            busy[one] = _Waiting(begun + sent / rate)
            sent += 1
        wait = (
            max(0.0, begun + sent / rate - time.perf_counter())
            if free and sent < count
            else None
        )
        for one in select.select(busy, [], [], wait)[0]:
            if busy[one].has_all(one.recv(1 << 20)):
                took.append(time.perf_counter() - busy.pop(one).due)
                free.append(one)
    for one in free:
        one.close()
    return statistics.quantiles(took, n=100)[-1] * 1000


def nginx_workers(pid: int) -> list[int]:
    """The worker processes of an nginx, without those that tend its cache, one of which ends by itself."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [
        child
        for child in children
        if b"worker process" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


class _Waiting:
    """A request that was due, and the bytes that its answer still lacks."""

    def __init__(self, due: float) -> None:
        self.due, self._left = due, -1

    def has_all(self, received: bytes) -> bool:
        """Whether these were the last bytes; the first ones hold the whole head."""
        if self._left < 0:
            head, _, body = received.partition(b"\r\n\r\n")
            length = re.search(rb"\r\nContent-Length: (\d+)", head)
            assert length, head
            self._left, received = int(length[1]), body
        self._left -= len(received)
        return not self._left


def _worked(pids: Iterable[int]) -> float:
    """Seconds of the processor, those of threads that have ended too."""
    stats = [
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids
    ]
    return sum(int(ticks) for stat in stats for ticks in stat[11:13]) / os.sysconf(
        "SC_CLK_TCK"
    )


def _run(port: int, path: str, headers: Mapping[str, str]) -> int:
    program = shutil.which("wrk")
    if not program:
        raise SystemExit("make bench needs wrk: apt-get install wrk")
    said = [
        option
        for name, value in headers.items()
        for option in ("-H", f"{name}: {value}")
    ]
    how = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECONDS}s"]
    url = f"http://127.0.0.1:{port}{path}"
    report = subprocess.run(
        [program, *how, *said, url], check=True, capture_output=True, text=True
    ).stdout
    assert "Non-2xx" not in report, report
    count = re.search(r"([0-9]+) requests in", report)
    assert count, report
    return int(count[1])
