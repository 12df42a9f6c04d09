"""The log: lines that can be read, by people or machines, and that hold no token."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest

from feedsvc.server.logging import anonymize_ip
from tests.server import Service

pytestmark = pytest.mark.sqlite


def raw(service: Service, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", service.port), 10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.fixture
def service(database_url: str) -> Service:
    made = Service(database_url)
    made.make_token("news:write")
    return made


def spellings(token: str) -> list[str]:
    """The token as a client could decode it again."""
    whole = "".join(f"%{ord(char):02x}" for char in token)
    return [
        token.replace("_", "%5F"),
        token.replace("_", "%5f"),
        token.replace("_", "%255F"),
        token.replace("_", "%25255F"),
        f"%66{token[1:]}",
        whole,
        whole.upper(),
        whole.replace("%", "%25"),
        token.replace("_", "\\u005f"),
        "".join(f"\\x{ord(char):02x}" for char in token),
    ]


def asked(service: Service, log: Path, **environ: str) -> str:
    """Return the log after requests with a token in every place and spelling."""
    service.environ |= environ
    service.start(log)
    try:
        token = service.token
        assert service.request(
            "GET", "/api/v1/articles", headers={"X-Request-ID": "proxy-1"}
        ).ok
        etag = {"If-None-Match": '"x"'}
        date = {"If-Modified-Since": "Thu, 26 Nov 2026 12:00:30 GMT"}
        for validators in (etag, date, etag | date):
            headers = {"User-Agent": "cached", **validators}
            assert service.request("GET", "/feeds.opml", headers=headers).ok
        assert (
            service.request("GET", f"/api/v1/articles?token={token}").status_code == 400
        )
        assert (
            service.request(
                "GET", f"/feeds/{token}.rss", headers={"User-Agent": token}
            ).status_code
            == 404
        )
        assert (
            service.request(
                "PUT", f"/api/v1/articles/{token}", {"title": token}
            ).status_code
            == 201
        )
        assert service.request("GET", "/a%0Ab").status_code == 404
        for spelt in spellings(token):
            target = f"GET /{spelt}?token={spelt} HTTP/1.1\r\nHost: a\r\nUser-Agent: {spelt}\r\n\r\n"
            assert raw(service, target.encode()).startswith(b"HTTP/1.1 404")
        for bad in (
            f"GET / {token}\r\n\r\n",
            f"GET / HTTP/1.1\r\n{token}\r\n\r\n",
            f"{token} / HTTP/1.1\r\n\r\n",
        ):
            assert raw(service, bad.encode()).startswith(b"HTTP/1.1 400")
    finally:
        service.stop()
    text = log.read_text()
    assert token not in text
    assert token[4:] not in text
    for spelt in spellings(token):
        assert spelt not in text
        assert spelt[-20:] not in text
    assert "fsv_…" in text or "fsv_\\u2026" in text
    return text


def test_text_log_has_request_and_no_token(service: Service, tmp_path: Path) -> None:
    text = asked(service, tmp_path / "log")
    assert re.search(
        r'^127\.0\.0\.1 \[[^]]+\] "GET /api/v1/articles" 200 \d+ \d+ms "[^"]+" - proxy-1$',
        text,
        re.MULTILINE,
    )
    assert '"GET /a%0Ab" 404' in text
    assert "put news/fsv_… version 1 by test" in text
    validators = re.findall(r'"cached" (\S+) ', text)
    # A thread logs after it has answered, so the next line can come before.
    assert sorted(validators) == ["date", "etag", "etag+date"]


def test_json_log_has_fields_and_no_token(service: Service, tmp_path: Path) -> None:
    text = asked(
        service,
        tmp_path / "log",
        FEEDSVC_LOG_FORMAT="json",
        FEEDSVC_LOG_ADDRESSES="short",
    )
    lines = [json.loads(line) for line in text.splitlines()]
    answer = next(line for line in lines if line.get("request_id") == "proxy-1")
    assert answer["target"] == "/api/v1/articles"
    assert answer["status"] == 200
    assert answer["address"] == "127.0.0.0/24"
    assert isinstance(answer["ms"], int)
    assert answer["validators"] == "-"
    cached = [line["validators"] for line in lines if line.get("agent") == "cached"]
    assert sorted(cached) == ["date", "etag", "etag+date"]
    writes = [line["message"] for line in lines if line.get("level") == "INFO"]
    assert "put news/fsv_… version 1 by test" in writes
    warnings = [line["message"] for line in lines if line.get("level") == "WARNING"]
    assert any("from ip=127.0.0.0/24: " in message for message in warnings)
    assert "127.0.0.1:" not in "".join(warnings)


@pytest.mark.parametrize(
    ("precision", "address", "expected"),
    [
        ("full", "192.0.2.77", "192.0.2.77"),
        ("short", "192.0.2.77", "192.0.2.0/24"),
        ("short", "2001:db8:1:2::3", "2001:db8:1::/48"),
        ("none", "192.0.2.77", "-"),
        ("short", "", "-"),
    ],
)
def test_addresses_are_anonymized(precision: str, address: str, expected: str) -> None:
    assert anonymize_ip(address, precision) == expected


def test_unexpected_error_is_logged_with_its_request_id(
    service: Service, tmp_path: Path
) -> None:
    """An app that fails, so that the traceback, too, goes the way of all lines."""
    (tmp_path / "broken.py").write_text(
        "from wsgi import app\n@app.get('/broken')\ndef broken():\n    raise RuntimeError("
        + repr(service.token)
        + ")\n@app.get('/other')\ndef other():\n    raise RuntimeError\n"
    )
    service.environ |= {"PYTHONPATH": str(tmp_path), "FEEDSVC_LOG_FORMAT": "json"}
    service.start(tmp_path / "log", "broken:app")
    try:
        answer = service.request("GET", "/broken", headers={"X-Request-ID": "a b"})
        assert answer.status_code == 500
        assert service.token not in answer.text
        for path in ("/broken", "/other"):
            assert service.request("GET", path).status_code == 500
    finally:
        service.stop()
    id = answer.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{16}", id)
    text = (tmp_path / "log").read_text()
    assert service.token not in text
    (line,) = [
        found
        for found in map(json.loads, text.splitlines())
        if id in found.get("message", "")
    ]
    assert "RuntimeError" in line["message"]
    first, again, other = re.findall("Unexpected error ([0-9a-f]{8}) in request", text)
    assert first == again != other
