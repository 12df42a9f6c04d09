"""Answer from the response cache before a view parses the request.

The worker's event loop answers most of these requests (`feedsvc/server/worker.py`);
Flask gets those of HTTP/1.0 clients, of unusual form, and of other servers.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from feedsvc.feeds.response_cache import ResponseCache, cache_key
from feedsvc.http.conditional import conditional_response


def cached_responses_blueprint(cache: ResponseCache) -> Blueprint:
    """Return the blueprint that answers what is cached."""
    blueprint = Blueprint("cached_responses", __name__)

    @blueprint.before_app_request
    def answer_from_cache() -> Response | None:
        if request.method in ("GET", "HEAD"):
            hit = cache.get(cache_key(request.environ))
            if hit:
                return conditional_response(*hit)
        return None

    return blueprint
