"""`/hub`, which takes requests to subscribe and unsubscribe (WebSub §5.1)."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flask import Blueprint, Response, request
from werkzeug.exceptions import (
    HTTPException,
    LengthRequired,
    MethodNotAllowed,
    UnsupportedMediaType,
)

from feedsvc.api.urls import validate_url
from feedsvc.errors import BadRequest, FeedsvcError, NotFound, RateLimited, Unavailable
from feedsvc.feed_query import FeedQuery
from feedsvc.http.client_network import network_of
from feedsvc.http.problem_details import http_error_detail, http_status
from feedsvc.http.rate_limits import RateLimiter
from feedsvc.models import Site
from feedsvc.storage.subscriptions import Subscriptions
from feedsvc.web.feeds import FeedService
from feedsvc.websub.addresses import private_address
from feedsvc.websub_types import PendingVerification

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

MAX_LEASE = 10 * 86400
"""Seconds; also the default."""

MIN_LEASE = 300

_MAX_BODY = 16 * 1024
_FORM = "application/x-www-form-urlencoded"
_MODES = ("subscribe", "unsubscribe")
# All, so that the hub answers 405 too, by a line of text instead of a page.
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_DEFAULT_PORTS = {"http": 80, "https": 443}


def hub_blueprint(
    subscriptions: Subscriptions,
    feeds: FeedService,
    rate_limiter: RateLimiter,
    site: Site,
    *,
    allow_private: bool,
) -> Blueprint:
    """Build the hub. It stores requests; the delivery worker verifies them.

    :param rate_limiter: counts requests by client address.
    :param allow_private: accept callbacks at private addresses.
    """
    blueprint = Blueprint("hub", __name__)

    @blueprint.route("/hub", methods=_METHODS)
    def hub() -> Response:
        """Take a request to subscribe or to unsubscribe."""
        # First, so that invalid requests count too.
        rate_limiter.hit(network_of(request.remote_addr or ""))
        _check_body()
        mode = _single_param("hub.mode")
        if mode not in _MODES:
            raise BadRequest("hub.mode must be subscribe or unsubscribe.")
        topic, feed = _parse_topic(_single_param("hub.topic"), mode, feeds, site)
        callback = _single_param("hub.callback")
        host = _check_callback(callback, site)
        if not allow_private:
            _check_public(host)
        subscriptions.request(
            PendingVerification(
                path=feed.path,
                topic=topic,
                callback=callback,
                host=host,
                domain=registrable_domain(host),
                mode=mode,
                secret=_parse_secret(_single_param("hub.secret")),
                lease=_parse_lease(mode, _single_param("hub.lease_seconds")),
            ),
            is_canonical=feed.is_canonical_feed,
        )
        return _text_response("Accepted; the callback will be verified.", 202)

    @blueprint.errorhandler(FeedsvcError)
    def handle_app_error(error: FeedsvcError) -> Response:
        response = _text_response(str(error), http_status(error))
        if isinstance(error, (RateLimited, Unavailable)):
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    @blueprint.errorhandler(HTTPException)
    def handle_http_exception(error: HTTPException) -> Response:
        detail = http_error_detail(error) or error.description or error.name
        response = _text_response(detail, error.code or 500)
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    return blueprint


def registrable_domain(host: str) -> str:
    """Return the domain that limits count by, such as `example.co.uk`.

    Of an IP address it is the address, or the /64 of an IPv6 address.
    """
    try:
        ip_address(host)
    except ValueError:
        # A provider's suffix, such as github.io, is in the list, so that its customers
        # count by themselves; a suffix alone counts as itself.
        return _public_suffixes().privatesuffix(host) or host
    return network_of(host)


@cache
def _public_suffixes() -> PublicSuffixList:
    # At the first request: the list takes some megabytes, which most workers never
    # need, and belongs to an extra.
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()


def _check_body() -> None:
    """Check that the request is a POST of a small form."""
    if request.method != "POST":
        raise MethodNotAllowed(["POST"], "This is a WebSub hub: send a POST.")
    if request.content_length is None:
        raise LengthRequired("A body needs a Content-Length.")
    if request.mimetype != _FORM or "Content-Encoding" in request.headers:
        raise UnsupportedMediaType(f"The body must be {_FORM}.")
    # Flask raises an error when it reads a form that is longer.
    request.max_content_length = _MAX_BODY


def _single_param(name: str) -> str:
    """Return the value of a parameter, or an empty string.

    Unknown parameters are ignored, as WebSub §5.1 demands.
    """
    values = request.form.getlist(name)
    if len(values) > 1:
        raise BadRequest(f"{name} is given twice.")
    return values[0] if values else ""


def _parse_topic(
    url: str, mode: str, feeds: FeedService, site: Site
) -> tuple[str, FeedQuery]:
    """Return the canonical path of a topic, and the feed that it is now.

    :raises BadRequest: it is not the canonical URL of a feed that has a hub.
    :raises NotFound: there is no such feed, or it was renamed.
    :raises Gone: its category was retired.
    """
    base = site.public_url
    if not url.startswith(f"{base}/"):
        raise BadRequest(
            f"hub.topic must be the URL of a feed of this service, {base}/feeds/…"
        )
    topic, current = feeds.resolve_topic(url.removeprefix(base))
    if base + topic.path != url:
        raise BadRequest(f"hub.topic is not canonical; use {base}{topic.path}")
    # To unsubscribe, the old URL is right: a subscriber from before a rename knows no
    # other.
    if mode == "subscribe" and current != topic:
        raise NotFound(f"hub.topic was renamed; use {base}{current.path}")
    return topic.path, current


def _check_callback(callback: str, site: Site) -> str:
    """Return the host of a callback.

    :raises BadRequest: it is not a URL that may be called.
    """
    try:
        validate_url(callback)
        if not callback.isascii() or "#" in callback:
            raise ValueError("Only ASCII, and without a fragment.")
    except ValueError as error:
        raise BadRequest(
            f"hub.callback must be an absolute http(s) URL: {error}"
        ) from None
    origin = _origin(callback)
    if origin == _origin(site.public_url):
        raise BadRequest("hub.callback must not be a URL of this service.")
    return origin[0]


def _check_public(host: str) -> None:
    """Check that a callback's host is no private address.

    :raises BadRequest: it is one, so the delivery worker would never call it.
    """
    address = private_address(host)
    if address:
        raise BadRequest(
            f"hub.callback must not be a private address: {address} is called only "
            "with the setting FEEDSVC_ALLOW_PRIVATE_CALLBACKS=true."
        )


def _parse_secret(text: str) -> str | None:
    """Return the secret, if there is one.

    :raises BadRequest: it is too long (WebSub §5.1), or has control characters.
    """
    if len(text.encode()) >= 200 or not text.isprintable():
        raise BadRequest(
            "hub.secret must be printable UTF-8 text of less than 200 bytes."
        )
    return text or None


def _parse_lease(mode: str, text: str) -> int:
    """Return a lease in seconds, adjusted to the limits."""
    if mode != "subscribe":
        return 0
    if not text:
        return MAX_LEASE
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest("hub.lease_seconds must be a whole number of seconds.")
    # Python refuses to convert thousands of digits.
    seconds = int(text[:12])
    return min(max(seconds, MIN_LEASE), MAX_LEASE)


def _origin(url: str) -> tuple[str, int]:
    """Return host and port."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return host, parts.port or _DEFAULT_PORTS[parts.scheme]


def _text_response(text: str, status: int) -> Response:
    body = " ".join(text.split()) + "\n"
    headers = {"Cache-Control": "no-store"}
    return Response(body, status, mimetype="text/plain", headers=headers)
