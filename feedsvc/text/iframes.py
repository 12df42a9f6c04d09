"""Iframes in entries: the hosts that they may show, their sandbox, links instead.

A module of its own: the sanitizer, the security policy and formats depend on it.
"""

import re
from collections.abc import Callable
from html import escape, unescape
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

_IFRAME = re.compile(r"<iframe([^>]*)></iframe>(?=(\s*</p>)?)")
_ATTRIBUTE = re.compile(r' (src|title)="([^"]*)"')
_PARAGRAPH = re.compile(r"<p(?: [^>]*)?>.*?</p>", re.DOTALL)


def iframes_to_links(
    html: str, is_kept: Callable[[str], bool] = lambda url: False
) -> str:
    """Replace empty iframes by links with their titles, and drop those without source.

    Each link is a paragraph, or within one a line.

    :param html: as the sanitizer writes it.
    :param is_kept: tells by its URL if an iframe stays.
    """

    def to_link(iframe: re.Match[str], pattern: str) -> str:
        attributes = {
            name: unescape(value) for name, value in _ATTRIBUTE.findall(iframe[1])
        }
        url = attributes.get("src")
        if url is None:
            return ""
        if is_kept(url):
            return iframe[0]
        text = escape(attributes.get("title") or url, quote=False)
        return pattern.format(f'<a href="{escape(url)}">{text}</a>')

    def to_line(iframe: re.Match[str]) -> str:
        return to_link(iframe, "{}" if iframe[2] else "{}<br>")

    lines = _PARAGRAPH.sub(lambda text: _IFRAME.sub(to_line, text[0]), html)
    return _IFRAME.sub(lambda iframe: to_link(iframe, "<p>{}</p>"), lines)


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
        parts.path.startswith(path) if path.endswith("/") else parts.path == path
        for path in paths
    )
