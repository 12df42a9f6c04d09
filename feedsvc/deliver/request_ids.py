"""Request ids: every answer has one, the proxy's where it sends one, so that logs can be read together."""

from __future__ import annotations

import re
import secrets

from flask import Blueprint, Response, g, request

_HEADER = "X-Request-ID"


def request_ids_blueprint() -> Blueprint:
    """Takes or makes an id for each request (`g.request_id`) and says it in the answer."""
    blueprint = Blueprint("request_ids", __name__)

    @blueprint.before_app_request
    def take() -> None:
        given = request.headers.get(_HEADER, "")
        g.request_id = given if re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", given) else secrets.token_hex(8)

    @blueprint.after_app_request
    def give(response: Response) -> Response:
        response.headers[_HEADER] = g.request_id
        return response

    return blueprint
