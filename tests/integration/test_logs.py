"""The log: lines for people or machines, without tokens."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.data import read
from tests.postgres import Cluster
from tests.programs import send_raw
from tests.server import Service
from tests.waiting import wait_until

BROKEN = """
from flask import request

from feedsvc import wsgi
from feedsvc.asgi import app


@wsgi.app.get("/broken")
def broken():
    raise RuntimeError(request.headers["Authorization"])
"""


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_log_has_writes_and_errors_but_no_token(
    database_url: str, tmp_path: Path, log_format: str
) -> None:
    (tmp_path / "broken.py").write_text(BROKEN)
    service = Service(
        database_url,
        PYTHONPATH=str(tmp_path),
        FEEDSVC_LOG_FORMAT=log_format,
        WEB_CONCURRENCY="1",
        GUNICORN_CMD_ARGS="--access-logfile=-",
    )
    token = service.make_token()
    log = tmp_path / "log"
    service.start(log, "broken:app")
    try:
        path = f"/api/v1/articles/{token}"
        assert service.request("PUT", path, {"title": token}).ok
        # A line of the log ends within the token.
        long = {"title": "T", f"{'x' * 470}{token}": 1}
        refused = service.request("PUT", "/api/v1/articles/a", long)
        assert refused.status_code == 422
        broken = service.request("GET", "/broken")
        assert broken.status_code == 500
        path = f"/{token}?token={token}"
        response = service.request("GET", path, headers={"User-Agent": token})
        assert response.status_code == 404
        assert service.request("GET", "/%0A[forged]%1B").status_code == 404
        send_raw(service.url, token, "/", {})
    finally:
        service.stop()
    text = log.read_text()
    assert token[:12] not in text
    assert token[-20:] not in text
    assert "\n[forged]" not in text
    assert "\x1b" not in text
    assert token not in broken.text
    assert "RuntimeError" in text
    assert "Exception on /broken" in text
    messages = text.splitlines()
    if log_format == "json":
        messages = [json.loads(line)["message"] for line in messages]
    joined = "\n".join(messages) + "\n"
    assert "put news/fsv_… version 1 by test\n" in joined
    assert '"GET /fsv_…" 404' in joined


@pytest.mark.sqlite
def test_refused_writes_are_logged(database_url: str, tmp_path: Path) -> None:
    service = Service(database_url, WEB_CONCURRENCY="1", FEEDSVC_RATE_WRITES="6/minute")
    service.make_token("news:write")
    log = tmp_path / "log"
    service.start(log)
    calls = read("refused_writes")
    try:
        for method, path, document, _ in calls:
            service.request(method, f"/api/v1{path}", document)
        service.token = "fsv_wrong"
        service.request("PUT", "/api/v1/articles/a", {"title": "x"})
        # What is read leaves no line.
        service.request("GET", "/api/v1/articles/none")
    finally:
        service.stop()
    refusals = [
        line.partition("refused ")[2]
        for line in log.read_text().splitlines()
        if "refused" in line
    ]
    expected = [expected for *_, expected in calls]
    expected.append("PUT /api/v1/articles/a by 127.0.0.1: 401 The token is unknown.")
    for line, beginning in zip(refusals, expected, strict=True):
        assert line.startswith(beginning)
        assert len(line) < 1000


@pytest.mark.postgresql
def test_outage_of_the_database_is_two_lines(
    database_url: str, cluster: Cluster, tmp_path: Path
) -> None:
    service = Service(database_url, WEB_CONCURRENCY="1")
    log = tmp_path / "log"
    service.start(log)

    def messages() -> list[str]:
        return re.findall("Database: (.*)", log.read_text())

    try:
        with (
            cluster.stopped(),
            socket.create_server(("127.0.0.1", cluster.port)) as server,
        ):
            # The worker tries again and again, and so do clients.
            with ThreadPoolExecutor(4) as clients:
                answers = [
                    clients.submit(service.request, "GET", "/feeds/news.rss")
                    for _ in range(4)
                ]
                while not all(answer.done() for answer in answers):
                    server.accept()[0].close()
            assert {answer.result().status_code for answer in answers} == {503}
            for _ in range(8):
                server.accept()[0].close()
            reasons = messages()
        wait_until(lambda: "usable again" in messages())
    finally:
        service.stop()
    # PostgreSQL may say several things while it stops.
    assert len(reasons) == len(set(reasons))
    assert 1 <= len(reasons) <= 3
