"""flask-smorest's Blueprint and Api with the project's parser and error responses."""

import json
import logging
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import flask
import marshmallow as ma
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask, Response, g, request
from flask_smorest import Api, Blueprint
from marshmallow.validate import Range
from werkzeug.exceptions import HTTPException

from feedsvc import __version__
from feedsvc.api.auth import MAX_LOGGED, authorize
from feedsvc.api.request_parsing import StrictParser, check_body_headers
from feedsvc.input.fields import EntryId, NestedOrString
from feedsvc.input.schemas import ClosedSchema
from feedsvc.models import Site
from feedsvc.web.errors import MEDIA_TYPE, error_response
from feedsvc.web.responses import redirect
from feedsvc.web.static_files import FilesBlueprint

_DESCRIPTION = (
    "Write a portal's news and events in JSON; anyone reads them as feeds. A member "
    "that is null or an empty string counts as absent. Every error is a problem "
    "document (RFC 9457)."
)
#: The name of the response with a problem document, in OpenAPI.
PROBLEM = "Problem"

#: Swagger UI's page has a script in itself, and shows nothing of a request.
_SWAGGER_UI_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
)

View = Callable[..., Any]

_log = logging.getLogger(__name__)


class FieldErrorSchema(ClosedSchema):
    """An error in one member of a document."""

    pointer = ma.fields.String(required=True, metadata={"pattern": "^#"})
    detail = ma.fields.String(required=True)


class ProblemSchema(ClosedSchema):
    """A problem document (RFC 9457)."""

    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True, validate=Range(400, 599))
    detail = ma.fields.String(required=True)
    errors = ma.fields.List(ma.fields.Nested(FieldErrorSchema))


class OpenConverter(OpenAPIConverter):
    """Describe objects as open, since later versions may have more members."""

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        """Return the JSON Schema of a marshmallow schema."""
        document: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        document.pop("additionalProperties", None)
        return document

    def field2property(self, field: ma.fields.Field[Any]) -> dict[str, Any]:
        """Return the JSON Schema of a field."""
        document: dict[str, Any] = super().field2property(field)
        if isinstance(field, NestedOrString):
            return {"anyOf": [document, {"type": "string"}]}
        if isinstance(field, EntryId):
            document["type"] = ["string", "integer"]
        return document


class OpenMarshmallowPlugin(MarshmallowPlugin):
    """apispec's plugin with this converter."""

    Converter = OpenConverter


class FeedsApi(Api):  # type: ignore[misc]
    """The API, whose errors are problem documents."""

    DEFAULT_ERROR_RESPONSE_NAME = PROBLEM
    ERROR_SCHEMA = ProblemSchema

    def __init__(self, app: Flask, site: Site) -> None:
        app.config.update(
            API_TITLE="feedsvc",
            API_VERSION=__version__,
            OPENAPI_VERSION="3.1.0",
            OPENAPI_URL_PREFIX="/api",
        )
        # The settings name the server, not the Host header: the document must be the
        # same for every client.
        super().__init__(
            app,
            spec_kwargs={
                "marshmallow_plugin": OpenMarshmallowPlugin(),
                "info": {"description": _DESCRIPTION},
                "servers": [{"url": site.public_url}],
            },
        )
        components = self.spec.components
        content = {MEDIA_TYPE: {"schema": ProblemSchema}}
        components.response(
            PROBLEM, {"description": "Error.", "content": content}
        )
        components.security_scheme(
            "bearer",
            {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of the operator, with one of the scopes.",
            },
        )

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an exception of Werkzeug."""
        return error_response(error)


class ApiBlueprint(Blueprint):  # type: ignore[misc]
    """The operations under `/api/v1/<name>`.

    :param media_types: those that bodies may have besides JSON.
    """

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, *media_types: str) -> None:
        super().__init__(name, __name__, url_prefix=f"/api/v1/{name}")
        self.before_request(partial(check_body_headers, media_types))
        self.after_request(_log_refusal)

    def requires_scope(self, *scopes: str) -> Callable[[View], View]:
        """Return a decorator that requires a token with at least one of some scopes.

        It stands above `arguments`, so that no body is parsed without a token.
        """

        def decorate(view: View) -> View:
            @wraps(view)
            def authorized(*args: Any, **kwargs: Any) -> Any:
                authorize(scopes)
                return view(*args, **kwargs)

            # In OpenAPI, one of these alternatives is enough.
            security = [{"bearer": [scope]} for scope in scopes]
            documented: View = self.doc(security=security)(authorized)
            return documented

        return decorate

    def arguments(self, schema: Any, **kwargs: Any) -> Callable[[View], View]:
        """Return flask-smorest's decorator, its error documented as a problem."""
        status = kwargs.get("error_status_code", 422)
        add_arguments = super().arguments(schema, **kwargs)
        document_error = self.alt_response(status, response=PROBLEM)

        def decorate(view: View) -> View:
            decorated: View = document_error(add_arguments(view))
            return decorated

        return decorate

    def merge_patch(self, example: Any) -> Callable[[View], View]:
        """Return a decorator that documents a JSON merge patch as the body.

        `arguments` would load the patch, but only the patched document can be loaded.
        """
        media = {"schema": {"type": "object"}, "example": example}
        content = {"application/merge-patch+json": media}
        decorate: Callable[[View], View] = self.doc(
            requestBody={"required": True, "content": content}
        )
        return decorate


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
        f"{error['pointer']} {error['detail']}"
        for error in problem.get("errors", ())
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


def swagger_ui_blueprint(site: Site) -> flask.Blueprint:
    """Return the blueprint of the documentation page, `/api/docs/`.

    That of flask-swagger-ui reads its files anew for each client.
    """
    blueprint = FilesBlueprint(
        "swagger_ui",
        "flask_swagger_ui",
        url_prefix="/api/docs",
        static_folder="dist",
        static_url_path="",
        template_folder="templates",
    )

    @blueprint.get("/")
    def show_documentation() -> str:
        config = {
            "url": "/api/openapi.json",
            "dom_id": "#swagger-ui",
            "layout": "StandaloneLayout",
            "deepLinking": True,
            # Its picture is on another host.
            "validatorUrl": None,
        }
        return flask.render_template(
            "index.template.html",
            base_url="/api/docs",
            app_name="feedsvc",
            config_json=json.dumps(config),
        )

    # Werkzeug's redirect to the slash would lead where the Host header says.
    @blueprint.get("")
    def redirect_to_slash() -> Response:
        return redirect(site, "/api/docs/")

    @blueprint.after_request
    def add_policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _SWAGGER_UI_POLICY
        return response

    return blueprint
