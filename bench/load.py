"""GET requests over persistent connections: as fast as possible, or at a constant rate."""

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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

CONNECTIONS = 16
SECONDS = 1


def requests_per_cpu_second(
    pids: Iterable[int], port: int, path: str, headers: Mapping[str, str] | None = None
) -> float:
    """Return the requests that processes answer per second of their CPU time.

    CPU time hardly depends on the other load of the machine.

    :raises SystemExit: wrk is not installed.
    """
    pids = list(pids)
    before = _cpu_seconds(pids)
    count = _run(port, path, headers or {})
    return count / (_cpu_seconds(pids) - before)


def max_rate(port: int, path: str, headers: Mapping[str, str]) -> float:
    """Return the requests answered per second by the clock.

    :raises SystemExit: wrk is not installed.
    """
    return _run(port, path, headers) / SECONDS


def latency_p99(port: int, path: str, headers: Mapping[str, str], rate: float) -> float:
    """Return the 99th percentile of the latency in ms, at a constant rate of requests.

    Latency counts from the time when a request was due, even if no connection was free
    then. So a server that stops is late with every request that was due meanwhile.
    """
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        *(f"{n}: {v}" for n, v in headers.items()),
    ]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    free = deque(
        socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)
    )
    busy: dict[socket.socket, _PendingRequest] = {}
    latencies: list[float] = []
    sent, count = 0, int(rate * SECONDS)
    begin = time.perf_counter()
    while len(latencies) < count:
        while free and sent < count and begin + sent / rate <= time.perf_counter():
            connection = free.popleft()
            connection.sendall(request)
            busy[connection] = _PendingRequest(begin + sent / rate)
            sent += 1
        wait = (
            max(0.0, begin + sent / rate - time.perf_counter())
            if free and sent < count
            else None
        )
        for connection in select.select(busy, [], [], wait)[0]:
            if busy[connection].is_complete(connection.recv(1 << 20)):
                latencies.append(time.perf_counter() - busy.pop(connection).due)
                free.append(connection)
    for connection in free:
        connection.close()
    return statistics.quantiles(latencies, n=100)[-1] * 1000


@contextmanager
def prioritized(pids: Iterable[int]) -> Iterator[None]:
    """Run processes, and this one with its children, before all others, if root.

    Other programs take a processor for milliseconds, many times the latency that is
    measured, and more often from a client and a service that are busier.
    """
    paths = [Path(f"/proc/{pid}/task") for pid in (*pids, os.getpid())]
    threads = [int(thread.name) for path in paths for thread in path.iterdir()]
    with suppress(PermissionError):
        _schedule(threads, os.SCHED_RR, priority=1)
    try:
        yield
    finally:
        _schedule(threads, os.SCHED_OTHER, priority=0)


@contextmanager
def full_load(port: int, path: str, headers: Mapping[str, str]) -> Iterator[None]:
    """Send as many requests as are answered, until the end of the block."""
    process = subprocess.Popen(
        _command(port, path, headers, "600s"), stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def nginx_workers(pid: int) -> list[int]:
    """Return the worker processes of an nginx, without its cache manager and loader."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [
        child
        for child in children
        if b"worker process" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


class _PendingRequest:
    """A request, and the number of bytes that its response still lacks."""

    def __init__(self, due: float) -> None:
        self.due, self._left = due, -1

    def is_complete(self, received: bytes) -> bool:
        """Return whether these bytes complete the response.

        The first ones must have all headers.
        """
        if self._left < 0:
            head, _, body = received.partition(b"\r\n\r\n")
            length = re.search(rb"\r\nContent-Length: (\d+)", head)
            assert length, head
            self._left, received = int(length[1]), body
        self._left -= len(received)
        return not self._left


def _schedule(threads: Iterable[int], policy: int, priority: int) -> None:
    for thread in threads:
        with suppress(ProcessLookupError):  # a thread may have ended
            os.sched_setscheduler(thread, policy, os.sched_param(priority))


def _cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time of processes, of ended threads too."""
    stats = [
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids
    ]
    return sum(int(ticks) for stat in stats for ticks in stat[11:13]) / os.sysconf(
        "SC_CLK_TCK"
    )


def _command(
    port: int, path: str, headers: Mapping[str, str], duration: str
) -> list[str]:
    """Return the command that sends requests.

    :raises SystemExit: wrk is not installed.
    """
    program = shutil.which("wrk")
    if not program:
        raise SystemExit("make bench needs wrk: apt-get install wrk")
    options = [
        argument
        for name, value in headers.items()
        for argument in ("-H", f"{name}: {value}")
    ]
    limits = ["-t", "1", "-c", str(CONNECTIONS), "-d", duration]
    return [program, *limits, *options, f"http://127.0.0.1:{port}{path}"]


def _run(port: int, path: str, headers: Mapping[str, str]) -> int:
    command = _command(port, path, headers, f"{SECONDS}s")
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in report, report
    count = re.search(r"([0-9]+) requests in", report)
    assert count, report
    return int(count[1])
