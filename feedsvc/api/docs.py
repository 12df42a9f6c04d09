"""The description of the API: as OpenAPI for programs, and as a page without script for people."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from functools import partial, reduce
from operator import getitem
from typing import Any

from flask import Blueprint, Response

from feedsvc.formats import PAGES
from feedsvc.http.conditional import conditional_response, static_response
from feedsvc.models import Site

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src https: http:; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_pretty = partial(json.dumps, ensure_ascii=False, indent=2)


def api_docs_blueprint(
    document: Mapping[str, Any], site: Site, max_age: int
) -> Blueprint:
    """The description at `/api/openapi.json`, and its page at `/api/docs`."""
    blueprint = Blueprint("api_docs", __name__)
    program = static_response(_pretty(document).encode(), "application/json", max_age)

    def found(item: Mapping[str, Any]) -> Any:
        """What a reference within the document leads to; anything else itself."""
        return (
            reduce(getitem, item["$ref"].split("/")[1:], document)
            if "$ref" in item
            else item
        )

    def curl(method: str, path: str, operation: Mapping[str, Any]) -> str:
        """A line for the shell that makes the call."""
        url = document["servers"][0]["url"] + path.replace("{", "$").replace("}", "")
        words = [f'curl -X {method.upper()} "{url}"']
        words += (
            ['-H "Authorization: Bearer $TOKEN"'] if "security" in operation else []
        )
        for media_type, media in list(
            operation.get("requestBody", {}).get("content", {}).items()
        )[:1]:
            words += [
                f"-H 'Content-Type: {media_type}'",
                f"-d {shlex.quote(_pretty(media['example']))}",
            ]
        return " \\\n  ".join(words)

    @blueprint.get("/api/openapi.json")
    def openapi() -> Response:
        """The description for programs."""
        return conditional_response(program)

    @blueprint.get("/api/docs")
    def docs() -> Response:
        """The description for people."""
        page = PAGES.render(
            "api_docs.html", site, api=document, found=found, curl=curl, pretty=_pretty
        )
        answer = static_response(
            page, "text/html", max_age, ("Content-Security-Policy", _POLICY)
        )
        return conditional_response(answer)

    return blueprint
