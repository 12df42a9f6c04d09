"""The hosts whose frames may stand in an entry, and what these may do there."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

EMBEDS = {
    "www.youtube.com": ("/embed", "/embed/"),
    "www.youtube-nocookie.com": ("/embed", "/embed/"),
    "player.vimeo.com": ("/video/",),
    "www.google.com": ("/maps/",),
    "www.openstreetmap.org": ("/export/embed.html",),
    "w.soundcloud.com": ("/player/",),
}
"""The paths that each host documents for embedding; one that ends with a slash stands for all below it."""

SANDBOX = "allow-popups allow-popups-to-escape-sandbox allow-presentation allow-same-origin allow-scripts"
"""Let frames play and open their site in a new tab, but not navigate the page around them."""


def is_embed(url: str) -> bool:
    """Return whether a valid absolute URL is one that its host documents for embedding."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.port not in (None, 443):
        return False
    segments = unquote(parts.path).replace("\\", "/").split("/")
    if {".", ".."} & set(segments):  # which browsers resolve, encoded ones too
        return False
    paths = EMBEDS.get(parts.hostname or "", ())
    return any(
        parts.path.startswith(path) if path.endswith("/") else parts.path == path
        for path in paths
    )
