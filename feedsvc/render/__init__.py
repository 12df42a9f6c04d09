"""A feed → bytes, pure: same in, same out. One file a format, and one line for it here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from feedsvc.model import Feed
from feedsvc.render import atom, rss


@dataclass(frozen=True)
class Format:
    """A format: its media type, its name for people, and its renderer."""

    media_type: str
    label: str
    render: Callable[[Feed], bytes]


FORMATS = {
    "rss": Format(rss.MEDIA_TYPE, "RSS", rss.render),
    "atom": Format(atom.MEDIA_TYPE, "Atom", atom.render),
}
