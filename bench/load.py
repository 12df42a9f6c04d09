"""A load of GETs over kept connections, from processes of its own, on 127.0.0.1."""

from __future__ import annotations

import multiprocessing
import re
import socket
import threading
import time

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)


def requests_a_second(
    port: int, path: str, *, seconds: float, processes: int = 2, connections: int = 8
) -> float:
    """Answered requests a second, by `processes` × `connections` clients that ask again at once."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        counts = pool.starmap(_process, [(port, path, seconds, connections)] * processes)
    return sum(counts) / seconds


def _process(port: int, path: str, seconds: float, connections: int) -> int:
    counts = [0] * connections
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        while time.monotonic() < end:
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                while time.monotonic() < end and _exchange(connection, request):
                    counts[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def _exchange(connection: socket.socket, request: bytes) -> bool:
    """Send a request and read the whole answer; False where the server has closed."""
    connection.sendall(request)
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            return False
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head[:80]
    length = _LENGTH.search(head + b"\r\n")
    assert length
    missing = int(length[1]) - len(body)
    while missing > 0:
        received = connection.recv(min(missing, 1 << 20))
        if not received:
            return False
        missing -= len(received)
    return True
