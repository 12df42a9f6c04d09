"""gunicorn's asgi worker and its gthread worker give the same responses."""

import json
import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from feedsvc.concurrency import WRITES
from feedsvc.feeds.query import FORMATS
from tests.data import read, read_tables
from tests.integration.writers import foreign_lock
from tests.programs import Response, send_raw
from tests.server import Service
from tests.waiting import wait_until
from tests.web.feeds import conditional_headers

pytestmark = pytest.mark.sqlite

GTHREAD = ("-k", "gthread", "--threads", "4", "feedsvc.wsgi:app")
PUBLIC_URL = "http://feeds.example"
MAX_BODY = 1 << 20
MORE_THAN_THREADS = 40
TABLES = read_tables("servers")
STORED: dict[str, dict[str, Any]] = TABLES["stored"]
"""Documents by path."""
STORED["/articles/long"]["content_html"] = f"<p>{'Nội dung. ' * 9_000}</p>"


@pytest.fixture(scope="module")
def database_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers") / "feedsvc.db"


@pytest.fixture(scope="module")
def servers(database_path: Path) -> Iterator[list[Service]]:
    """Start both servers with one database."""
    settings = {
        "FEEDSVC_PUBLIC_URL": PUBLIC_URL,
        "FEEDSVC_MAX_BODY": str(MAX_BODY),
        "WEB_CONCURRENCY": "1",
    }
    url = f"sqlite:///{database_path}"
    asgi, gthread = (Service(url, **settings) for _ in range(2))
    asgi.start()
    gthread.token = asgi.make_token()
    gthread.start(Path(os.devnull), *GTHREAD)
    for path, document in STORED.items():
        asgi.put(path, document)
    withdrawal = {"title": "Gỡ", "status": "withdrawn", "notice": "Sai."}
    asgi.put("/articles/withdrawn", withdrawal)
    assert asgi.request("DELETE", "/api/v1/articles/deleted").ok
    # Last-Modified is stated when its second is certainly over.
    feed = "/feeds/news.rss"
    wait_until(lambda: "Last-Modified" in gthread.request("GET", feed).headers)
    yield [asgi, gthread]
    asgi.kill()
    gthread.kill()


def comparable(response: Response) -> Response:
    """Return a response without what differs between two requests or servers."""
    status, headers, body = response
    differing = ("date", "expires", "server", "connection")
    headers = [(name, value) for name, value in headers if name not in differing]
    # The signature of a preview holds the second at which the preview ends.
    return status, headers, re.sub(rb"\?preview=[\w.-]+", b"", body)


def check_equal(
    servers: list[Service],
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Response:
    """Assert that both servers give one response, also the second time."""
    responses = [
        send_raw(service.url, method, path, headers or {}, body)
        for service in servers
        # The second one is cached.
        for _ in range(2)
    ]
    expected = comparable(responses[0])
    for response in responses[1:]:
        assert comparable(response) == expected
    return responses[1]


FEEDS = [
    f"/feeds/{kind}.{name}" for name, form in FORMATS.items() for kind in form.kinds
]


@pytest.mark.parametrize("path", [*FEEDS, *chain(*TABLES["reads"].values())])
def test_responses_to_reads_are_equal(servers: list[Service], path: str) -> None:
    status, headers, _ = check_equal(servers, "GET", path)
    head = check_equal(servers, "HEAD", path)
    assert comparable(head) == comparable((status, headers, b""))
    browser = {"Accept": "text/html,*/*;q=0.8", "Accept-Encoding": "gzip, br"}
    check_equal(servers, "GET", path, browser)
    assert (status < 400) == (path not in TABLES["reads"]["refused"])


@pytest.mark.parametrize(("path", "status"), TABLES["preflights"].items())
def test_preflights_are_equal(servers: list[Service], path: str, status: int) -> None:
    headers = {
        "Origin": "http://a.example",
        "Access-Control-Request-Method": "GET",
    }
    assert check_equal(servers, "OPTIONS", path, headers)[0] == status


@pytest.mark.parametrize("path", ["/feeds/news.rss", "/", "/entries/long"])
@pytest.mark.parametrize("coding", ["identity", "gzip", "br"])
def test_conditional_responses_are_equal(
    servers: list[Service], path: str, coding: str
) -> None:
    accept = {"Accept-Encoding": coding}
    _, headers, _ = check_equal(servers, "GET", path, accept)
    validators = dict(headers)
    conditions = [
        *conditional_headers(validators["etag"], validators["last-modified"]),
        ({"If-None-Match": validators["etag"], "if-none-match": '"x"'}, 304),
    ]
    for sent, status in conditions:
        answer = check_equal(servers, "GET", path, accept | sent)
        assert answer[0] == status, sent
        assert (answer[2] == b"") == (status == 304)


def test_responses_to_writes_are_equal(servers: list[Service]) -> None:
    headers = {"Authorization": f"Bearer {servers[0].token}", **JSON}
    for status, method, path, document, more in read("writes"):
        body = json.dumps(document).encode()
        sized = {**headers, "Content-Length": str(len(body)), **more}
        answer = check_equal(servers, method, f"/api/v1{path}", sized, body)
        assert answer[0] == status, (path, document)
    draft = "/api/v1/articles/draft"
    _, _, body = check_equal(servers, "GET", draft, headers)
    preview = json.loads(body)["preview_url"].removeprefix(PUBLIC_URL)
    assert check_equal(servers, "GET", preview)[0] == 200


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(("headers", "body", "status"), TABLES["refused_bodies"])
def test_bodies_are_refused_by_their_headers(
    servers: list[Service], headers: dict[str, str], body: str, status: int
) -> None:
    """Before a token is needed, and it before the body is parsed."""
    path = "/api/v1/articles/x"
    response = check_equal(servers, "PUT", path, headers, body.encode())
    assert response[0] == status
    assert json.loads(response[2])["status"] == status


def test_body_of_the_maximal_length_is_accepted(
    servers: list[Service],
) -> None:
    headers = {
        "Authorization": f"Bearer {servers[0].token}",
        "Content-Length": str(MAX_BODY),
        **JSON,
    }
    body = json.dumps(STORED["/articles/short"]).encode().ljust(MAX_BODY)
    path = "/api/v1/articles/short"
    assert check_equal(servers, "PUT", path, headers, body)[0] == 200


@pytest.mark.parametrize("path", ["/feeds/news.rss", "/none", "/api/v1/categories"])
def test_client_decides_whether_the_connection_stays(
    servers: list[Service], path: str
) -> None:
    for service in servers:
        # The second response is cached.
        for _ in range(2):
            _, sent, _ = send_raw(service.url, "GET", path, {"Connection": "close"})
            assert dict(sent)["connection"] == "close"
            _, sent, _ = send_raw(service.url, "GET", path, {})
            assert dict(sent).get("connection") != "close"


@pytest.mark.soak
def test_body_that_does_not_arrive_is_refused(servers: list[Service]) -> None:
    with ExitStack() as stack:
        connection = servers[0].begin_body(stack, 100)
        connection.sendall(b"{")
        connection.settimeout(40)
        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")
    refused = servers[0].request("GET", "/api/v1/articles/x")
    assert refused.status_code == 404


def test_waiting_writers_delay_no_cached_feed(
    servers: list[Service], database_path: Path
) -> None:
    asgi = servers[0]
    asgi.request("GET", "/feeds/news.rss")
    document = STORED["/articles/short"] | {"title": "Khác"}
    with (
        ThreadPoolExecutor(MORE_THAN_THREADS) as pool,
        foreign_lock(f"sqlite:///{database_path}"),
    ):
        for _ in range(MORE_THAN_THREADS):
            pool.submit(asgi.request, "PUT", "/api/v1/articles/short", document)
        time.sleep(1)
        assert asgi.request("GET", "/feeds/news.rss", timeout=2).ok


@pytest.mark.soak
def test_write_that_has_waited_ten_seconds_is_refused(
    servers: list[Service], database_path: Path
) -> None:
    def put(_: int) -> tuple[str, str]:
        begin = time.monotonic()
        path = "/api/v1/articles/short"
        response = servers[0].request("PUT", path, STORED["/articles/short"])
        # Those that begin after ten seconds wait five more for the lock.
        assert time.monotonic() < begin + 16
        return response.json()["detail"], response.headers["Retry-After"]

    with (
        ThreadPoolExecutor(MORE_THAN_THREADS) as pool,
        foreign_lock(f"sqlite:///{database_path}"),
    ):
        answers = Counter(pool.map(put, range(MORE_THAN_THREADS)))
    refusal = ("Too many writes at the same time. Try again.", "5")
    assert answers[refusal] >= MORE_THAN_THREADS - 3 * WRITES.places
