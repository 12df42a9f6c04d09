"""Probes: `/healthz` (the process is alive) and `/readyz` (the database is usable)."""

from flask import Blueprint, Response

from feedsvc.models import EPOCH
from feedsvc.services import current_services
from feedsvc.storage.database import revision_row
from feedsvc.storage.migrations.runner import check_schema

#: The path of the probe that the event loop answers, so that no thread is needed.
PATH = "/healthz"

blueprint = Blueprint("health", __name__)


@blueprint.get(PATH)
def alive_response() -> Response:
    """Answer that the process is alive."""
    return Response("ok\n", mimetype="text/plain")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Answer that the database is usable, with the time of the last write."""
    database = current_services().database
    check_schema(database)
    with database.read() as session:
        written_at = revision_row(session).written_at
    time = f"{written_at:%Y-%m-%dT%H:%M:%SZ}" if written_at > EPOCH else "never"
    text = f"ready\nlast write: {time}\n"
    return Response(text, mimetype="text/plain")
