"""What is measured: the service with a feed of 50 entries, and its references under the same gunicorn."""

from __future__ import annotations

import importlib.util
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import requests

from bench import baseline_flask
from feedsvc.models import SCOPES
from tests.server import Service

PATH = "/feeds/news.rss"
BODY = "<p>" + "Nội dung của bài. " * 80 + "</p>"
CONDITIONS = ("identity", "gzip", "304")
_LASTING = {"GUNICORN_CMD_ARGS": "--max-requests=0"}
"""Workers whose processor time is measured are not to be replaced meanwhile."""
_SERVERS = {"Server", "Date", "Connection", "Content-Type", "Content-Length"}


@dataclass(frozen=True)
class Setting:
    """The service, its references by name, and what a client sends to be answered in one of three ways."""

    service: Service
    bare: dict[str, Service]
    peer: Service
    django: Service | None

    def headers(self, way: str, service: Service) -> dict[str, str]:
        """The headers by which a service answers the feed so."""
        if way != "304":
            return {"Accept-Encoding": way}
        known = requests.get(
            service.url + PATH, headers={"Accept-Encoding": "gzip"}, timeout=10
        )
        return {
            "Accept-Encoding": "gzip",
            "If-None-Match": known.headers.get("ETag", '"-"'),
        }


@contextmanager
def running() -> Iterator[Setting]:
    """All of it, on 127.0.0.1."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as ends:

        def start(made: Service, app: str = "wsgi:app") -> Service:
            ends.callback(made.stop)
            made.start(app=app)
            return made

        service = Service(f"sqlite:///{folder}/bench.db", **_LASTING)
        service.make_token(*SCOPES)
        start(service)
        for slug in ("a", "b"):
            assert service.request(
                "PUT", f"/api/v1/categories/{slug}", {"title": slug}
            ).ok
        for number in range(50):
            document = {
                "title": f"Bài {number}",
                "content_html": BODY,
                "categories": ["a"],
            }
            assert service.request("PUT", f"/api/v1/articles/{number}", document).ok
        time.sleep(2)
        baseline_flask.fill(f"{folder}/baseline_flask.db", [BODY] * 50)
        bare = {}
        for way in CONDITIONS:
            known = {"If-None-Match": "*"} if way == "304" else {}
            asked = {"Accept-Encoding": way, **known}
            answer = requests.get(
                service.url + PATH, headers=asked, timeout=10, stream=True
            )
            length = answer.headers.get("Content-Length", "0")
            status = "304 NOT MODIFIED" if way == "304" else "200 OK"
            sent = {
                name: value
                for name, value in answer.headers.items()
                if name not in _SERVERS
            }
            environ = {"BARE_LENGTH": length, "BARE_STATUS": status, **_LASTING}
            same = Service("sqlite://", BARE_HEADERS=json.dumps(sent), **environ)
            bare[f"{way}, same headers"] = start(same, "bench.baseline_wsgi:app")
            bare[way] = start(
                Service("sqlite://", **environ), "bench.baseline_wsgi:app"
            )
        by_hand = start(
            Service("sqlite://", PEER_DB=f"{folder}/baseline_flask.db", **_LASTING),
            "bench.baseline_flask:app",
        )
        has_django = importlib.util.find_spec("django")
        django = (
            start(
                Service("sqlite://", PEER_BODY=BODY, **_LASTING),
                "bench.django_peer:app",
            )
            if has_django
            else None
        )
        yield Setting(service, bare, by_hand, django)
