"""URLs that are safe to hand on: http(s) only, and nothing in them that breaks out of where they stand."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from feedsvc.api import text

MAX_LENGTH = 2048

# White space, controls, bidi controls and what delimits URLs in text and markup (RFC 3986 appendix C).
_UNFIT = (
    r'\x00-\x20\x7f-\xa0<>"\\^`{|}\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff'
    r"\ufdd0-\ufdef\ufffd-\uffff"
)
_FORBIDDEN = re.compile(f"[{_UNFIT}]|%(?![0-9A-Fa-f]{{2}})")
_HOST = rf"(?:[^{_UNFIT}/?#@:\[\]%]+|\[[0-9A-Fa-f:.]+\])"
PATTERN = rf"^[Hh][Tt][Tt][Pp][Ss]?://{_HOST}(?::[0-9]{{0,5}})?(?:[/?#](?:[^{_UNFIT}%]|%[0-9A-Fa-f]{{2}})*)?$"
_WHOLE = re.compile(PATTERN)


def validate_url(url: str) -> str:
    """The URL itself, unchanged.

    :raises ValueError: it is no absolute http(s) URL that is fit to publish.
    """
    if len(url) > MAX_LENGTH:
        raise ValueError(f"Longer than {MAX_LENGTH} characters.")
    text.normalize(
        url
    )  # for what it refuses; the bytes of a URL are nobody's to normalise
    if bad := _FORBIDDEN.search(url):
        raise ValueError(_how_to_mend(bad[0]))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("Not a valid URL.") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("Not an absolute http:// or https:// URL.")
    if "@" in parts.netloc:
        raise ValueError("A URL with a user name or password is not published.")
    if port == 0 or not _WHOLE.fullmatch(url):
        raise ValueError("Not a valid URL.")
    return url


def _how_to_mend(bad: str) -> str:
    """Return what is wrong with a part of a URL that cannot stand in one, and how to write it."""
    if bad == "%":
        return (
            "Contains a % that begins no percent-encoding such as %20; write it as %25."
        )
    name = "a space" if bad == " " else f"the character U+{ord(bad):04X}"
    return f"Contains {name}, which a URL cannot have; write it as {quote(bad)}."
