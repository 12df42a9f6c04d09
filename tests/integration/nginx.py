"""deploy/nginx.conf as it is, but for its paths and ports, before a service."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import answers, running
from tests.server import free_port, read_project_file

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
def nginx(folder: Path, *ports: int) -> Iterator[str]:
    """Run nginx before some ports, with its files in a folder; yield its URL."""
    assert NGINX
    own = free_port()
    upstream = read_project_file("deploy/upstream.conf")
    (server,) = re.findall("server 127.0.0.1:8000.*;", upstream)
    servers = [server.replace("8000", str(port)) for port in ports]
    upstream = upstream.replace(server, " ".join(servers))
    text = read_project_file("deploy/nginx.conf")
    for old, new in (
        ("listen 80 ", f"listen 127.0.0.1:{own} "),
        ("    listen [::]:80 backlog=4096 reuseport;\n", ""),
        ("/var/log/nginx", str(folder)),
        ("/var/cache", str(folder)),
    ):
        assert old in text
        text = text.replace(old, new)
    url = f"http://127.0.0.1:{own}"
    with run_nginx(folder, upstream + text, f"{url}/healthz"):
        yield url


@contextmanager
def run_nginx(folder: Path, sites: str, probe: str) -> Iterator[None]:
    """Run nginx with sites, from when it answers to a URL."""
    conf = folder / "nginx.conf"
    conf.write_text(MAIN.format(folder=folder) + sites + "}")
    command = [NGINX, "-e", folder / "error.log", "-c", conf]
    with running(command, folder / "nginx.log", lambda: answers(probe)):
        yield


def cache_keys(folder: Path) -> set[str]:
    """Return the keys of the responses in nginx's cache."""
    files = [path for path in (folder / "feedsvc").rglob("*") if path.is_file()]
    return {
        match[1].decode()
        for path in files
        if (match := re.search(rb"\nKEY: (.*)\n", path.read_bytes()))
    }
