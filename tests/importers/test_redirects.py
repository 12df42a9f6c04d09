"""Redirects from the links of an old site to imported entries."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask import Flask

from tests.importers.helpers import (
    FIXTURES,
    import_file,
    stored_entries,
)
from tests.server import free_port


@pytest.fixture
def redirect_map(app: Flask) -> str:
    """Return the nginx map after some imports."""
    for name in ("wordpress.rss", "bare.rss", "feed.json"):
        import_file(app, (FIXTURES / name).read_bytes())
    result = app.test_cli_runner().invoke(args=["export", "--redirects", "-"])
    assert result.exit_code == 0
    return result.output


def test_redirect_map_has_every_imported_link(app: Flask, redirect_map: str) -> None:
    pages = {
        entry["url"]: entry["id"] for entry in stored_entries(app, "news").values()
    }
    market = pages["https://vensong.example/2026/11/cho-dem-mo-lai/"]
    assert (
        f'"vensong.example/2026/11/cho-dem-mo-lai/" "https://feeds.example/entries/{market}";'
        in redirect_map
    )
    query = pages["http://phuongdong.example/tin.asp?id=7"]
    assert (
        f'"phuongdong.example/tin.asp?id=7" "https://feeds.example/entries/{query}";'
        in redirect_map
    )
    assert len(re.findall('^    "', redirect_map, re.MULTILINE)) == 5, (
        "an item without a link has none to redirect"
    )


def test_redirect_map_has_no_regular_expressions(app: Flask) -> None:
    item = "<item><title>Một</title><link>http://~./</link></item>"
    import_file(app, f"<rss version='2.0'><channel>{item}</channel></rss>".encode())
    result = app.test_cli_runner().invoke(args=["export", "--redirects", "-"])
    assert "entries/" not in result.output


@pytest.mark.skipif(not shutil.which("nginx"), reason="there is no nginx")
def test_nginx_redirects_old_links(redirect_map: str, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "moved.conf").write_text(redirect_map)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error; events {{}} "
        f"http {{ access_log off; include {tmp_path}/moved.conf; server {{ listen 127.0.0.1:{port}; "
        "if ($feedsvc_moved) { return 301 $feedsvc_moved; } return 404; } }"
    )

    def request(url: str) -> str:
        """Return status and Location of a link of the old site."""
        host, path = url.removeprefix("http://").split("/", 1)
        # The tests of importers refuse connections of this process.
        command = "curl -s -o /dev/null --retry 20 --retry-connrefused --retry-delay 0"
        return subprocess.run(
            [
                *command.split(),
                *("-w", "%{http_code} %{redirect_url}"),
                *("-H", f"Host: {host}"),
                f"http://127.0.0.1:{port}/{path}",
            ],
            capture_output=True,
            text=True,
        ).stdout

    nginx = subprocess.Popen(
        ["nginx", "-p", str(tmp_path), "-c", f"{tmp_path}/nginx.conf"]
    )
    try:
        response = request("http://phuongdong.example/tin.asp?id=7")
        assert re.fullmatch(
            r"301 https://feeds\.example/entries/[0-9a-f]{32}", response
        )
        assert request("http://phuongdong.example/tin.asp?id=9").startswith("404 ")
    finally:
        nginx.terminate()
        nginx.wait()
