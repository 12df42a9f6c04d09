"""The language of a page, which its URL alone decides: caches keep one page a URL."""

from __future__ import annotations

from flask import request

from feedsvc.models import Site
from feedsvc.query import UI_LANGUAGES, primary_subtag


def requested_language(site: Site) -> str | None:
    """Return the parameter `ui` of the request if it differs from the site's language.

    Another value than a language of pages counts as absent.
    """
    ui = request.args.get("ui", "")
    is_other = ui in UI_LANGUAGES and ui != primary_subtag(site.language)
    return ui if is_other else None
