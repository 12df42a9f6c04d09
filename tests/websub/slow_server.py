"""Hundreds of callbacks on 127.0.0.0/8 that are slow or hang, in one event loop."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

SLOW = 9.5
"""Seconds that a slow callback takes, less than the timeout of a call."""


class SlowServer:
    """A server whose callbacks respond by the first part of their path.

    `/slow/…` confirms at once, and responds to a delivery after `SLOW` seconds;
    `/hang/…` never responds.
    """

    def __init__(self) -> None:
        self.port = 0
        self.responses = 0
        """Number of responses to deliveries."""
        self.active: Counter[str] = Counter()
        self.max_active: Counter[str] = Counter()
        """Largest number of concurrent connections of each address."""

    def urls(self, kind: str, hosts: int) -> list[str]:
        """Return callbacks on a number of hosts, twenty on each."""
        return [
            f"http://127.0.0.{host + 2}:{self.port}/{kind}/{number}"
            for host in range(hosts)
            for number in range(20)
        ]

    async def serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        server = await asyncio.start_server(self._respond, "0.0.0.0", 0, backlog=2048)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        server.close()

    async def _respond(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        address = writer.get_extra_info("sockname")[0]
        self.active[address] += 1
        self.max_active[address] = max(self.max_active[address], self.active[address])
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split("\r\n")[0].split()
            kind = urlsplit(target).path.split("/")[1]
            if kind == "hang":
                await reader.read()  # until the other side gives up
                return
            challenge = ""
            if method == "GET":
                challenge = parse_qs(urlsplit(target).query).get("hub.challenge", [""])[
                    0
                ]
            else:
                await asyncio.sleep(SLOW)
                self.responses += 1
            body = challenge.encode()
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side has gone, or the test ends
        finally:
            self.active[address] -= 1
            writer.close()


@contextmanager
def run_slow_server() -> Iterator[SlowServer]:
    """Run the server in a thread."""
    running, ready = SlowServer(), threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(running.serve(ready, ended))
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(60)
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
