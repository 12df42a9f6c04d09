"""Through the shipped nginx, against the same nginx with the answer as a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import requests

from bench.environment import PATH, Setting
from bench.load import nginx_workers, requests_a_second
from bench.table import Row, compare
from tests.integration.nginx import nginx


def rows(setting: Setting) -> Iterator[Row]:
    """The feed as it is, compressed, and as a 304."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        static = " ".join(
            f"location = /{way} {{ alias {folder}/{way}; default_type application/rss+xml; }}"
            for way in ("identity", "gzip")
        )
        for way in ("identity", "gzip"):
            headers = {"Accept-Encoding": way}
            with requests.get(
                setting.service.url + PATH, headers=headers, timeout=10, stream=True
            ) as answer:
                (folder / way).write_bytes(answer.raw.read(decode_content=False))
        with nginx(folder, setting.service.port, static) as (url, pid):
            port, service = int(url.rpartition(":")[2]), setting.service
            for way in ("identity", "gzip", "304"):
                coding = "gzip" if way == "304" else way
                ours, file = ({"Accept-Encoding": coding} for _ in range(2))
                if way == "304":
                    for said, path in ((ours, PATH), (file, "/gzip")):
                        found = requests.get(
                            url + path, headers={"Accept-Encoding": "gzip"}, timeout=10
                        )
                        said["If-None-Match"] = found.headers["ETag"]
                what = f"through the shipped nginx, {way}, against a file of the same nginx"
                yield from compare(
                    "front",
                    lambda ours=ours: requests_a_second(  # type: ignore[misc]
                        [*nginx_workers(pid), *service.workers()], port, PATH, ours
                    ),
                    {
                        what: (
                            lambda file=file, coding=coding: requests_a_second(  # type: ignore[misc]
                                nginx_workers(pid), port, f"/{coding}", file
                            ),
                            "≥ 0.80",
                        )
                    },
                )
