"""Probes: `/healthz` (the process is alive) and `/readyz` (the database is usable)."""

from __future__ import annotations

from flask import Blueprint, Response

from feedsvc.errors import Unavailable
from feedsvc.storage import Storage


def health_blueprint(storage: Storage) -> Blueprint:
    """Return the blueprint of the probes."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        """Answer that the process is alive."""
        return _text_response("ok")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        """Answer that the database is reachable and its schema current.

        The second line is the time of the last write, such as 2026-11-25T07:00:00Z.
        """
        try:
            if not storage.is_ready():
                raise Unavailable("The database schema is not the one of this version.")
            with storage.reader() as reader:
                seq, time, _ = reader.last_change()
        except Unavailable as error:
            storage.outage_log.report(error, "/readyz answers 503: ")
            raise
        last_write = f"{time:%Y-%m-%dT%H:%M:%SZ}" if seq else "never"
        return _text_response(f"ready\nlast write: {last_write}")

    return blueprint


def _text_response(text: str) -> Response:
    # A probe asks the service, and not the cache of a proxy.
    headers = {"Cache-Control": "no-store"}
    return Response(f"{text}\n", mimetype="text/plain", headers=headers)
