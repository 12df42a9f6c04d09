"""Parts of the bodies of entries, as HTML and as plain text."""

import re
from collections.abc import Sequence
from decimal import Decimal
from html import escape, unescape
from urllib.parse import unquote

from babel.numbers import format_currency
from babel.units import format_unit

from feedsvc.formats.phrases import translate
from feedsvc.formats.titles import split_label
from feedsvc.models import Attachment, Event, Image, Offer, Person
from feedsvc.text.html_text import strip_tags
from feedsvc.text.languages import resolve_language

_SIZE_UNITS = ("byte", "kilobyte", "megabyte", "gigabyte")

# Regular expressions are enough for HTML that the sanitizer wrote: tags in lower case,
# attributes quoted, "<" escaped everywhere else.
_IMAGE_URL = re.compile(r'<img[^>]* src="([^"]*)"')
_LAST_PARAGRAPH = re.compile(r"<p(?: [^>]*)?>(.*)</p>\s*$", re.DOTALL)
_BLOCK_END = re.compile(r"</(?:p|div|h[1-6]|[uod]l|figure|blockquote|pre|table)>\s*")
_LINE_END = re.compile(r"<(?:br|/li|/tr|/d[td])>\s*")


def attachment_list(files: Sequence[Attachment], language: str) -> str:
    """Return an HTML list of links with titles and sizes; empty without attachments."""
    if not files:
        return ""
    items = "".join(f"<li>{_attachment_link(file, language)}</li>\n" for file in files)
    title = translate(language, "entry.attachments")
    label = translate(language, "punctuation.label", title, "").rstrip()
    return f"<p>{label}</p>\n<ul>\n{items}</ul>"


def attachment_name(file: Attachment) -> str:
    """Return the title of an attachment, or else the name of its file."""
    return file.title or unquote(file.url.rstrip("/").rpartition("/")[2]) or file.url


def format_size(length: int, language: str) -> str:
    """Return a number of bytes, such as 1.2 MB."""
    power = min((len(str(length)) - 1) // 3, len(_SIZE_UNITS) - 1)
    size = round(length / 1000**power, 1)
    return format_unit(
        size,
        _SIZE_UNITS[power],
        "short",
        locale=resolve_language(language),
    )


def _attachment_link(file: Attachment, language: str) -> str:
    link = _link(attachment_name(file), file.url)
    if not file.length:
        return link
    size = format_size(file.length, language)
    return translate(language, "punctuation.in_brackets", link, size)


def lead_text(summary: str, html: str) -> str:
    """Return the summary to show above the content, unless that begins with it."""
    # Compared without spaces: the text from which the API derives a summary has them
    # at other tags than this one.
    start = "".join(summary.rstrip("…").split())
    text = "".join(to_text(html).split())
    return "" if text.startswith(start) else summary


def lead_image(image: Image | None, html: str) -> Image | None:
    """Return the image to show above the content, unless that contains it."""
    if image and image.url in map(unescape, _IMAGE_URL.findall(html)):
        return None
    return image


def event_facts(event: Event | None, language: str, *, with_email: bool = False) -> str:
    """Return paragraphs with further facts of an event.

    They are its address online, performers, offers, accessibility and organizer.

    :param with_email: with the organizer's e-mail address.
    """
    if event is None:
        return ""
    online = [_link(event.online_url, event.online_url)] if event.online_url else []
    performers = [_link(each.name, each.url) for each in event.performers]
    offers = [_link(text, url) for text, url in offer_texts(event, language)]
    facts = {
        "online": online,
        "performers": performers,
        "offers": offers,
        "accessibility": access_words(event.accessibility, language),
    }
    organizer = event.organizer
    if organizer:
        facts["organizer"] = [_link(organizer.name, organizer.url)]
    if organizer and organizer.email and with_email:
        mailto = _link(organizer.email, f"mailto:{organizer.email}")
        facts["organizer"].append(mailto)
    lines = (
        labelled_list(language, f"event.{name}", values)
        for name, values in facts.items()
    )
    return "\n".join(f"<p>{line}</p>" for line in lines if line)


def labelled_list(language: str, key: str, values: Sequence[str]) -> str:
    """Return values in one line after a label; an empty text without values."""
    if not values:
        return ""
    return translate(
        language,
        "punctuation.label",
        translate(language, key),
        translate(language, "punctuation.list").join(values),
    )


def offer_texts(event: Event, language: str) -> list[tuple[str, str | None]]:
    """Return the offers of an event in words, with their URLs.

    Before them is that it is free, if it says so itself.
    """
    texts = [(offer_text(offer, language), offer.url) for offer in event.offers]
    if event.is_accessible_for_free:
        texts.insert(0, (translate(language, "event.free"), None))
    return texts


def access_words(names: Sequence[str], language: str) -> list[str]:
    """Return who can come to an event in words, such as “free”, “sign language”."""
    return [translate(language, f"event.{name}") for name in names]


def offer_text(offer: Offer, language: str) -> str:
    """Return an offer in words, such as “Adults: €12.50 (sold out)”."""
    price = Decimal(offer.price)
    text = translate(language, "event.free")
    if price:
        text = format_currency(price, offer.currency, locale=resolve_language(language))
    if offer.name:
        text = translate(language, "punctuation.label", offer.name, text)
    if offer.availability:
        state = translate(language, f"event.{offer.availability}")
        text = translate(language, "punctuation.in_brackets", text, state)
    return text


def _link(text: str, url: str | None) -> str:
    text = escape(text, quote=False)
    return f'<a href="{escape(url)}">{text}</a>' if url else text


def source_credit(source: Person | None, html: str, language: str) -> str:
    """Return a paragraph that names the source, unless HTML ends with its name."""
    if source is None:
        return ""
    # A search from the start would try each paragraph.
    begin = max(html.rfind("<p>"), html.rfind("<p "))
    last_paragraph = _LAST_PARAGRAPH.match(html, begin)
    if last_paragraph:
        text = strip_tags(last_paragraph[1]).strip()
        if text.removesuffix(".") == source.name.removesuffix("."):
            return ""
    link = _link(source.name, source.url)
    return f"<p>{translate(language, 'entry.source', link)}</p>"


def to_text(html: str) -> str:
    """Return HTML without tags, with an empty line between paragraphs."""
    text = _BLOCK_END.sub("\n\n", _LINE_END.sub("\n", html))
    return re.sub("\n{3,}", "\n\n", strip_tags(text)).strip()


def paragraphs(text: str) -> str:
    """Return plain text as HTML: an empty line separates paragraphs."""
    if not text.strip():
        return ""
    blocks = re.split(r"\n\s*\n", text.strip())
    return "\n".join(
        "<p>" + escape(block, quote=False).replace("\n", "<br>") + "</p>"
        for block in blocks
    )


def photo_credit(credit: str, language: str) -> str:
    """Return the credit of an image with its label, which editors may have written."""
    _, names = split_label(credit, "entry.photo")
    return translate(language, "entry.photo", names)


def figure(image: Image, language: str) -> str:
    """Return an image with its caption and credit."""
    alt = escape(image.alt or image.caption or "")
    html = f'<figure><img src="{escape(image.url)}" alt="{alt}"'
    if image.width:
        html += f' width="{image.width}"'
    if image.height:
        html += f' height="{image.height}"'
    html += ">"
    caption = [escape(image.caption, quote=False)] if image.caption else []
    if image.credit:
        caption.append(f"<small>{escape(photo_credit(image.credit, language))}</small>")
    if caption:
        html += f"<figcaption>{' '.join(caption)}</figcaption>"
    return f"{html}</figure>"
