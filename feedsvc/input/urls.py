"""Check that URLs are absolute, http(s) and safe to publish in any format."""

import re
from urllib.parse import quote, urlsplit

from feedsvc.input import plain_text

MAX_LENGTH = 2048

# White space, controls, controls of the writing direction, and the characters that
# delimit URLs in text and markup (RFC 3986 appendix C). marshmallow's Url lets all
# of them through.
_INVALID_CHARS = (
    r'\x00-\x20\x7f-\xa0<>"\\^`{|}\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f'
    r"\u3000\ufeff\ufdd0-\ufdef\ufffd-\uffff"
)
_INVALID = re.compile(f"[{_INVALID_CHARS}]|%(?![0-9A-Fa-f]{{2}})")
_HOST = rf"(?:[^{_INVALID_CHARS}/?#@:\[\]%]+|\[[0-9A-Fa-f:.]+\])"
_PATH = rf"(?:[/?#](?:[^{_INVALID_CHARS}%]|%[0-9A-Fa-f]{{2}})*)?"
_URL = re.compile(rf"[Hh][Tt][Tt][Pp][Ss]?://{_HOST}(?::[0-9]{{0,5}})?{_PATH}")


def validate_url(url: str) -> str:
    """Return the URL, unchanged: its bytes must not be normalized.

    :raises ValueError: it is not an absolute http(s) URL, or not safe to publish.
    """
    if len(url) > MAX_LENGTH:
        raise ValueError(f"Longer than {MAX_LENGTH} characters.")
    plain_text.check(url)
    if invalid := _INVALID.search(url):
        raise ValueError(_describe_invalid_char(invalid[0]))
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("Not a valid URL.") from None
    if parts.scheme not in ("http", "https"):
        raise ValueError("Not an absolute http:// or https:// URL.")
    if "@" in parts.netloc:
        raise ValueError("Must not contain a user name or password.")
    if port == 0 or not _URL.fullmatch(url):
        raise ValueError("Not a valid URL.")
    return url


def _describe_invalid_char(char: str) -> str:
    """Return an error message that says how to write the character."""
    if char == "%":
        return "Contains a % without a percent-encoding such as %20; write it as %25."
    name = "a space" if char == " " else f"the character U+{ord(char):04X}"
    return f"Contains {name}; write it as {quote(char)}."
