"""Headers that every answer has, errors too, for the safety of who reads it."""

from __future__ import annotations

from flask import Response


def forbid_sniffing(response: Response) -> Response:
    """Tell browsers to believe the media type; a 304 leaves it out, since caches update no such header."""
    if response.status_code != 304:
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response
