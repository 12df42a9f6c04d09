"""The files of pages, and the style sheet of the site's color."""

from flask import Response

from feedsvc.feeds.cached_response import PAGE_MAX_AGE
from feedsvc.services import current_services
from feedsvc.web.responses import public_cache_headers
from feedsvc.web.static_files import FilesBlueprint

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
    color = current_services().config.pages.color
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
