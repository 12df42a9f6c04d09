"""`/hub`: where subscribers ask for a feed, or ask no more (WebSub §5.1)."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from flask import Blueprint, Response, request
from werkzeug.exceptions import (
    HTTPException,
    LengthRequired,
    MethodNotAllowed,
    UnsupportedMediaType,
)

from feedsvc.access import network_of
from feedsvc.errors import BadRequest, FeedsvcError, NotFound, RateLimited, Unavailable
from feedsvc.query import FeedQuery
from feedsvc.subscription import PendingVerification
from feedsvc.websub.sites import site_of

LONGEST, SHORTEST = 10 * 86400, 300
"""Seconds of a lease: at most, also where none is asked for, and at least."""

_MOST_BYTES = 16 * 1024
_MODES = ("subscribe", "unsubscribe")
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def hub_blueprint(
    keep: Callable[[PendingVerification], None],
    topic: Callable[[str], tuple[FeedQuery, FeedQuery]],
    check_url: Callable[[str], str],
    count: Callable[[str], None],
    status_of: Callable[[FeedsvcError], int],
    public_url: str,
) -> Blueprint:
    """The hub's door; whoever delivers asks the callback then.

    :param keep: takes what was asked for.
    :param topic: the feed of a path, and the one that it is now; raises where there is no such feed.
    :param check_url: raises a ValueError for what is no URL to call.
    :param count: counts a request of an address; raises where there are too many.
    """
    blueprint = Blueprint("hub", __name__)

    @blueprint.route("/hub", methods=_METHODS)
    def hub() -> Response:
        """Take a request to subscribe or to unsubscribe."""
        count(network_of(request.remote_addr or ""))
        _check_form()
        mode, asked, callback = (
            _single_param(f"hub.{name}") for name in ("mode", "topic", "callback")
        )
        if mode not in _MODES:
            raise BadRequest("hub.mode must be subscribe or unsubscribe.")
        known_as, feed = _topic(asked, mode)
        host = _host(callback)
        secret = _single_param("hub.secret") or None
        if secret and (len(secret.encode()) >= 200 or not secret.isprintable()):
            raise BadRequest(
                "hub.secret must be printable UTF-8 text of less than 200 bytes."
            )
        lease = _lease(_single_param("hub.lease_seconds")) if mode == "subscribe" else 0
        keep(
            PendingVerification(
                feed.path,
                callback,
                host,
                mode,
                secret,
                lease,
                topic=known_as,
                site=site_of(host),
                plain=feed.is_canonical_feed,
            )
        )
        return _plain("The callback will be asked whether this is meant.", 202)

    def _topic(asked: str, mode: str) -> tuple[str, FeedQuery]:
        """Return the canonical path of a topic, and the feed that it is now."""
        if not asked.startswith(f"{public_url}/"):
            raise BadRequest(
                f"hub.topic must be the URL of a feed of this service, {public_url}/feeds/…"
            )
        wanted, current = topic(asked.removeprefix(public_url))
        if public_url + wanted.path != asked:
            raise BadRequest(
                f"hub.topic is not in its canonical spelling, which is {public_url}{wanted.path}"
            )
        # One who has subscribed before a category was renamed knows the feed by its old address.
        if mode == "subscribe" and current != wanted:
            raise NotFound(f"hub.topic is named {public_url}{current.path} now.")
        return wanted.path, current

    def _host(callback: str) -> str:
        try:
            check_url(callback)
            if not callback.isascii() or "#" in callback:
                raise ValueError("Only ASCII, and without a fragment.")
        except ValueError as error:
            raise BadRequest(
                f"hub.callback must be an absolute http(s) URL: {error}"
            ) from None
        if _origin(callback) == _origin(public_url):
            raise BadRequest("hub.callback is this service itself.")
        return _origin(callback)[0]

    @blueprint.errorhandler(FeedsvcError)
    def ours(error: FeedsvcError) -> Response:
        answer = _plain(str(error), status_of(error))
        if isinstance(error, (RateLimited, Unavailable)):
            answer.headers["Retry-After"] = str(error.retry_after)
        return answer

    @blueprint.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        answer = _plain(error.description or error.name, error.code or 500)
        answer.headers.extend((n, v) for n, v in error.get_headers() if n == "Allow")
        return answer

    return blueprint


def _check_form() -> None:
    """See that the body is a form, of a length that is known and small."""
    if request.method != "POST":
        raise MethodNotAllowed(
            ["POST"], "This is a WebSub hub; it is spoken to by POST."
        )
    if request.content_length is None:
        raise LengthRequired("A body needs a Content-Length.")
    if (
        request.mimetype != "application/x-www-form-urlencoded"
        or "Content-Encoding" in request.headers
    ):
        raise UnsupportedMediaType(
            "The body must be application/x-www-form-urlencoded."
        )
    request.max_content_length = _MOST_BYTES


def _single_param(name: str) -> str:
    """A parameter's value, or nothing; names that are not known here are ignored."""
    values = request.form.getlist(name)
    if len(values) > 1:
        raise BadRequest(f"{name} is given twice.")
    return values[0] if values else ""


def _lease(text: str) -> int:
    if text and not (text.isascii() and text.isdecimal()):
        raise BadRequest("hub.lease_seconds must be a whole number of seconds.")
    return min(max(int(text[:12]), SHORTEST), LONGEST) if text else LONGEST


def _origin(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").rstrip("."), parts.port or {"http": 80, "https": 443}[
        parts.scheme
    ]


def _plain(text: str, status: int) -> Response:
    text = " ".join(text.split()) + "\n"
    return Response(
        text, status, mimetype="text/plain", headers={"Cache-Control": "no-store"}
    )
