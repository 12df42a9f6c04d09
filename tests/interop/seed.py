"""A running service with the sample data, at the time for which that was written.

The clock of `gunicorn tests.interop.seed:app` is `CLOCK_AHEAD` seconds ahead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import wsgi
from config import Config
from feedsvc.app import create_app
from feedsvc.models import SCOPES, utcnow
from tests import data
from tests.interop.expected import ExpectedFeeds
from tests.server import Service


class RunningPortal:
    """A running service with the sample data, and its access log."""

    def __init__(self, service: Service, log: Path, ahead: float) -> None:
        self.service, self.log, self.ahead = service, log, timedelta(seconds=ahead)

    def send(self, method: str, path: str, document: Any = None) -> Any:
        """Send a request that must succeed, and return the JSON of the response."""
        response = self.service.request(method, f"/api/v1{path}", document)
        assert response.status_code in (200, 201, 204), response.text
        return response.json() if response.content else None

    def expected_feeds(self) -> ExpectedFeeds:
        """Return what feeds should show now."""
        return ExpectedFeeds(lambda path: self.send("GET", path), utcnow() + self.ahead)

    def statuses(self, path: str, agent: str) -> list[int]:
        """Return the statuses of a user agent's GETs of a path, in order."""
        request = f'"GET {path}" '
        return [
            int(line.split(request)[1][:3])
            for line in self.log.read_text().splitlines()
            if request in line and agent in line.lower()
        ]


@contextmanager
def running(database_url: str, log: Path) -> Iterator[RunningPortal]:
    """Run a service with the sample data, of one worker: it shows a write at once."""
    ahead = (data.NOW - utcnow()).total_seconds()
    service = Service(
        database_url,
        CLOCK_AHEAD=str(ahead),
        WEB_CONCURRENCY="1",
        GUNICORN_CMD_ARGS="--access-logfile=-",
    )
    service.start(log, "tests.interop.seed:app")
    try:
        service.make_token(*SCOPES)
        portal = RunningPortal(service, log, ahead)
        for category in data.categories():
            portal.send("PUT", f"/categories/{category['slug']}", category)
        portal.send("POST", "/batch", data.batch())
        yield portal
    finally:
        service.stop()


def _now() -> datetime:
    return utcnow() + timedelta(seconds=float(os.environ["CLOCK_AHEAD"]))


if "CLOCK_AHEAD" in os.environ:
    # The modules that serve take the application from here.
    wsgi.app = create_app(Config.from_env(), _now)
    from feedsvc.asgi import app  # noqa: F401
