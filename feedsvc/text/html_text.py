"""The text of HTML as the sanitizer writes it: `<` and `>` are those of tags alone.

A module of its own: the sanitizer, the search and formats depend on it.
"""

import re
from html import unescape

# A word may be in several of them: <b>Hà</b>ng.
_INLINE_TAGS = (
    "a abbr b bdi cite code del dfn em i ins kbd mark q s samp small span strong sub "
    "sup u var"
)
_BLOCK_TAG = re.compile(rf"<(?!/?(?:{_INLINE_TAGS.replace(' ', '|')})\b)")

TAG = re.compile("<[^<>]*>")


def has_blocks(html: str) -> bool:
    """Tell if HTML has line breaks or other tags that divide lines."""
    return _BLOCK_TAG.search(html) is not None


def separate_blocks(html: str) -> str:
    """Return HTML with a space before each tag at which a word ends."""
    return _BLOCK_TAG.sub(" <", html)


def strip_tags(html: str) -> str:
    """Return the characters between the tags of HTML."""
    return unescape(TAG.sub("", html))


def truncate(text: str, length: int) -> str:
    """Return at most `length` characters, cut between words, with an ellipsis."""
    if len(text) <= length:
        return text
    return re.sub(r"\s+\S*$", "", text[: length - 1]).rstrip(" ,;:.–-") + "…"
