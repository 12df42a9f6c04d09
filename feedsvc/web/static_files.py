"""Files that come with the service, and the style sheet of the site's color."""

from datetime import UTC, datetime
from functools import lru_cache
from mimetypes import guess_type
from os.path import getmtime, isfile
from pathlib import Path

from flask import Blueprint, Response
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join

from feedsvc.feeds.cached_response import PAGE_MAX_AGE, CachedResponse
from feedsvc.services import current_services
from feedsvc.web.responses import conditional_response, public_cache_headers

#: Seconds that caches keep files.
_MAX_AGE = 3600


class FilesBlueprint(Blueprint):
    """A blueprint whose static files are responses that stay in memory."""

    def send_static_file(self, filename: str) -> Response:
        """Answer with a file, whose ETag is equal on all machines."""
        path = safe_join(str(self.static_folder), filename)
        if path is None or not isfile(path):
            raise NotFound
        return conditional_response(_read_file(path, getmtime(path)))


# All clients are sent the same bytes, which so stay in memory once.
@lru_cache
def _read_file(path: str, modified: float) -> CachedResponse:
    """Return the response with a file; another time makes another response."""
    media_type, _ = guess_type(path)
    return CachedResponse(
        Path(path).read_bytes(),
        media_type or "application/octet-stream",
        datetime.fromtimestamp(modified, UTC),
        due_at=None,
        max_age=_MAX_AGE,
    )


blueprint = FilesBlueprint("files", __name__, static_folder="static")

# Crawlers and browsers request these two without a link to them.
for _name in ("robots.txt", "favicon.ico"):
    blueprint.add_url_rule(
        f"/{_name}",
        view_func=blueprint.send_static_file,
        defaults={"filename": _name},
    )


@blueprint.get("/static/site.css")
def site_style_sheet() -> Response:
    """Answer with the site's color, and black or white for text on it.

    It is a file of its own because the policy of pages forbids styles within them.
    """
    color = current_services().site.color
    css = ""
    if color:
        text_color = _readable_color(color)
        css = f":root {{ --brand: {color}; --on-brand: {text_color}; }}\n"
    return Response(
        css, mimetype="text/css", headers=public_cache_headers(PAGE_MAX_AGE)
    )


def _readable_color(background: str) -> str:
    """Return black or white, whichever has the greater contrast (WCAG 2.2 §1.4.3).

    :param background: a color such as `#0a5c36`.
    """
    luminance = 0.0
    for start, weight in ((1, 0.2126), (3, 0.7152), (5, 0.0722)):
        value = int(background[start : start + 2], 16) / 255
        is_dark = value <= 0.04045
        linear = value / 12.92 if is_dark else ((value + 0.055) / 1.055) ** 2.4
        luminance += weight * linear
    # At this luminance, black and white have the same contrast.
    return "#000" if luminance > 0.179 else "#fff"
