"""HTML in feeds."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

import html5lib

_UNSAFE_TAGS = set(
    "applet base body embed frame frameset head html iframe link meta noscript object "
    "param script style svg math title xmp".split()
)
_ADDRESSES = ("href", "src", "poster", "cite", "srcset")


def looks_like_html(value: str) -> bool:
    """Tell if plain text has an end tag or a character reference."""
    return bool(re.search("</[a-z]", value)) or unescape(value) != value


def check_body(body: str) -> Iterator[str]:
    """Check the HTML of a body: valid, safe, with absolute URLs."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=False)
    fragment = parser.parseFragment(body)
    for _, error, _ in parser.errors:
        yield f"has HTML with errors: {error}"
    for element in fragment.iter():
        if element.tag in _UNSAFE_TAGS:
            yield f"has a tag that readers consider unsafe: {element.tag}"
        for key, value in element.attrib.items():
            if key == "style" or key.startswith("on"):
                yield f"has an attribute that readers consider unsafe: {key}"
            if key in _ADDRESSES and not urlsplit(value).scheme:
                yield f"has a relative URL: {value}"
