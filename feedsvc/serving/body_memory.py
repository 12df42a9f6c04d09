"""The bodies of requests, which the event loop collects before a thread gets them."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

from a2wsgi.asgi_typing import Receive

#: Time within which a client must send a body.
_BODY_SECONDS = 30


@dataclass
class Memory:
    """The bytes of bodies that are being collected or processed, and their limit.

    Small bodies have memory of their own, which large ones that nobody completes cannot
    occupy.
    """

    limit: int
    used: int = 0

    def release(self, body: BytesIO) -> None:
        """Stop counting a body."""
        self.used -= body.getbuffer().nbytes


#: The longest body that counts as small.
_SMALL_BODY = 64 << 10

_small_bodies = Memory(24 << 20)
_large_bodies = Memory(64 << 20)


def memory_for(length: int) -> Memory:
    """Return the memory that counts a body of a length."""
    return _small_bodies if length <= _SMALL_BODY else _large_bodies


async def collect_body(
    body: BytesIO, length: int, memory: Memory, receive: Receive
) -> bool:
    """Read a body before it occupies a thread; return false if there are too many.

    One that does not arrive in time stays incomplete, which Flask answers with an
    error.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_BODY_SECONDS):
            while body.tell() < length:
                event = await receive()
                if event["type"] != "http.request":
                    break
                body.write(event["body"])
                memory.used += len(event["body"])
                if memory.used > memory.limit:
                    return False
    body.seek(0)
    return True
