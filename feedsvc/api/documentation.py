"""The description of the API by OpenAPI, and the page that shows it."""

import json
from importlib.resources import files

from flask import Response, jsonify, render_template

from feedsvc import __version__
from feedsvc.services import current_services
from feedsvc.web.responses import redirect
from feedsvc.web.static_files import FilesBlueprint

#: Swagger UI's page has a script in itself, and shows nothing of a request.
_SWAGGER_UI_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
)

#: The description without version and server. `make golden` writes it.
_FILE = files(__package__) / "openapi.json"

# The blueprint of flask-swagger-ui reads its files anew for each client.
blueprint = FilesBlueprint(
    "documentation",
    "flask_swagger_ui",
    static_folder="dist",
    static_url_path="/api/docs",
    template_folder="templates",
)


@blueprint.get("/api/openapi.json")
def show_openapi() -> Response:
    """Return the description, with the version and server of this service."""
    document = json.loads(_FILE.read_text("utf-8"))
    document["info"]["version"] = __version__
    # The settings name the server, not the Host header: the document must be the same
    # for every client.
    document["servers"] = [{"url": current_services().site.public_url}]
    return jsonify(document)


@blueprint.get("/api/docs/")
def show_documentation() -> str:
    """Answer with the page, whose script reads the description."""
    config = {
        "url": "/api/openapi.json",
        "dom_id": "#swagger-ui",
        "layout": "StandaloneLayout",
        "deepLinking": True,
        # Its picture is on another host.
        "validatorUrl": None,
    }
    return render_template(
        "index.template.html",
        base_url="/api/docs",
        app_name="feedsvc",
        config_json=json.dumps(config),
    )


@blueprint.get("/api/docs")
def redirect_to_slash() -> Response:
    """Redirect to the page; Werkzeug would lead where the Host header says."""
    return redirect("/api/docs/")


@blueprint.after_request
def add_policy(response: Response) -> Response:
    """Add the page's policy to it, its files and the description."""
    response.headers["Content-Security-Policy"] = _SWAGGER_UI_POLICY
    return response
