"""deploy/nginx.conf as it is, but for its paths and ports, before a service."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.server import ROOT, free_port

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

MAIN = """
daemon off; user root; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
worker_processes auto; worker_rlimit_nofile 16384; pcre_jit on;
events {{ worker_connections 8192; }}
http {{
client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
"""
"""The beginning of a main configuration that includes the shipped one."""


@contextmanager
def nginx(
    folder: Path,
    port: int,
    more: str = "",
    upstream: str = "",
) -> Iterator[tuple[str, int]]:
    """An nginx that passes on to a port, with its files in a folder; its URL and its process.

    :param more: what stands in its server too.
    :param upstream: what stands in place of deploy/upstream.conf.
    """
    assert NGINX
    own = free_port()
    upstream = upstream or (ROOT / "deploy/upstream.conf").read_text("utf-8")
    upstream = upstream.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    text = (ROOT / "deploy/nginx.conf").read_text("utf-8")
    for old, new in (
        ("listen 80 ", f"{more} listen 127.0.0.1:{own} "),
        ("    listen [::]:80 backlog=4096 reuseport;\n", ""),
        ("/var/log/nginx", str(folder)),
        ("/var/cache", str(folder)),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(
        MAIN.format(folder=folder) + upstream + text + "}"
    )
    process = subprocess.Popen(
        [NGINX, "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    )
    try:
        end = time.monotonic() + 10
        while not _answers(f"http://127.0.0.1:{own}/healthz"):
            assert process.poll() is None, (folder / "error.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.05)
        yield f"http://127.0.0.1:{own}", process.pid
    finally:
        process.terminate()
        process.wait(60)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def cache_keys(folder: Path) -> set[str]:
    """The keys of what nginx keeps."""
    files = [path for path in (folder / "feedsvc").rglob("*") if path.is_file()]
    return {
        found[1].decode()
        for path in files
        if (found := re.search(rb"\nKEY: (.*)\n", path.read_bytes()))
    }
