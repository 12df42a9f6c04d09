"""WordPress's export (WXR): the media of a file, and the shortcodes of its posts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import escape, unescape
from io import BytesIO
from typing import Any
from urllib.parse import unquote

from lxml import etree

from feedsvc.api import sanitize

_SHORTCODE = re.compile(
    r"\[(?P<close>/?)(?P<name>[a-z][a-z0-9_-]*)(?P<attributes>(?:\s[^\[\]]*)?)\]"
)
_ATTRIBUTE = re.compile(
    r"""(?<![\w-])([\w-]++)\s*+=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+))"""
)
_PICTURE = re.compile(r"\s*(?:<a\b[^>]*>\s*)?<img\b[^>]*>(?:\s*</a>)?")
_ONLY_MEDIA = re.compile(
    r"<p>\s*(<(figure|audio|video)\b(?:(?!</?p\b).)*</\2>)\s*</p>", re.DOTALL
)
_FILES = {
    "audio": ("src", "mp3", "m4a", "ogg", "wav", "wma"),
    "video": ("src", "mp4", "m4v", "webm", "ogv", "wmv", "flv"),
}
_CAPTIONS = ("caption", "wp_caption")
_MAX_REPORTED = 10


@dataclass(frozen=True)
class Medium:
    """A file of the media library."""

    url: str
    alt: str
    caption: str

    @property
    def image(self) -> dict[str, str]:
        """Return the medium as the API's `image`."""
        members = {"url": self.url, "alt": self.alt, "caption": self.caption}
        return {name: value for name, value in members.items() if value}

    @property
    def figure(self) -> str:
        """Return the medium as an HTML figure."""
        caption = (
            f"<figcaption>{escape(self.caption, quote=False)}</figcaption>"
            if self.caption
            else ""
        )
        return f'<figure><img src="{escape(self.url)}" alt="{escape(self.alt)}">{caption}</figure>'


class Library:
    """The media of an export by the ids of their items, and what posts could not find in it."""

    def __init__(self, data: bytes) -> None:
        self._media: dict[str, Medium] = {}
        self._children: dict[str, list[str]] = defaultdict(list)
        self._featured: dict[str, str] = {}
        self._missing = 0
        self._unknown: Counter[str] = Counter()
        if b"/wordpress.org/export/" in data[:10_000]:
            self._load(data)

    def featured_image(self, post_id: str) -> dict[str, str] | None:
        """Return the featured picture of a post, which names an attachment in `_thumbnail_id`."""
        medium_id = self._featured.get(post_id)
        if medium_id is None:
            return None
        medium = self._find(medium_id)
        return medium.image if medium else None

    def expand(self, text: str, post_id: str) -> str:
        """Return a post's text with HTML in place of WordPress's own shortcodes; others stay as they are."""
        tags = list(_SHORTCODE.finditer(text))
        ends = _ends(tags)
        parts, position = [], 0
        for tag, end in zip(tags, ends, strict=True):
            if tag.start() < position:
                continue
            if tag["close"] or _is_escaped(text, tag):
                continue
            markup = self._markup(
                tag, text[tag.end() : end.start()] if end else None, post_id
            )
            if markup is None:
                continue
            parts += [text[position : tag.start()], f"\n\n{markup}\n\n"]
            position = (end or tag).end()
        return _ONLY_MEDIA.sub(r"\1", "".join((*parts, text[position:])))

    def remarks(self) -> Iterator[str]:
        """Say what could not be taken over: once for the whole file."""
        if self._missing:
            yield (
                f"Pictures that are not in the file: {self._missing}. An export of all content has them all."
            )
        if self._unknown:
            names = ", ".join(
                f"{name} ({count})"
                for name, count in self._unknown.most_common(_MAX_REPORTED)
            )
            yield f"Unknown shortcodes stay as text: {names}."

    def _load(self, data: bytes) -> None:
        items = etree.iterparse(
            BytesIO(data),
            tag="item",
            recover=True,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
        )
        with suppress(etree.XMLSyntaxError):  # of a broken file what can be read
            for _, item in items:
                self._add(item)
                item.clear()

    def _add(self, item: Any) -> None:
        post_id = _text(item, "post_id")
        meta = {
            _text(one, "meta_key"): _text(one, "meta_value")
            for one in item.findall("{*}postmeta")
        }
        if thumbnail := meta.get("_thumbnail_id"):
            self._featured[post_id] = thumbnail
        url = _text(item, "attachment_url")
        if url:
            excerpts = (
                child.text or ""
                for child in item
                if str(child.tag).endswith("/excerpt/}encoded")
            )
            caption = sanitize.to_plain_text("".join(excerpts))
            self._media[post_id] = Medium(
                url, meta.get("_wp_attachment_image_alt", ""), caption
            )
            self._children[_text(item, "post_parent")].append(post_id)

    def _find(self, medium_id: str) -> Medium | None:
        medium = self._media.get(medium_id)
        if medium is None:
            self._missing += 1
        return medium

    def _markup(
        self, tag: re.Match[str], inner: str | None, post_id: str
    ) -> str | None:
        """Return the HTML of a shortcode, or None where it is none that is known.

        :param inner: what it encloses, or None where no shortcode closes it.
        """
        name = tag["name"]
        given = {
            key: unescape(double or single or bare)
            for key, double, single, bare in _ATTRIBUTE.findall(tag["attributes"])
        }
        if name in _CAPTIONS:
            return _captioned(inner or "", given.get("caption", ""))
        if name == "gallery":
            return self._gallery(given, post_id)
        if name == "embed":
            url = unescape((inner or "").strip())
            return f"<p>{_link(url, url)}</p>" if url else None
        if name in _FILES:
            return _player(name, given)
        if given or inner is not None:
            self._unknown[name] += 1
        return None

    def _gallery(self, given: Mapping[str, str], post_id: str) -> str:
        """Return the pictures that a gallery names, or else all that were uploaded to the post."""
        named = given.get("ids") or given.get("include")
        ids = re.findall(r"\d+", named) if named else self._children.get(post_id, [])
        if not ids:
            self._missing += 1
        media = [medium for medium_id in ids if (medium := self._find(medium_id))]
        return "\n".join(medium.figure for medium in media)


def _text(item: Any, name: str) -> str:
    """Return the text of an element of WordPress, whatever the version of its namespace."""
    return str(item.findtext(f"{{*}}{name}") or "").strip()


def _is_escaped(text: str, tag: re.Match[str]) -> bool:
    """Return whether a post shows a shortcode as it is spelled: [[gallery]]."""
    return (
        text[tag.start() - 1 : tag.start()] == "["
        and text[tag.end() : tag.end() + 1] == "]"
    )


def _ends(tags: list[re.Match[str]]) -> list[re.Match[str] | None]:
    """Return for each shortcode the one that closes it: the next of its name, if that is a closing one."""
    following: dict[str, re.Match[str]] = {}
    ends: list[re.Match[str] | None] = []
    for tag in reversed(tags):
        after = following.get(tag["name"])
        ends.append(after if after and after["close"] and not tag["close"] else None)
        following[tag["name"]] = tag
    return ends[::-1]


def _captioned(inner: str, caption: str) -> str:
    """Return a picture with its caption, which stands behind it or, in old posts, in an attribute."""
    picture = _PICTURE.match(inner)
    if picture is None:
        return inner
    caption = inner[picture.end() :].strip() or escape(caption, quote=False)
    caption = re.sub(r"\n\s*\n", "<br>", caption)
    return f"<figure>{picture[0].strip()}<figcaption>{caption}</figcaption></figure>"


def _player(name: str, given: Mapping[str, str]) -> str | None:
    """Return an audio or video element, with a link in it for readers that show none."""
    url = next((given[key] for key in _FILES[name] if given.get(key)), None)
    if url is None:
        return None
    keys = [
        key
        for key in ("poster", "width", "height")
        if name == "video" and given.get(key)
    ]
    more = "".join(f' {key}="{escape(given[key])}"' for key in keys)
    link = _link(url, unquote(url.rpartition("/")[2]) or url)
    return f'<{name} controls src="{escape(url)}"{more}>{link}</{name}>'


def _link(url: str, name: str) -> str:
    return f'<a href="{escape(url)}">{escape(name, quote=False)}</a>'
