"""The shipped nginx, against the same nginx with the response as a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import requests

from bench.environment import PATH, Environment
from bench.load import nginx_workers, requests_per_cpu_second
from bench.table import Effort, Row, compare
from tests.integration.nginx import nginx
from tests.server import Service

ENCODINGS = ("identity", "gzip")


def rows(environment: Environment, effort: Effort) -> Iterator[Row]:
    """Compare the feed as it is, compressed, and as a 304."""
    service = environment.service
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        locations = " ".join(
            f"location = /{encoding} {{ alias {folder}/{encoding}; "
            "default_type application/rss+xml; }"
            for encoding in ENCODINGS
        )
        for encoding in ENCODINGS:
            _save_response(service, encoding, folder / encoding)
        with nginx(folder, service.port, locations) as (url, pid):
            for kind in (*ENCODINGS, "304"):
                file_path = "/gzip" if kind == "304" else f"/{kind}"
                what = f"through nginx, {kind}, against a file that nginx sends"
                ours = partial(_rate, url, pid, PATH, kind, service)
                reference = partial(_rate, url, pid, file_path, kind)
                yield from compare(
                    "front", ours, {what: (reference, "≥ 0.70")}, rounds=effort.rounds
                )
            for kind, bar in (("identity", "≥ 0.35"), ("304", "≥ 0.25")):
                file_path = "/gzip" if kind == "304" else f"/{kind}"
                direct = partial(_rate, service.url, None, PATH, kind, service)
                reference = partial(_rate, url, pid, file_path, kind)
                what = f"without nginx, {kind}, against a file that nginx sends"
                yield from compare(
                    "front", direct, {what: (reference, bar)}, rounds=effort.rounds
                )


def _save_response(service: Service, encoding: str, path: Path) -> None:
    with requests.get(
        service.url + PATH,
        headers={"Accept-Encoding": encoding},
        timeout=10,
        stream=True,
    ) as response:
        path.write_bytes(response.raw.read(decode_content=False))


def _rate(
    url: str, pid: int | None, path: str, kind: str, service: Service | None = None
) -> float:
    """Return the requests per CPU second of nginx, the service, or both together."""
    headers = {"Accept-Encoding": "gzip" if kind == "304" else kind}
    if kind == "304":
        response = requests.get(url + path, headers=headers, timeout=10)
        headers["If-None-Match"] = response.headers["ETag"]
    pids = nginx_workers(pid) if pid else []
    pids += service.workers() if service else []
    port = int(url.rpartition(":")[2])
    return requests_per_cpu_second(pids, port, path, headers)
