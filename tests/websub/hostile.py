"""Callbacks on 127.0.0.x that are slow, or hang; one event loop serves hundreds of them."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

SLOW = 9.5
"""Seconds that a slow callback takes: less than the ten after which a call is given up."""


class Crowd:
    """A server whose callbacks answer by the first part of their path.

    `/slow/…` confirms at once and answers a delivery after `SLOW` seconds; `/hang/…` answers nothing.
    """

    def __init__(self) -> None:
        self.port = 0
        self.requests: Counter[str] = Counter()
        """How many requests there were, by method and first part of the path."""
        self.answered = 0
        """How many deliveries were answered until now."""
        self.active: Counter[str] = Counter()
        self.most_active: Counter[str] = Counter()
        """How many connections an address had at once, at most."""

    def url(self, path: str, host: str) -> str:
        """The URL of a callback."""
        return f"http://{host}:{self.port}{path}"

    async def serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        server = await asyncio.start_server(self._answer, "0.0.0.0", 0, backlog=2048)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        server.close()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        address = writer.get_extra_info("sockname")[0]
        self.active[address] += 1
        self.most_active[address] = max(self.most_active[address], self.active[address])
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split("\r\n")[0].split()
            kind = urlsplit(target).path.split("/")[1]
            self.requests[f"{method} {kind}"] += 1
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
                self.answered += 1
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
def crowd() -> Iterator[Crowd]:
    """A crowd, for a time."""
    running, ready = Crowd(), threading.Event()
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
    assert ready.wait(5)
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


def addresses(count: int) -> list[str]:
    """Addresses of this machine, none of which is 127.0.0.1."""
    return [f"127.0.{number // 250}.{number % 250 + 2}" for number in range(count)]
