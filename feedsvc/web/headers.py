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


def common_headers(status: int) -> list[tuple[str, str]]:
    """Return the headers of every response with a status."""
    # Caches do not update headers of a body from a 304 (RFC 9111 §3.2).
    return [] if status == 304 else [("X-Content-Type-Options", "nosniff")]


def add_common_headers(response: Response) -> Response:
    """Add the headers of every response."""
    response.headers.update(common_headers(response.status_code))
    return response
