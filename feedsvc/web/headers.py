"""Headers for the safety of browsers."""

from __future__ import annotations

from flask import Response

from feedsvc.embeds import EMBEDS

# Entries may show images, sound and film from any host, and players from the hosts that
# the sanitizer allows. `connect-src` is for Lighthouse, which reads robots.txt from
# within the page.
LIST_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; "
    "img-src https: http:; media-src https: http:; "
    f"frame-src {' '.join(f'https://{host}' for host in EMBEDS)}; "
    "form-action 'self'; base-uri 'none'"
)
"""The Content-Security-Policy of lists, which other sites may show in a frame."""

HTML_SECURITY_HEADERS = {
    "Content-Security-Policy": f"{LIST_POLICY}; frame-ancestors 'none'",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}


def add_nosniff(response: Response) -> Response:
    """Add the header that forbids browsers to guess the media type."""
    # Caches do not update it from a 304 (RFC 9111 §3.2).
    if response.status_code != 304:
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response
