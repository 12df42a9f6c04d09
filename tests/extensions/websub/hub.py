"""A WebSub hub that counts the URLs that it is told."""

import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from tests.programs import serving

FORMATS = ("rss", "atom", "json")
PUBLIC = "https://feeds.example"


class Hub(ThreadingHTTPServer):
    """A hub that counts the URLs that it is told.

    :param seconds: the time until it answers, unless `is_released` is set.

    It is a proxy too, but it answers itself by TLS, whatever server it should connect to.
    If it has `drops`, it sends them again and again, and never ends its answer. Before it
    answers, it calls `fetch` with the URL.
    """

    def __init__(self, seconds: float = 0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/hub"
        self.status = 204
        self.body = b""
        self.refused: set[str] = set()
        self.seconds = seconds
        self.is_released = threading.Event()
        self.drops: bytes = b""
        self.is_disconnected = threading.Event()
        self.told: Counter[str] = Counter()
        self.paths: set[str] = set()
        self.lock = threading.Lock()
        self.fetch: Callable[[str], None] = lambda url: None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


class Handler(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        hub = self.server
        hub.paths.add(self.path)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        form = parse_qs(body.decode())
        (url,) = form["hub.url"]
        with hub.lock:
            assert form["hub.mode"] == ["publish"]
            assert form["hub.topic"] == [url]
            hub.told[url] += 1
        hub.fetch(url)
        if hub.drops:
            self._drip()
            return
        hub.is_released.wait(hub.seconds)
        self.send_response(403 if url in hub.refused else hub.status)
        self.send_header("Content-Length", str(len(hub.body)))
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(hub.body)

    do_GET = do_POST  # noqa: N815

    def do_CONNECT(self) -> None:
        self.server.paths.add(self.path)
        self.send_response(200)
        self.end_headers()
        self.request = self.server.context.wrap_socket(
            self.connection, server_side=True
        )
        self.setup()
        self.handle()
        self.request.close()

    def _drip(self) -> None:
        with suppress(ConnectionError):
            self.wfile.write(self.server.body)
            while not self.server.is_released.wait(0.02):
                self.wfile.write(self.server.drops)
            return
        self.server.is_disconnected.set()


@contextmanager
def run(hub: Hub) -> Iterator[Hub]:
    with serving(hub):
        yield hub
        hub.is_released.set()


def feeds(*paths: str, public_url: str = PUBLIC) -> Counter[str]:
    """Return the URLs of feeds, each once."""
    return Counter(
        f"{public_url}/feeds/{path}.{format}" for path in paths for format in FORMATS
    )


def make_certificate(path: Path, names: str, days: int = 30) -> None:
    """Write a key and its certificate, which is its own authority."""
    options = f"-days {days} -subj /CN=x -addext subjectAltName={names}"
    subprocess.run(
        f"openssl req -x509 -nodes {options} -keyout {path} -out {path}".split(),
        check=True,
        capture_output=True,
    )
