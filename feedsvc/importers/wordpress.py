"""Media library and shortcodes of a WordPress export (WXR)."""

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
# Possessive quantifiers (++, *+) keep a long run of letters from taking quadratic time.
_ATTRIBUTE = re.compile(
    r"""(?<![\w-])([\w-]++)\s*+=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+))"""
)
_PICTURE = re.compile(r"\s*(?:<a\b[^>]*>\s*)?<img\b[^>]*>(?:\s*</a>)?")
_PARAGRAPH_OF_MEDIA = re.compile(
    r"<p>\s*(<(figure|audio|video)\b(?:(?!</?p\b).)*</\2>)\s*</p>", re.DOTALL
)
_PLAYER_SOURCES = {
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

    def to_image(self) -> dict[str, str]:
        """Return the medium as the API's `image`."""
        fields = {"url": self.url, "alt": self.alt, "caption": self.caption}
        return {name: value for name, value in fields.items() if value}

    def to_figure(self) -> str:
        """Return the medium as an HTML figure."""
        image = f'<img src="{escape(self.url)}" alt="{escape(self.alt)}">'
        caption = ""
        if self.caption:
            caption = f"<figcaption>{escape(self.caption, quote=False)}</figcaption>"
        return f"<figure>{image}{caption}</figure>"


class Library:
    """The media of an export by post id, and the pictures that posts ask in vain."""

    def __init__(self, data: bytes) -> None:
        """Read the attachments of an export; of any other feed, nothing."""
        self._media: dict[str, Medium] = {}
        self._uploads: dict[str, list[str]] = defaultdict(list)
        self._featured: dict[str, str] = {}
        self._missing = 0
        self._unknown: Counter[str] = Counter()
        # The first element declares the namespace of exports.
        if b"/wordpress.org/export/" in data[:10_000]:
            self._load(data)

    def featured_image(self, post_id: str) -> dict[str, str] | None:
        """Return the featured picture of a post as the API's `image`."""
        medium_id = self._featured.get(post_id)
        if medium_id is None:
            return None
        medium = self._find(medium_id)
        return medium.to_image() if medium else None

    def expand(self, text: str, post_id: str) -> str:
        """Replace WordPress's own shortcodes by HTML; leave others as they are."""
        tags = list(_SHORTCODE.finditer(text))
        closing_tags = _closing_tags(tags)
        parts: list[str] = []
        position = 0
        for tag, closing_tag in zip(tags, closing_tags, strict=True):
            # Inside of a shortcode that was replaced.
            if tag.start() < position:
                continue
            if tag["close"] or _is_escaped(text, tag):
                continue
            content = text[tag.end() : closing_tag.start()] if closing_tag else None
            markup = self._to_html(tag, content, post_id)
            if markup is None:
                continue
            # Empty lines separate it from text, which becomes paragraphs.
            parts += [text[position : tag.start()], f"\n\n{markup}\n\n"]
            position = (closing_tag or tag).end()
        parts.append(text[position:])
        # Old posts wrap a shortcode in a paragraph, which may contain no figure.
        return _PARAGRAPH_OF_MEDIA.sub(r"\1", "".join(parts))

    def warnings(self) -> Iterator[str]:
        """Yield what could not be imported, summed up for the whole file."""
        if self._missing:
            yield (
                f"Pictures that are not in the file: {self._missing}. "
                "Export all content to include them."
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
            # The file is not trusted: it must not make the import read other files.
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
        )
        # A damaged file keeps the media before the damage.
        with suppress(etree.XMLSyntaxError):
            for _, item in items:
                self._add(item)
                # Exports may be large, and lxml would keep each element.
                item.clear()

    def _add(self, item: Any) -> None:
        post_id = _text(item, "post_id")
        meta = {
            _text(element, "meta_key"): _text(element, "meta_value")
            for element in item.findall("{*}postmeta")
        }
        featured = meta.get("_thumbnail_id")
        if featured:
            self._featured[post_id] = featured
        url = _text(item, "attachment_url")
        if url:
            alt = meta.get("_wp_attachment_image_alt", "")
            self._media[post_id] = Medium(url, alt, _caption(item))
            self._uploads[_text(item, "post_parent")].append(post_id)

    def _find(self, medium_id: str) -> Medium | None:
        medium = self._media.get(medium_id)
        if medium is None:
            self._missing += 1
        return medium

    def _to_html(
        self, tag: re.Match[str], content: str | None, post_id: str
    ) -> str | None:
        """Return the HTML of a shortcode, or None for an unknown one.

        :param content: the text up to the closing tag, or None without one.
        """
        name = tag["name"]
        attributes = {
            key: unescape(double or single or bare)
            for key, double, single, bare in _ATTRIBUTE.findall(tag["attributes"])
        }
        if name in _CAPTIONS:
            return _captioned_figure(content or "", attributes.get("caption", ""))
        if name == "gallery":
            return self._gallery(attributes, post_id)
        if name == "embed":
            url = unescape((content or "").strip())
            return f"<p>{_link(url, url)}</p>" if url else None
        if name in _PLAYER_SOURCES:
            return _player(name, attributes)
        # Without attributes and content it is rather text in brackets: [sic].
        if attributes or content is not None:
            self._unknown[name] += 1
        return None

    def _gallery(self, attributes: Mapping[str, str], post_id: str) -> str:
        """Return the pictures of a gallery; without ids, all uploads of the post."""
        listed = attributes.get("ids") or attributes.get("include")
        ids = self._uploads.get(post_id, [])
        if listed:
            ids = re.findall(r"\d+", listed)
        if not ids:
            self._missing += 1
        media = map(self._find, ids)
        return "\n".join(medium.to_figure() for medium in media if medium)


def _text(item: Any, name: str) -> str:
    """Return the text of an element in any version of WordPress's namespace."""
    return str(item.findtext(f"{{*}}{name}") or "").strip()


def _caption(item: Any) -> str:
    """Return the caption of an attachment, which is its excerpt."""
    excerpts = (
        child.text or ""
        for child in item
        if str(child.tag).endswith("/excerpt/}encoded")
    )
    return sanitize.to_plain_text("".join(excerpts))


def _is_escaped(text: str, tag: re.Match[str]) -> bool:
    """Return whether a post shows the shortcode itself: [[gallery]]."""
    before = text[tag.start() - 1 : tag.start()]
    after = text[tag.end() : tag.end() + 1]
    return before == "[" and after == "]"


def _closing_tags(tags: list[re.Match[str]]) -> list[re.Match[str] | None]:
    """Return for each shortcode its closing tag, or None.

    A closing tag belongs to the last opening tag of its name before it. Walking
    backwards takes linear time, also for thousands of tags that are not closed.
    """
    next_of_name: dict[str, re.Match[str]] = {}
    closing_tags: list[re.Match[str] | None] = []
    for tag in reversed(tags):
        following = next_of_name.get(tag["name"])
        is_pair = following and following["close"] and not tag["close"]
        closing_tags.append(following if is_pair else None)
        next_of_name[tag["name"]] = tag
    return closing_tags[::-1]


def _captioned_figure(content: str, caption: str) -> str:
    """Return a figure of a picture and the caption behind it.

    :param caption: the attribute, which has the caption in old posts.
    """
    picture = _PICTURE.match(content)
    if picture is None:
        return content
    caption = content[picture.end() :].strip() or escape(caption, quote=False)
    # Empty lines separate paragraphs, which would split the figure.
    caption = re.sub(r"\n\s*\n", "<br>", caption)
    return f"<figure>{picture[0].strip()}<figcaption>{caption}</figcaption></figure>"


def _player(name: str, attributes: Mapping[str, str]) -> str | None:
    """Return an audio or video element, with a link for readers without a player."""
    sources = filter(None, map(attributes.get, _PLAYER_SOURCES[name]))
    url = next(sources, None)
    if url is None:
        return None
    extra = ""
    if name == "video":
        for key in ("poster", "width", "height"):
            if attributes.get(key):
                extra += f' {key}="{escape(attributes[key])}"'
    link = _link(url, unquote(url.rpartition("/")[2]) or url)
    return f'<{name} controls src="{escape(url)}"{extra}>{link}</{name}>'


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}">{escape(text, quote=False)}</a>'
