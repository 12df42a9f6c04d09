"""Files that come with the service: style sheet, script, icon, sample pictures.

Flask's static folder is not used: these files have the validators and the compression
of all other public responses, and the style sheet has the site's color.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flask import Blueprint, Response, request

from feedsvc.errors import NotFound
from feedsvc.feeds.response import CachedResponse
from feedsvc.models import utcnow
from feedsvc.web.responses import conditional_response, static_response

_FOLDER = Path(__file__).with_name("static")
_MAX_AGE = 3600
_STYLE_SHEET = "/static/style.css"
_FILES = {
    _STYLE_SHEET: "text/css",
    "/static/pages.js": "text/javascript",
    # Browsers request it without a link to it.
    "/favicon.ico": "image/vnd.microsoft.icon",
}
# A picture that is opened by itself is a document, which may load and run nothing.
_PICTURE_POLICY = ("Content-Security-Policy", "default-src 'none'")
# Crawlers may read sections and categories; combinations and parameters have no end.
_ROBOTS_TXT = b"""\
User-agent: *
Disallow: /api/
Disallow: /feeds/*,
Disallow: /feeds/*+
Disallow: /feeds/*?
"""


def static_blueprint(color: str = "") -> Blueprint:
    """Return the blueprint of the files.

    :param color: the site's, such as `#0a5c36`; may be empty.
    """
    blueprint = Blueprint("static_files", __name__)
    bodies = {path: (_FOLDER / Path(path).name).read_bytes() for path in _FILES}
    bodies[_STYLE_SHEET] += brand_css(color)
    responses = {
        path: static_response(body, _FILES[path], _MAX_AGE)
        for path, body in bodies.items()
    }
    responses["/robots.txt"] = static_response(_ROBOTS_TXT, "text/plain", _MAX_AGE)

    def static_file() -> Response:
        return conditional_response(responses[request.path], utcnow())

    for path in responses:
        blueprint.add_url_rule(path, view_func=static_file)

    @blueprint.get("/static/samples/<name>")
    def sample_picture(name: str) -> Response:
        """Answer with a picture of the sample entries."""
        if name not in _sample_pictures():
            raise NotFound("There is no such file.")
        return conditional_response(_sample_pictures()[name], utcnow())

    return blueprint


@cache
def _sample_pictures() -> dict[str, CachedResponse]:
    """Return the pictures by name; few services have samples, so not at the start."""
    return {
        path.name: static_response(
            path.read_bytes(), "image/svg+xml", _MAX_AGE, _PICTURE_POLICY
        )
        for path in (_FOLDER / "samples").glob("*.svg")
    }


def brand_css(color: str) -> bytes:
    """Return the CSS rule of the site's color, with readable text on it.

    The text is black or white, whichever has the greater contrast (WCAG 2.2 §1.4.3).
    """
    if not color:
        return b""
    luminance = _relative_luminance(color)
    # At this luminance, black and white have the same contrast.
    text = "#000" if luminance > 0.179 else "#fff"
    return f":root {{ --brand: {color}; --on-brand: {text}; }}\n".encode()


def _relative_luminance(color: str) -> float:
    """Return the relative luminance (WCAG 2.2) of a color such as `#0a5c36`."""
    luminance = 0.0
    for start, weight in ((1, 0.2126), (3, 0.7152), (5, 0.0722)):
        value = int(color[start : start + 2], 16) / 255
        is_dark = value <= 0.04045
        linear = value / 12.92 if is_dark else ((value + 0.055) / 1.055) ** 2.4
        luminance += weight * linear
    return luminance
