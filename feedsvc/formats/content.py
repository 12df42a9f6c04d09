"""The body of an entry as HTML or plain text, the same in every format."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape, unescape
from urllib.parse import unquote

from feedsvc.feeds.feed import Feed
from feedsvc.formats import labels
from feedsvc.formats.common import iri_to_uri
from feedsvc.models import Attachment, Entry, Image, Person, Site

# Regular expressions are enough for HTML that the sanitizer wrote: tags in lower case,
# attributes quoted, "<" escaped everywhere else.
_IMAGE_URL = re.compile(r'<img[^>]* src="([^"]*)"')
_LAST_PARAGRAPH = re.compile(r"<p(?: [^>]*)?>(.*)</p>\s*$", re.DOTALL)
_IFRAME = re.compile(r'<iframe[^>]* src="([^"]*)"[^>]*></iframe>')
_TAG = re.compile(r"<[^>]*>")
_LINK = re.compile(
    r'<a [^>]*?href="(?:(?i:mailto|tel):)?([^"]*)"[^>]*>(.*?)</a>', re.DOTALL
)
_LIST_ITEM = re.compile(r"<li(?: [^>]*)?>\s*")
_HEADING_TAG = re.compile(r"(</?h)([1-6])\b")
_BLOCK_END = re.compile(
    r"</(?:p|div|h[1-6]|[uod]l|figure|blockquote|pre|table)>\s*"
)
_LINE_END = re.compile(r"<(?:br|/li|/tr|/d[td])>\s*")


def content_html(entry: Entry, site: Site) -> str:
    """Return the body as HTML, with all that readers may show nowhere else.

    Before it are the notice, the time of an event and the image; after it are further
    facts of an event and the source. Instead of a body that is empty it has the
    summary: most readers show the one or the other.
    """
    parts = []
    for line in (
        labels.notice_text(entry, site.language),
        labels.event_line(entry, site),
    ):
        if line:
            parts.append(
                f"<p><strong>{escape(line, quote=False)}</strong></p>"
            )
    image = lead_image(entry)
    if image:
        parts.append(_figure(image, site.language))
    parts += (
        raw_content(entry) or _paragraphs(entry.summary),
        event_facts(entry, site.language),
        source_credit(entry, site.language),
    )
    return "\n".join(filter(None, parts))


def feed_body(entry: Entry, feed: Feed) -> str:
    """Return the body of an entry in a feed; empty if the feed has summaries."""
    if feed.is_summary:
        return ""
    return iframes_to_links(content_html(entry, feed.site))


def attachment_list(files: Sequence[Attachment], language: str) -> str:
    """Return an HTML list of links with titles and sizes; empty without attachments."""
    if not files:
        return ""
    items = "".join(
        f"<li>{_attachment_link(file, language)}</li>\n" for file in files
    )
    title = labels.translate(language, "entry.attachments")
    return f"<p>{title}:</p>\n<ul>\n{items}</ul>"


def attachment_name(file: Attachment) -> str:
    """Return the title of an attachment, or else the name of its file."""
    return (
        file.title
        or unquote(file.url.rstrip("/").rpartition("/")[2])
        or file.url
    )


def _attachment_link(file: Attachment, language: str) -> str:
    size = (
        f" ({labels.format_size(file.length, language)})"
        if file.length
        else ""
    )
    return _link(attachment_name(file), file.url) + size


def raw_content(entry: Entry) -> str:
    """Return the body as HTML, without additions."""
    return entry.content_html or _paragraphs(entry.content_text or "")


def shift_headings(html: str, level: int) -> str:
    """Return HTML with its headings below a level of the page, without gaps (WCAG)."""
    levels = sorted({tag[2] for tag in _HEADING_TAG.finditer(html)})

    def shifted(tag: re.Match[str]) -> str:
        return f"{tag[1]}{min(6, level + 1 + levels.index(tag[2]))}"

    return _HEADING_TAG.sub(shifted, html)


def lead_text(entry: Entry) -> str:
    """Return the summary to show above the body, unless the body begins with it."""
    # Compared without spaces: the text from which the API derives a summary has them
    # at other tags than this one.
    summary = "".join(entry.summary.rstrip("…").split())
    text = "".join(_to_text(raw_content(entry)).split())
    return "" if text.startswith(summary) else entry.summary


def lead_image(entry: Entry) -> Image | None:
    """Return the image to show above the body, unless the body contains it."""
    if entry.image is None:
        return None
    urls = map(unescape, _IMAGE_URL.findall(raw_content(entry)))
    return None if entry.image.url in urls else entry.image


def iframes_to_links(html: str) -> str:
    """Replace iframes by links: most readers drop them, and validators warn of them."""
    return _IFRAME.sub(r'<a href="\1">\1</a>', html)


def plain_text(entry: Entry, site: Site) -> str:
    """Return the body as plain text with the addresses of its links, for calendars.

    It has the notice, tickets, performers, the organizer, the source and the address of
    the entry's page; time, place and image have their own properties. An entry without
    a body has its summary.
    """
    language = site.language
    facts = event_facts(entry, language, with_organizer=True)
    parts = (
        labels.notice_text(entry, language),
        _to_addressed_text(raw_content(entry)) or entry.summary,
        _to_addressed_text(facts),
        _to_addressed_text(source_credit(entry, language)),
        # Google shows no URL but those in the text.
        iri_to_uri(site.entry_url(entry)),
    )
    return "\n\n".join(part for part in parts if part)


def _to_addressed_text(html: str) -> str:
    """Return HTML as text, with the addresses of links and the marks of lists."""
    linked = _LINK.sub(_write_out, iframes_to_links(html))
    return _to_text(_LIST_ITEM.sub("\n- ", linked))


def _write_out(link: re.Match[str]) -> str:
    """Return the content of a link, and its address if that is not the same."""
    address, content = link[1], link[2]
    if unescape(_TAG.sub("", content)).strip() == unescape(address):
        return content
    words = content.rstrip()
    space = content[len(words) :]
    return f"{words} ({address}){space}"


def event_facts(
    entry: Entry, language: str, *, with_organizer: bool = False
) -> str:
    """Return paragraphs with an event's address online, performers and offers."""
    event = entry.event
    if event is None:
        return ""
    online = (
        [_link(event.online_url, event.online_url)] if event.online_url else []
    )
    performers = [_link(each.name, each.url) for each in event.performers]
    offers = [
        _link(labels.offer_text(offer, language), offer.url)
        for offer in event.offers
    ]
    facts = {"online": online, "performers": performers, "offers": offers}
    if with_organizer and event.organizer:
        facts["organizer"] = _contact(event.organizer)
    return "\n".join(
        f"<p>{labels.translate(language, f'event.{name}')}: {'; '.join(values)}</p>"
        for name, values in facts.items()
        if values
    )


def _contact(person: Person) -> list[str]:
    """Return links to the page and the e-mail address of a person."""
    links = [_link(person.name, person.url)]
    if person.email:
        links.append(_link(person.email, f"mailto:{person.email}"))
    return links


def _link(text: str, url: str | None) -> str:
    text = escape(text, quote=False)
    return f'<a href="{escape(url)}">{text}</a>' if url else text


def source_credit(entry: Entry, language: str) -> str:
    """Return a paragraph that names the source, unless the body ends with its name."""
    if entry.source is None:
        return ""
    name = entry.source.name
    html = raw_content(entry)
    # A search from the start would try each paragraph.
    begin = max(html.rfind("<p>"), html.rfind("<p "))
    last_paragraph = _LAST_PARAGRAPH.match(html, begin)
    if last_paragraph:
        text = unescape(_TAG.sub("", last_paragraph[1])).strip()
        if text.removesuffix(".") == name.removesuffix("."):
            return ""
    source = _link(name, entry.source.url)
    return f"<p>{labels.translate(language, 'entry.source', source)}</p>"


def _to_text(html: str) -> str:
    """Return HTML without tags, with an empty line between paragraphs."""
    text = _BLOCK_END.sub("\n\n", _LINE_END.sub("\n", html))
    return re.sub("\n{3,}", "\n\n", unescape(_TAG.sub("", text))).strip()


def _paragraphs(text: str) -> str:
    """Return plain text as HTML: an empty line separates paragraphs."""
    if not text.strip():
        return ""
    blocks = re.split(r"\n\s*\n", text.strip())
    return "\n".join(
        "<p>" + escape(block, quote=False).replace("\n", "<br>") + "</p>"
        for block in blocks
    )


def _figure(image: Image, language: str) -> str:
    alt = escape(image.alt or image.caption or "")
    parts = [f'<figure><img src="{escape(image.url)}" alt="{alt}"']
    if image.width:
        parts.append(f' width="{image.width}"')
    if image.height:
        parts.append(f' height="{image.height}"')
    parts.append(">")
    caption = [escape(image.caption, quote=False)] if image.caption else []
    if image.credit:
        credit = labels.translate(language, "entry.photo", image.credit)
        caption.append(f"<small>{escape(credit)}</small>")
    if caption:
        parts.append(f"<figcaption>{' '.join(caption)}</figcaption>")
    parts.append("</figure>")
    return "".join(parts)
