"""Request ids: every answer has one, the proxy's where it sends one, so that logs can be read together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import getrandbits
from typing import Any

from flask import Blueprint, Response, g, request

HEADER = "X-Request-ID"
_ID = re.compile("[A-Za-z0-9._~-]{1,64}")


def request_ids_blueprint() -> Blueprint:
    """Takes or makes an id for each request (`g.request_id`) and says it in the answer."""
    blueprint = Blueprint("request_ids", __name__)

    @blueprint.before_app_request
    def take() -> None:
        g.request_id = request_id(request.environ)

    @blueprint.after_app_request
    def give(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        return response

    return blueprint


def request_id(environ: Mapping[str, Any]) -> str:
    """The id that the request came with, if it can be one, or a new one."""
    given = environ.get("HTTP_X_REQUEST_ID", "")
    return given if given and _ID.fullmatch(given) else f"{getrandbits(64):016x}"
