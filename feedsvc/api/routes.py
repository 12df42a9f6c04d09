"""All operations of the API in one table, and what they have in common."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from marshmallow import Schema

from feedsvc.api import batch, categories, changes, entries
from feedsvc.api.auth import MAX_LOGGED, authorize
from feedsvc.api.request_parsing import check_body_headers, load_query, parse_dry_run

_log = logging.getLogger(__name__)


class Route(NamedTuple):
    """An operation of the API, which `openapi.json` describes.

    :param call: the method, and the path below `/api/v1`.
    :param name: the `operationId`, of which programs make names of functions.
    :param scopes: the token must have one of them; without any, it needs no token.
    :param view: gets the variables of the path, the kind and the parameters.
    :param kind: the kind of its entries.
    :param query: the schema of the parameters.
    :param media_types: those that the body may have besides JSON.
    """

    call: str
    name: str
    scopes: Sequence[str]
    view: Callable[..., ResponseReturnValue]
    kind: str = ""
    query: Schema | None = None
    media_types: Sequence[str] = ()


PUBLIC = ()
NEWS = ("news:write",)
EVENTS = ("events:write",)
ENTRIES = NEWS + EVENTS
CATEGORIES = ("categories:write",)

# One line each, so that the whole API can be seen.
# fmt: off
ROUTES = (
    Route("GET /articles", "listArticles", NEWS, entries.list_, "news", entries.QUERY),
    Route("POST /articles", "postArticle", NEWS, entries.post, "news"),
    Route("GET /articles/<id>", "getArticle", NEWS, entries.get, "news"),
    Route("PUT /articles/<id>", "putArticle", NEWS, entries.put, "news"),
    Route("PATCH /articles/<id>", "patchArticle", NEWS, entries.patch, "news"),
    Route("DELETE /articles/<id>", "deleteArticle", NEWS, entries.delete, "news"),
    Route("GET /events", "listEvents", EVENTS, entries.list_, "events", entries.QUERY),
    Route("POST /events", "postEvent", EVENTS, entries.post, "events"),
    Route("GET /events/<id>", "getEvent", EVENTS, entries.get, "events"),
    Route("PUT /events/<id>", "putEvent", EVENTS, entries.put, "events"),
    Route("PATCH /events/<id>", "patchEvent", EVENTS, entries.patch, "events"),
    Route("DELETE /events/<id>", "deleteEvent", EVENTS, entries.delete, "events"),
    Route("GET /categories", "listCategories", PUBLIC, categories.list_),
    Route("GET /categories/<slug>", "getCategory", PUBLIC, categories.get),
    Route("PUT /categories/<slug>", "putCategory", CATEGORIES, categories.put),
    Route("PATCH /categories/<slug>", "patchCategory", CATEGORIES, categories.patch),
    Route("DELETE /categories/<slug>", "deleteCategory", CATEGORIES, categories.delete),
    Route("GET /changes", "listChanges", PUBLIC, changes.list_, query=changes.QUERY),
    Route("POST /batch", "postBatch", ENTRIES, batch.post, media_types=[batch.NDJSON]),
)
# fmt: on


def is_write(route: Route) -> bool:
    """Tell if an operation stores something."""
    return not route.call.startswith("GET ")


def _answer(route: Route, **arguments: Any) -> ResponseReturnValue:
    """Return the response of a view, after the checks that need no body.

    :param arguments: the variables of the path.
    """
    check_body_headers(route.media_types)
    if route.scopes:
        authorize(route.scopes)
    g.is_dry_run = is_write(route) and parse_dry_run()
    if route.kind:
        arguments["kind"] = route.kind
    if route.query:
        arguments |= load_query(route.query)
    return route.view(**arguments)


def _log_refusal(response: Response) -> Response:
    """Log a write that is refused; the storage logs those that it stores."""
    is_read = request.method in ("GET", "HEAD", "OPTIONS")
    if is_read or not 400 <= response.status_code < 500:
        return response
    # Strangers could fill the disk.
    name = g.token.name if "token" in g else None
    if response.status_code == 429 and name is None:
        return response
    problem = response.get_json()
    details = [
        f"{error['pointer']} {error['detail']}" for error in problem.get("errors", ())
    ]
    _log.info(
        "refused %s %s by %s: %d %s",
        request.method,
        request.path,
        name or request.remote_addr or "nobody",
        response.status_code,
        " ".join(details or [problem["detail"]])[:MAX_LOGGED],
    )
    return response


def api_blueprint() -> Blueprint:
    """Return the blueprint of all operations."""
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
    for route in ROUTES:
        method, path = route.call.split()
        view = partial(_answer, route)
        blueprint.add_url_rule(path, route.name, view, methods=[method])
    blueprint.after_request(_log_refusal)
    return blueprint
