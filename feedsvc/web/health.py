"""`/healthz` and `/readyz`: whether the process lives, and whether it can serve."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response

from feedsvc.errors import Unavailable


def health_blueprint(is_ready: Callable[[], bool]) -> Blueprint:
    """The probes; `is_ready` looks at the database and its schema."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        """The process answers."""
        return _plain("ok")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        """The database answers, and its schema is this version's."""
        if not is_ready():
            raise Unavailable("The database's schema is not the one of this version.")
        return _plain("ready")

    def _plain(text: str) -> Response:
        return Response(
            text + "\n", mimetype="text/plain", headers={"Cache-Control": "no-store"}
        )

    return blueprint
