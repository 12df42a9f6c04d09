"""The body of an entry as HTML: the same in every format."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape
from urllib.parse import unquote

from feedsvc.formats import labels
from feedsvc.formats.phrases import format_size, page_strings, translate
from feedsvc.models import Attachment, Entry, Feed, Image, Site

_IMAGE_URL = re.compile(r'<img[^>]* src="([^"]*)"')
_LAST_PARAGRAPH = re.compile(r"<p(?: [^>]*)?>((?:(?!<p[ >]).)*)</p>\s*$", re.DOTALL)
_FRAME = re.compile(r'<iframe[^>]* src="([^"]*)"[^>]*></iframe>')
_TAG = re.compile(r"<[^>]*>")
_BLOCK_END = re.compile(r"</(?:p|div|h[1-6]|[uod]l|figure|blockquote|pre|table)>\s*")
_LINE_END = re.compile(r"<(?:br|/li|/tr|/d[td])>\s*")


def content_html(entry: Entry, site: Site) -> str:
    """A notice, an event's date and place, the picture, the content, and who is credited for it."""
    said = (labels.notice(entry, site.language), labels.event_line(entry, site))
    parts = [
        f"<p><strong>{escape(line, quote=False)}</strong></p>" for line in said if line
    ]
    image = lead_image(entry)
    parts.append(_figure(image, site.language) if image else "")
    parts += [raw_content(entry), source_credit(entry, site.language)]
    return "\n".join(part for part in parts if part)


def feed_body(entry: Entry, feed: Feed) -> str:
    """Return the body of an entry in a feed, which is empty where it has the summary alone."""
    return (
        ""
        if labels.is_summary(entry, feed)
        else iframes_to_links(content_html(entry, feed.site))
    )


def attachment_list(files: Iterable[Attachment], language: str) -> str:
    """Return attachments as an HTML list of links with titles and sizes, or nothing where there are none."""
    items = "".join(f"<li>{_attachment_link(file, language)}</li>\n" for file in files)
    return (
        f"<p>{page_strings(language)['attachments']}:</p>\n<ul>\n{items}</ul>"
        if items
        else ""
    )


def _attachment_link(file: Attachment, language: str) -> str:
    name = file.title or unquote(file.url.rstrip("/").rpartition("/")[2]) or file.url
    length = f" ({format_size(file.length, language)})" if file.length else ""
    return f'<a href="{escape(file.url)}">{escape(name, quote=False)}</a>{length}'


def raw_content(entry: Entry) -> str:
    """What was posted as the body."""
    return entry.content_html or _paragraphs(entry.content_text or "")


def lead_image(entry: Entry) -> Image | None:
    """The picture that stands at the head of the body, unless the content has it."""
    image = entry.image
    return (
        image
        if image
        and image.url not in map(unescape, _IMAGE_URL.findall(raw_content(entry)))
        else None
    )


def iframes_to_links(html: str) -> str:
    """A body with links in place of what it frames: most readers drop frames, and validators warn of them."""
    return _FRAME.sub(r'<a href="\1">\1</a>', html)


def plain_text(entry: Entry, site: Site) -> str:
    """The same as plain text, without date, place and picture; the summary where there is no content."""
    parts = (
        labels.notice(entry, site.language),
        _text(raw_content(entry)) or entry.summary,
    )
    return "\n\n".join(
        part for part in (*parts, _text(source_credit(entry, site.language))) if part
    )


def _text(html: str) -> str:
    """A body without its tags, its paragraphs apart."""
    broken = _LINE_END.sub("\n", _BLOCK_END.sub("\n\n", html))
    return re.sub("\n{3,}", "\n\n", unescape(_TAG.sub("", broken))).strip()


def _paragraphs(text: str) -> str:
    """Plain text as HTML: an empty line parts paragraphs, any other line end is kept."""
    blocks = re.split(r"\n\s*\n", text.strip()) if text.strip() else []
    return "\n".join(
        "<p>" + escape(block, quote=False).replace("\n", "<br>") + "</p>"
        for block in blocks
    )


def _figure(image: Image, language: str) -> str:
    sides = (("width", image.width), ("height", image.height))
    size = "".join(f' {name}="{value}"' for name, value in sides if value)
    credit = (
        image.credit
        and f"<small>{escape(translate(language, 'photo', image.credit))}</small>"
    )
    caption = " ".join(
        part for part in (escape(image.caption or "", quote=False), credit) if part
    )
    return (
        f'<figure><img src="{escape(image.url)}" alt="{escape(image.alt or image.caption or "")}"{size}>'
        + (f"<figcaption>{caption}</figcaption>" if caption else "")
        + "</figure>"
    )


def source_credit(entry: Entry, language: str) -> str:
    """Where the entry first appeared, unless the last paragraph already is that name."""
    if entry.source is None:
        return ""
    name = entry.source.name
    last = _LAST_PARAGRAPH.search(raw_content(entry))
    if last and unescape(_TAG.sub("", last[1])).strip().removesuffix(
        "."
    ) == name.removesuffix("."):
        return ""
    linked = escape(name, quote=False)
    if entry.source.url:
        linked = f'<a href="{escape(entry.source.url)}">{linked}</a>'
    return f"<p>{translate(language, 'source', linked)}</p>"
