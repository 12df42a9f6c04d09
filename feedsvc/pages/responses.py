"""Responses of the views of pages."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from flask import request
from sqlalchemy.orm import Session

from feedsvc.feeds.cached_response import PAGE_MAX_AGE, CachedResponse
from feedsvc.feeds.query import FORMATS, query_string, read_parameter
from feedsvc.models import KINDS
from feedsvc.services import current_services
from feedsvc.storage.changes import read_validity
from feedsvc.text.iframes import EMBEDS

#: The Content-Security-Policy of pages.
#:
#: Entries may show images, sound and film from any host, and players from the hosts
#: that the sanitizer allows. `connect-src` is for Lighthouse, which reads robots.txt
#: from within the page.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; "
    "img-src https: http:; media-src https: http:; "
    f"frame-src {' '.join(f'https://{host}' for host in EMBEDS)}; "
    "form-action 'self'; base-uri 'none'"
)

_REFERRER_POLICY = ("Referrer-Policy", "strict-origin-when-cross-origin")

#: Headers of lists, which other sites may show in a frame.
LIST_HEADERS = (("Content-Security-Policy", _POLICY), _REFERRER_POLICY)

#: Headers of all other pages, which they may not.
PAGE_HEADERS = (
    ("Content-Security-Policy", f"{_POLICY}; frame-ancestors 'none'"),
    _REFERRER_POLICY,
)

NOINDEX = ("X-Robots-Tag", "noindex")
UNINDEXED_HEADERS = (*PAGE_HEADERS, NOINDEX)

#: Renders a page, and tells if crawlers may index it.
Render = Callable[[Session], tuple[bytes, bool]]


def cached_page(
    path: str,
    parameters: Mapping[str, str | None],
    render: Render,
    media_type: str = FORMATS["html"].media_type,
) -> CachedResponse:
    """Return a page from the cache, or render it from one snapshot.

    :param path: equal for all spellings of the page's URL.
    """
    services = current_services()

    def render_response() -> CachedResponse:
        with services.database.read() as session:
            validity = read_validity(session, *KINDS)
            body, is_indexed = render(session)
        return CachedResponse(
            body,
            media_type,
            validity.revision,
            validity.due_at,
            PAGE_MAX_AGE,
            headers=PAGE_HEADERS if is_indexed else UNINDEXED_HEADERS,
        )

    url = quote(path) + query_string(parameters)
    return services.cache.get_or_render(url, render_response)


def requested_language() -> str | None:
    """Return the parameter `lang` of the request, the language of entries in a page.

    :raises BadRequest: it is no language tag, or given twice.
    """
    values = request.args.getlist("lang")
    return read_parameter("lang", values) if values else None
