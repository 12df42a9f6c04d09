"""Iframes in entries: the hosts that they may show, and their sandbox.

A module of its own: the sanitizer and the Content-Security-Policy depend on it.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

#: The paths that each host documents for embeds; with a final slash, all below it.
EMBEDS = {
    "www.youtube.com": ("/embed", "/embed/"),
    "www.youtube-nocookie.com": ("/embed", "/embed/"),
    "player.vimeo.com": ("/video/",),
    "www.google.com": ("/maps/",),
    "www.openstreetmap.org": ("/export/embed.html",),
    "w.soundcloud.com": ("/player/",),
}

#: Embeds may play and open their site in a new tab, but not navigate the page.
SANDBOX = (
    "allow-popups allow-popups-to-escape-sandbox allow-presentation allow-same-origin "
    "allow-scripts"
)


def is_embed(url: str) -> bool:
    """Tell if a valid absolute URL is one that its host documents for embeds."""
    parts = urlsplit(url)
    if parts.scheme != "https" or parts.port not in (None, 443):
        return False
    segments = unquote(parts.path).replace("\\", "/").split("/")
    if {".", ".."} & set(segments):
        # Browsers resolve them, encoded ones too, and load another path.
        return False
    paths = EMBEDS.get(parts.hostname or "", ())
    return any(
        parts.path.startswith(path)
        if path.endswith("/")
        else parts.path == path
        for path in paths
    )
