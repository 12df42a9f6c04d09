"""The service with a feed of 50 entries, and its references under the same gunicorn."""

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
from bench.dataset import BODY
from feedsvc.models import SCOPES
from tests.server import Service

UNUSED = "sqlite:///unused.db"
"""The setting of references, which open no database of it."""

PATH = "/feeds/news.rss"
RESPONSES = ("identity", "gzip", "304")
# A worker that is replaced would take its CPU time with it.
_KEEP_WORKERS = {"GUNICORN_CMD_ARGS": "--max-requests=0"}
_ONE_WORKER = {"WEB_CONCURRENCY": "1"}
_SERVER_HEADERS = {"Server", "Date", "Connection", "Content-Type", "Content-Length"}


@dataclass(frozen=True)
class Environment:
    """The service, and its references: `bare` ones by kind of response.

    `threaded` is the service without the event loop's responses. `single` and
    `bare_single` have one worker, so that a client has a processor of its own.
    """

    service: Service
    threaded: Service
    single: Service
    bare: dict[str, Service]
    bare_single: Service
    flask: Service
    django: Service | None

    def request_headers(self, kind: str, service: Service) -> dict[str, str]:
        """Return the headers for which a service sends a kind of response."""
        if kind != "304":
            return {"Accept-Encoding": kind}
        response = requests.get(
            service.url + PATH, headers={"Accept-Encoding": "gzip"}, timeout=10
        )
        etag = response.headers.get("ETag", '"-"')
        return {"Accept-Encoding": "gzip", "If-None-Match": etag}


@contextmanager
def running() -> Iterator[Environment]:
    """Start everything on 127.0.0.1."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:

        def start(service: Service, app: str) -> Service:
            stack.callback(service.stop)
            service.start(app=app)
            return service

        database_url = f"sqlite:///{folder}/bench.db"
        service = Service(database_url, **_KEEP_WORKERS)
        service.make_token(*SCOPES)
        start(service, "wsgi:app")
        _put_entries(service)
        threaded = start(
            Service(database_url, **_KEEP_WORKERS, FEEDSVC_EVENT_LOOP="false"),
            "wsgi:app",
        )
        single = start(
            Service(database_url, **_KEEP_WORKERS, **_ONE_WORKER), "wsgi:app"
        )

        def start_bare(kind: str, **settings: str) -> Service:
            bare = Service(UNUSED, **_response_of(service, kind), **settings)
            return start(bare, "bench.baseline_wsgi:app")

        bare = {kind: start_bare(kind) for kind in RESPONSES}
        bare_single = start_bare("gzip", **_ONE_WORKER)
        path = f"{folder}/baseline_flask.db"
        baseline_flask.fill(path, [BODY] * 50)
        flask = start(
            Service(UNUSED, BASELINE_DATABASE=path, **_KEEP_WORKERS),
            "bench.baseline_flask:app",
        )
        django = None
        if importlib.util.find_spec("django"):
            django = start(
                Service(UNUSED, BASELINE_BODY=BODY, **_KEEP_WORKERS),
                "bench.baseline_django:app",
            )
        yield Environment(service, threaded, single, bare, bare_single, flask, django)


def _put_entries(service: Service) -> None:
    for slug in ("a", "b"):
        path = f"/api/v1/categories/{slug}"
        assert service.request("PUT", path, {"title": slug}).ok
    for number in range(50):
        document = {
            "title": f"Bài {number}",
            "content_html": BODY,
            "categories": ["a"],
        }
        assert service.request("PUT", f"/api/v1/articles/{number}", document).ok
    # Until every worker has read the changes, and Last-Modified can be sent.
    time.sleep(2)


def _response_of(service: Service, kind: str) -> dict[str, str]:
    """Return the settings of a bare function for a response with the same headers."""
    request_headers = {"Accept-Encoding": kind}
    status = "200 OK"
    if kind == "304":
        request_headers["If-None-Match"] = "*"
        status = "304 NOT MODIFIED"
    response = requests.get(
        service.url + PATH, headers=request_headers, timeout=10, stream=True
    )
    length = response.headers.get("Content-Length", "0")
    headers = {
        name: value
        for name, value in response.headers.items()
        if name not in _SERVER_HEADERS
    }
    return {
        "BARE_LENGTH": length,
        "BARE_STATUS": status,
        "BARE_HEADERS": json.dumps(headers),
        "GUNICORN_CMD_ARGS": "--max-requests=0 --worker-class=gthread",
    }
