"""The log: lines for people or machines, without tokens."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from feedsvc.models import SCOPES
from tests.server import Service

BROKEN = """
from flask import request

import wsgi
from feedsvc.asgi import app


@wsgi.app.get("/broken")
def broken():
    raise RuntimeError(request.headers["Authorization"])
"""


def send(service: Service, data: str) -> bytes:
    with socket.create_connection(
        ("127.0.0.1", service.port), 10
    ) as connection:
        connection.sendall(data.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


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
    token = service.make_token(*SCOPES)
    log = tmp_path / "log"
    service.start(log, "broken:app")
    try:
        path = f"/api/v1/articles/{token}"
        assert (
            service.request("PUT", path, {"title": token}).status_code == 201
        )
        broken = service.request("GET", "/broken")
        assert broken.status_code == 500
        target = f"GET /{token}?token={token} HTTP/1.1\r\nHost: a\r\n"
        headers = f"Connection: close\r\nUser-Agent: {token}\r\n"
        response = send(service, f"{target}{headers}\r\n")
        assert response.startswith(b"HTTP/1.1 404")
        forged = "GET /%0A[forged]%1B HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert send(service, forged).startswith(b"HTTP/1.1 404")
        assert send(service, f"{token} / HTTP/1.1\r\n\r\n")
    finally:
        service.stop()
    text = log.read_text()
    assert token[-20:] not in text
    assert "\n[forged]" not in text
    assert "\x1b" not in text
    assert token not in broken.text
    assert "RuntimeError" in text
    assert "Exception on /broken" in text
    if log_format == "json":
        messages = [json.loads(line)["message"] for line in text.splitlines()]
    else:
        messages = text.splitlines()
    assert any(
        re.search("put news/fsv_… version 1 by test$", message)
        for message in messages
    )
    assert any('"GET /fsv_…" 404' in message for message in messages)
