"""Publish an entry from an installed wheel: `python -m tests.wheel dist/feedsvc.whl`.

The wheel is installed into an empty environment, with the versions of requirements.txt.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import requests

from tests.server import ROOT, Service


class InstalledService(Service):
    """A service that another Python runs, from outside the checkout."""

    def __init__(self, python: Path, folder: Path, **environ: str) -> None:
        super().__init__(f"sqlite:///{folder}/feedsvc.db", **environ)
        self.python = str(python)
        self.root = folder


def publish_entry(service: InstalledService) -> None:
    """Start, which migrates; create a token, PUT an article, find it in the feed."""
    try:
        service.start()
        service.token = service.command("token", "create", "cms").strip()
        response = service.request(
            "PUT", "/api/v1/articles/a", {"title": "Xin chào"}
        )
        assert response.status_code == 201, response.text
        feed = requests.get(f"{service.url}/feeds/news.rss", timeout=10)
        assert "<title>Xin chào</title>" in feed.content.decode()
    finally:
        service.kill()  # to stop takes a second, and the database is thrown away


def main() -> None:
    """Install the wheel, and publish."""
    wheel = sys.argv[1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        venv.create(folder / "environment", with_pip=True)
        python = folder / "environment/bin/python"
        pip = [
            str(python),
            *"-m pip install --quiet --disable-pip-version-check".split(),
        ]
        pins = ["--constraint", str(ROOT / "requirements.txt")]
        subprocess.run([*pip, *pins, wheel], check=True)
        publish_entry(InstalledService(python, folder))
    print(
        f"{wheel} is installed into an empty environment, and publishes an entry."
    )


if __name__ == "__main__":
    main()
