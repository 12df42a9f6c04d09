"""The service as readers meet it: with the corpus in it, and its clock set to when that was loaded.

`gunicorn tests.interop.seed:app` runs ahead of the system's clock by `CLOCK_AHEAD` seconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from config import Config
from feedsvc import create_app
from feedsvc.models import SCOPES, utcnow
from tests import data
from tests.interop.expected import Oracle
from tests.server import Service


class Portal:
    """A running service with the corpus in it, and the lines that it logs."""

    def __init__(self, service: Service, log: Path, ahead: float) -> None:
        self.service, self.log, self.ahead = service, log, timedelta(seconds=ahead)

    def send(self, method: str, path: str, document: Any = None) -> Any:
        """What the API answers to a request that must succeed."""
        answer = self.service.request(method, f"/api/v1{path}", document)
        assert answer.status_code in (200, 201, 204), answer.text
        return answer.json() if answer.content else None

    def oracle(self) -> Oracle:
        """What follows from the API's answers now."""
        return Oracle(lambda path: self.send("GET", path), utcnow() + self.ahead)

    def answers(self, path: str, agent: str) -> list[int]:
        """The statuses with which GETs of a path were answered to a user agent, in order."""
        lines = [
            line
            for line in self.log.read_text().splitlines()
            if f'"GET {path}"' in line
        ]
        return [
            int(line.split(f'"GET {path}" ')[1][:3])
            for line in lines
            if agent in line.lower()
        ]


@contextmanager
def running(database_url: str, log: Path) -> Iterator[Portal]:
    """A portal that is running."""
    ahead = (data.NOW - utcnow()).total_seconds()
    service = Service(database_url, CLOCK_AHEAD=str(ahead))
    service.start(log, app="tests.interop.seed:app")
    try:
        service.make_token(*SCOPES)
        portal = Portal(service, log, ahead)
        for category in data.categories():
            portal.send("PUT", f"/categories/{category['slug']}", category)
        portal.send("POST", "/batch", data.batch())
        yield portal
    finally:
        service.stop()


def _now() -> datetime:
    return utcnow() + timedelta(seconds=float(os.environ["CLOCK_AHEAD"]))


if "CLOCK_AHEAD" in os.environ:
    app = create_app(Config.from_env(), _now, background=True)
