"""Ratios to version 1.0.1, which is unpacked from the repository; it needs git."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.server import ROOT, Service

RELEASE = "Release 1.0.1"
ROUNDS = 5
PROBE = Path(__file__).with_name("probe.py")
BARS = {
    "a cold feed of 50 entries, ms": ("cold", 1.3),
    "the same after a write, ms": ("after a write", None),
    "a PUT of one article, ms": ("put", 1.5),
    "idle memory of all processes, MiB": ("memory", 1.0),
    "start to the first 200, s": ("start", 1.0),
}
"""By what a row says: the quantity, and the limit of its ratio."""


def print_table() -> None:
    """Measure both versions in turn, and print the ratios of the medians."""
    samples: dict[str, list[dict[str, float]]] = {"new": [], "old": []}
    with _unpacked() as folder:
        roots = {"new": ROOT, "old": folder}
        for number in range(ROUNDS):
            # Every other round goes backwards, so that other load affects both alike.
            for version in sorted(roots, reverse=bool(number % 2)):
                samples[version].append(_measure(roots[version]))
    print("\n| | 2 | 1.0.1 | ratio | bar | |\n|---|---|---|---|---|---|")
    for name, (quantity, bar) in BARS.items():
        new, old = (
            statistics.median(sample[quantity] for sample in samples[version])
            for version in ("new", "old")
        )
        ratio = new / old
        verdict = "" if bar is None else "holds" if ratio <= bar else "missed"
        print(
            f"| {name} | {new:.2f} | {old:.2f} | {ratio:.2f} | {bar or '–'} | {verdict} |"
        )


@contextmanager
def _unpacked() -> Iterator[Path]:
    """Yield a directory with the code of the release."""
    find = ["git", "log", "-1", "--format=%H", "--grep", f"^{RELEASE}$"]
    commit = subprocess.check_output(find, cwd=ROOT, text=True).strip()
    archive = subprocess.check_output(["git", "archive", commit], cwd=ROOT)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        # Where this version has gunicorn's settings.
        shim = Path(folder, "feedsvc", "gunicorn_conf.py")
        shim.write_text(
            "from feedsvc.server.gunicorn_conf import *\nwsgi_app = 'wsgi:app'\n"
        )
        yield Path(folder)


def _measure(root: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/bench.db"
        service = Service(url, PYTHONPATH=str(root), WEB_CONCURRENCY="2")
        service.root = root
        service.is_forked = False
        service.command("db", "upgrade")
        token = service.command("token", "create", "bench").strip()
        # Version 1.0.1 has no `feedsvc serve`.
        options = () if root == ROOT else ("wsgi:app",)
        start = service.start(Path(os.devnull), *options)
        requests.get(f"{service.url}/feeds/news.rss", timeout=10)
        assert service.process
        memory = _memory([service.process.pid, *service.workers()])
        service.stop()
        probe = subprocess.check_output(
            [sys.executable, PROBE, url, token],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
    return {**json.loads(probe), "start": start, "memory": memory}


def _memory(pids: list[int]) -> float:
    """Return the MiB of processes; memory that several share counts once."""
    texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(text.split("\nPss:")[1].split()[0]) for text in texts) / 1024
