"""The HTTP client calls no private address, and limits time and memory."""

from __future__ import annotations

import asyncio
import gzip
import logging
import resource
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from feedsvc.http.conditional import CachedResponse
from feedsvc.models import EPOCH, FeedVersion
from feedsvc.websub.addresses import is_public_address
from feedsvc.websub.delivery import WebSubClient
from feedsvc.websub.http_client import (
    MAX_RESPONSE_BYTES,
    HttpResponse,
    RequestFailed,
    SafeHttpClient,
)
from feedsvc.websub_types import Delivery, HubPing, PendingVerification

_T = TypeVar("_T")

PUBLIC = """8.8.8.8 1.1.1.1 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 2606:4700:4700::1111 2a00:1450:4001::1
    ::ffff:8.8.8.8 64:ff9b::808:808""".split()
PRIVATE = """127.0.0.1 127.255.255.254 0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1
    169.254.169.254 100.64.0.1 100.127.255.255 192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.1.2.3
    240.0.0.1 255.255.255.255 192.88.99.1
    168.63.129.16 192.0.0.192 100.100.100.200 169.254.0.23 169.254.42.42 169.254.170.2 161.26.0.10 166.8.0.1 192.80.8.124
    ::ffff:168.63.129.16 64:ff9b::a83f:8110 fd00:ec2::254 fd20:ce::254 fd00:42::42 fd00:c1::a9fe:a9fe fe80::a9fe:a9fe
    ::1 :: ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:7f00:1 ::127.0.0.1 ::7f00:1
    64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b:1::7f00:1 64:ff9b:1::808:808
    2002:7f00:1:: 2002:a00:1::1 2002:808:808:: 2001:0:4136:e378:8000:63bf:3fff:fdd2
    fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 ff0e::1 2001:db8::1 100::1 5f00::1 4000::1 ::2""".split()


# Beside the cloud services at addresses that look public.
NEIGHBOURS = "168.63.129.15 168.63.129.17 161.25.255.255 161.27.0.1 166.7.255.255 166.12.0.1 192.80.8.125".split()


@pytest.mark.parametrize("address", [*PUBLIC, *NEIGHBOURS])
def test_public_addresses(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses(address: str) -> None:
    assert not is_public_address(address)


class FakeResolver(AbstractResolver):
    """A resolver that returns the next of its results for each look-up."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.lookups = list(answers), 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.lookups += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


def run(work: Coroutine[Any, Any, _T]) -> _T:
    with ThreadPoolExecutor(
        1
    ) as pool:  # kind drives a browser in other tests leaves a loop in this thread
        return pool.submit(asyncio.run, work).result()


async def fetch(
    url: str,
    method: str = "GET",
    *,
    allow_private: bool = False,
    resolver: FakeResolver | None = None,
    timeout: float = 5,
) -> HttpResponse:
    client = SafeHttpClient(
        "test", allow_private=allow_private, resolver=resolver, timeout=timeout
    )
    return await client.request(method, url, body=b"x" if method == "POST" else b"")


@contextmanager
def run_server(
    answer: Callable[[socket.socket], None], host: str = "127.0.0.1"
) -> Iterator[tuple[int, list[int]]]:
    """Run a server; yield its port and a list with an item per connection."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        connections: list[int] = []

        def handle(client: socket.socket) -> None:
            with client:
                try:
                    client.recv(65536)
                    answer(client)
                except OSError:
                    pass

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                connections.append(1)
                threading.Thread(target=handle, args=(client,), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], connections
        server.shutdown(socket.SHUT_RDWR)
        thread.join(1)


def respond_ok(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


SPELLINGS = """127.0.0.1 127.1 127.0.1 0x7f.1 0x7f000001 0x7f.0.0.1 2130706433 017700000001 0177.0.0.1 127.0.0.1.
    0 0.0.0.0 ①②⑦.0.0.1 １２７.0.0.1 127。0。0。1 localhost LOCALHOST localhost. ip6-localhost [::1] [::] [::ffff:127.0.0.1]
    [::ffff:7f00:1] [0:0:0:0:0:ffff:7f00:0001] [::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::]
    %31%32%37.0.0.1 127.0.0.1%00.example user@127.0.0.1 8.8.8.8@127.0.0.1""".split()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("host", SPELLINGS)
def test_no_spelling_of_private_address_is_connected(host: str, method: str) -> None:
    with (
        run_server(respond_ok) as (port, connections),
        run_server(respond_ok, "::1") as (port6, connections6),
    ):
        for target_port in (port, port6):
            with pytest.raises(RequestFailed):
                run(fetch(f"http://{host}:{target_port}/", method))
    assert not connections
    assert not connections6


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_name_of_private_address_is_not_connected(address: str) -> None:
    with run_server(respond_ok, "::1" if address == "::1" else "127.0.0.1") as (
        port,
        connections,
    ):
        with pytest.raises(RequestFailed, match="not public"):
            run(
                fetch(
                    f"http://partner.example:{port}/", resolver=FakeResolver([address])
                )
            )
        with pytest.raises(RequestFailed):
            run(
                fetch(
                    f"http://partner.example:{port}/",
                    resolver=FakeResolver(["2001:db8::1", address, "10.0.0.1"]),
                )
            )
    assert not connections


def test_address_is_checked_at_every_connection() -> None:
    """What was looked at is kind is connected to: there is no second look-up in between."""
    resolver = FakeResolver(["192.0.2.1"], ["127.0.0.1"])
    with run_server(respond_ok) as (port, connections):
        for _ in range(3):
            with pytest.raises(RequestFailed, match="not public"):
                run(fetch(f"http://partner.example:{port}/", resolver=resolver))
    assert not connections
    assert resolver.lookups == 3


def test_connection_goes_to_the_checked_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "feedsvc.websub.http_client.is_public_address",
        lambda address: address == "127.0.0.5",
    )
    resolver = FakeResolver(["127.0.0.1", "127.0.0.5"], ["127.0.0.1"])
    with run_server(respond_ok, "0.0.0.0") as (port, connections):
        assert run(
            fetch(f"http://partner.example:{port}/", resolver=resolver)
        ) == HttpResponse(200, b"ok")
        assert resolver.lookups == 1
        with pytest.raises(RequestFailed):
            run(fetch(f"http://partner.example:{port}/", resolver=resolver))
    assert len(connections) == 1


def test_private_addresses_can_be_allowed() -> None:
    with run_server(respond_ok) as (port, _):
        assert run(
            fetch(f"http://127.0.0.1:{port}/", allow_private=True)
        ) == HttpResponse(200, b"ok")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_redirect_is_not_followed(status: int, method: str) -> None:
    with run_server(respond_ok) as (target, connections):
        head = f"HTTP/1.1 {status} There\r\nLocation: http://127.0.0.1:{target}/\r\nContent-Length: 0\r\n\r\n"
        with run_server(lambda client: client.sendall(head.encode())) as (port, _):
            assert (
                run(
                    fetch(f"http://127.0.0.1:{port}/", method, allow_private=True)
                ).status
                == status
            )
    assert not connections


def drip(client: socket.socket, kind: bytes = b"x", first: bytes = b"") -> None:
    client.sendall(first)
    while True:
        client.sendall(kind)
        time.sleep(0.05)


def flood(
    client: socket.socket, kind: bytes, first: bytes = b"HTTP/1.1 200 OK\r\n"
) -> None:
    client.sendall(first)
    while True:
        client.sendall(kind)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
HOSTILE: dict[str, Callable[[socket.socket], None]] = {
    "nothing": lambda client: time.sleep(5),
    "a slow status": lambda client: drip(client, b"H"),
    "slow headers": lambda client: drip(client, b"X: y\r\n", OK),
    "a slow body": lambda client: drip(client, b"x", OK + b"Content-Length: 1000000\r\n\r\n"),
    "endless headers": lambda client: flood(client, b"X-A: " + b"y" * 4000 + b"\r\n"),
    "one endless header": lambda client: flood(client, b"y" * 65536, OK + b"X-A: "),
    "an endless status": lambda client: flood(client, b"y" * 65536, b"HTTP/1.1 200 "),
    "endless informational answers": lambda client: flood(client, b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n", b""),
    "endless empty lines": lambda client: flood(client, b"\r\n" * 4000, b""),
    "an endless trailer": lambda client: flood(client, b"X: y\r\n" * 400, CHUNKED + b"0\r\n"),
    "a chunk with an endless extension": lambda client: flood(client, b"y" * 65536, CHUNKED + b"1;"),
    "a slow chunked body": lambda client: drip(client, b"1\r\nx\r\n", CHUNKED),
    "no HTTP": lambda client: client.sendall(b"SSH-2.0-OpenSSH_9.9\r\n" * 3),
    "nothing and an end": lambda client: None,
    "half a head": lambda client: client.sendall(OK[:9]),
    "two lengths": lambda client: client.sendall(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy"),
    "a negative length": lambda client: client.sendall(OK + b"Content-Length: -1\r\n\r\nxy"),
}  # fmt: skip


def memory() -> int:
    """Return the peak memory of this process in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_response_fails_within_time_and_memory(kind: str) -> None:
    before, begun = memory(), time.monotonic()
    with run_server(HOSTILE[kind]) as (port, _), pytest.raises(RequestFailed):
        run(fetch(f"http://127.0.0.1:{port}/", allow_private=True, timeout=0.5))
    assert time.monotonic() - begun < 5, "far off: the machine may be busy"
    assert memory() - before < 32


@pytest.mark.parametrize(
    "head", [OK + b"Content-Length: 100000000000\r\n\r\n", OK + b"\r\n"]
)
def test_endless_body_is_read_up_to_limit(head: bytes) -> None:
    before = memory()
    with run_server(lambda client: flood(client, b"y" * 65536, head)) as (port, _):
        reply = run(fetch(f"http://127.0.0.1:{port}/", allow_private=True))
        assert len(reply.body) == MAX_RESPONSE_BYTES + 1
        post_reply = run(fetch(f"http://127.0.0.1:{port}/", "POST", allow_private=True))
        # Only the status of the response to a delivery matters.
        assert post_reply == HttpResponse(200, b"")
    assert memory() - before < 32


def test_body_is_not_decompressed() -> None:
    body = gzip.compress(b"0" * 20_000_000)

    def bomb(client: socket.socket) -> None:
        client.sendall(
            OK
            + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
        )

    with run_server(bomb) as (port, _):
        reply = run(fetch(f"http://127.0.0.1:{port}/", allow_private=True))
    assert reply.body[:2] == b"\x1f\x8b"


def test_no_cookies_and_no_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[bytes] = []

    def answer(request: bytes) -> bytes:
        requests.append(request)
        return OK + b"Set-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"

    with (
        run_raw_server(answer) as port,
        run_server(respond_ok) as (proxy, proxy_connections),
    ):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy}")
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy}")

        async def twice() -> None:
            client = SafeHttpClient("test", allow_private=True)
            for _ in range(2):
                await client.request("GET", f"http://127.0.0.1:{port}/")

        run(twice())
    assert len(requests) == 2
    assert b"Cookie" not in requests[1]
    assert not proxy_connections


def test_https_url_uses_tls() -> None:
    with run_server(respond_ok) as (port, connections), pytest.raises(RequestFailed):
        run(fetch(f"https://127.0.0.1:{port}/", allow_private=True))
    assert connections


@pytest.mark.parametrize("url", ["ftp://8.8.8.8/", "file:///etc/passwd", "http:///x", "//8.8.8.8/", "x", "http://[::1", "http://a b/"])  # fmt: skip
def test_invalid_url_fails(url: str) -> None:
    with pytest.raises(RequestFailed):
        run(fetch(url))


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "no HTTP": lambda head: head,
    "its request as a status": lambda head: b"HTTP/1.1 " + head,
    "its request as a header": lambda head: OK + head.split(b"\r\n")[0] + b"\r\n\r\n",
    "its request as a chunk": lambda head: CHUNKED + head,
    "nothing": lambda head: b"",
}


@contextmanager
def run_raw_server(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Run a server with a raw response to each request; yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(answer(client.recv(65536)))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(1)


def test_log_of_a_denial_demands_no_challenge(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    reply = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    path = "/feeds/news.rss"
    with run_raw_server(lambda _: reply) as port:
        url = f"http://127.0.0.1:{port}/"
        request = PendingVerification(
            path, path, url, "127.0.0.1", "127.0.0.1", "denied"
        )
        http = SafeHttpClient("test", allow_private=True, timeout=5)
        run(WebSubClient(http, "https://feeds.example").verify_intent(request))
    (line,) = [text for text in caplog.messages if "/feeds/news.rss" in text]
    assert line == (
        "Told 127.0.0.1 that its subscription to /feeds/news.rss has ended: status 404"
    )


@pytest.mark.parametrize("kind", MALFORMED)
def test_log_has_no_callback_path_or_challenge(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with run_raw_server(MALFORMED[kind]) as port:
        url = f"http://127.0.0.1:{port}/secret-path?secret-query"
        path, host = "/feeds/news.rss", "127.0.0.1"
        request = PendingVerification(path, path, url, host, host, "subscribe")
        delivery = Delivery("1", path, url, host, host, "secret-key", "etag", 0)
        answer = CachedResponse(
            b"secret-body", "text/plain", FeedVersion(EPOCH), EPOCH, 60
        )

        async def send_all() -> None:
            http = SafeHttpClient("test", allow_private=True, timeout=2)
            client = WebSubClient(http, "https://feeds.example")
            await client.verify_intent(request)
            await client.deliver(delivery, answer)
            await client.ping_hub(HubPing(url, 1, EPOCH, 0, (("news", None),)))

        run(send_all())
    lines = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("feedsvc")
    ]
    assert len(lines) == 3
    assert all("127.0.0.1" in line for line in lines)
    assert "secret" not in caplog.text
    assert "challenge" not in caplog.text.replace("the body is not the challenge", "")
