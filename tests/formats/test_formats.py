"""Each format: its golden file, what independent parsers read, and its exact elements."""

import re
import threading
from dataclasses import replace
from datetime import date
from html import unescape
from typing import Any

import feedparser
import html5lib
import pytest
from lxml import etree, html

from feedsvc.feeds.query import FORMATS
from feedsvc.models import (
    Attachment,
    Category,
    Entry,
    Event,
    Image,
    Person,
    Place,
)
from tests.conformance import findings
from tests.data import read_tables
from tests.formats.feeds import BARE, ENTRIES, FULL, HANOI, feed, render_feed
from tests.formats.golden import assert_golden
from tests.full_entries import TEXT_MEMBERS

XML = ("rss", "atom")

CDATA = re.compile(r"<!\[CDATA\[.*?\]\]>", re.DOTALL)


def rendered(kind: str, format: str, *entries: Entry, **kwargs: Any) -> bytes:
    return render_feed(feed(kind, format, *entries, **kwargs))


@pytest.mark.golden
@pytest.mark.parametrize(
    ("kind", "format"),
    [(kind, name) for name, form in FORMATS.items() for kind in form.kinds],
)
def test_document_equals_its_golden_file(kind: str, format: str) -> None:
    assert_golden(f"{kind}.{format}", rendered(kind, format, *ENTRIES[kind]))


@pytest.mark.parametrize("format", FORMATS)
def test_concurrent_renderings_are_equal(format: str) -> None:
    kind = FORMATS[format].kinds[-1]
    documents: set[bytes] = set()

    def render() -> None:
        # Copies, which have no items of a former rendering.
        entries = [replace(entry) for entry in ENTRIES[kind]]
        documents.add(rendered(kind, format, *entries))

    threads = [threading.Thread(target=render) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (document,) = documents
    assert all(entry.title.encode() in document for entry in ENTRIES[kind])


@pytest.mark.parametrize(
    ("content", "name", "credited"), read_tables("words")["credits"]
)
def test_source_is_credited_once(content: str, name: str, credited: bool) -> None:
    entry = replace(BARE, content_html=content, source=Person(name))
    assert (b"Ngu\xe1\xbb\x93n:" in rendered("news", "atom", entry)) is credited


def test_image_is_in_the_body_once() -> None:
    image = Image("https://media.example/a.jpg?x=1&y=2")
    inside = '<p><img alt="" src="https://media.example/a.jpg?x=1&amp;y=2"></p>'
    for content, count in (
        (inside, 1),
        ("<p>x</p>", 1),
        ('<img src="https://media.example/b.jpg">', 2),
    ):
        entry = replace(BARE, content_html=content, image=image)
        (item,) = feedparser.parse(rendered("news", "rss", entry)).entries
        body = item.content[0].value if "content" in item else item.summary
        assert body.count("<img") == count


TITLES: dict[str, str] = read_tables("words")["titles"]


@pytest.mark.parametrize("title", TITLES)
def test_rss_escapes_only_titles_that_would_read_differently_as_html(
    title: str,
) -> None:
    root: Any = etree.fromstring(rendered("news", "rss", replace(BARE, title=title)))
    assert root.findtext("channel/item/title") == TITLES[title]
    shown = html5lib.parseFragment(
        TITLES[title], treebuilder="etree", namespaceHTMLElements=False
    )
    assert "".join(shown.itertext()) == title
    # Some readers take any letter after "<" for the name of a tag.
    assert unescape(re.sub(r"</?[^\W\d_][^>]*>", "", TITLES[title])) == title


NAMED_ENTITIES = {
    "link",
    # Names of people and places.
    *("dc:creator", "media:credit", "ev:location", "ev:organizer"),
}
"""Elements of RSS that may have `&amp;`, since they are no text or a reader shows it as it is."""


def test_rss_text_has_numeric_entities() -> None:
    text = "Hỏi & đáp"
    members: dict[str, Any] = dict.fromkeys(
        TEXT_MEMBERS["articles"].keys() - {"content_text"}, text
    )
    article = replace(
        FULL,
        **members,
        authors=(Person(text),),
        categories=(Category("a", text),),
        image=Image("https://media.example/a.jpg", caption=text, credit=text),
    )
    event = Event(
        date(2026, 12, 5),
        None,
        HANOI,
        location=Place(text),
        organizer=Person(text),
    )
    names = set()
    for entry in (
        replace(article, source=Person(text)),
        replace(article, source=Person(text, "https://bao.example/"), event=event),
    ):
        document = CDATA.sub("", rendered("news", "rss", entry).decode())
        names |= set(re.findall("<([a-z:]+)[^<>]*>[^<>]*&amp;", document))
    assert names == NAMED_ENTITIES, "_PLAIN_TEXT in feedsvc/formats/rss.py"


@pytest.mark.parametrize("format", XML)
def test_bodies_and_summaries_are_not_escaped(format: str) -> None:
    """fast-xml-parser refuses a document with more than 1,000 escapes."""
    entry = replace(
        BARE,
        summary="1 < 2 & 3 > 2; " * 100,
        content_html="<p>a &amp; b</p>" * 1000,
    )
    document = rendered("news", format, entry).decode()
    assert CDATA.sub("", document).count("&") < 10
    (item,) = feedparser.parse(document, sanitize_html=False).entries
    assert unescape(item.summary) == entry.summary.strip()
    assert item.content[0].value == entry.content_html


@pytest.mark.parametrize("format", XML)
def test_end_of_cdata_in_texts_is_read_as_written(format: str) -> None:
    text = "a[b[0]]>1 & ]]]]>> </item></entry> ]]&gt; <![CDATA[x]]>"
    entry = replace(BARE, summary=text, content_text=text)
    item, _ = feedparser.parse(rendered("news", format, entry, BARE)).entries
    body: Any = html.fromstring(item.content[0].value)
    assert body.text_content() == text
    summary = item.summary_detail
    shown = summary.value if summary.type == "text/plain" else unescape(summary.value)
    assert shown == text


@pytest.mark.parametrize("title", TITLES)
def test_atom_titles_are_text(title: str) -> None:
    entry = replace(BARE, title=title)
    root: Any = etree.fromstring(rendered("news", "atom", entry))
    element = root.find("{*}entry/{*}title")
    assert element.text == title
    assert element.get("type", "text") == "text"


@pytest.mark.parametrize("format", ["rss", "atom", "json", "html"])
def test_withdrawn_summary_has_the_notice_once(format: str) -> None:
    entry = replace(BARE, summary="Lúc 9 giờ.", content_text="Lúc 9 giờ.")
    withdrawn = replace(entry, status="withdrawn", notice="Sai").public_view()
    document = rendered("news", format, withdrawn, content="summary").decode()
    # JSON Feed has content_text too.
    assert document.count("Đã gỡ: Sai") == (2 if format == "json" else 1)
    assert "9 giờ" not in document


FILES = (
    Attachment("https://media.example/1.mp3", "audio/mpeg", 100),
    Attachment(
        "https://media.example/2.pdf?a=1&b=2",
        "application/pdf",
        1_234_567,
        "Phụ lục <I> & II",
    ),
    Attachment(
        "https://media.example/quy%E1%BA%BFt-%C4%91%E1%BB%8Bnh.doc",
        "application/msword",
    ),
)


def test_rss_body_ends_with_links_to_further_attachments() -> None:
    entry = replace(
        BARE,
        summary="Hai tệp",
        content_html="<p>Văn bản kèm theo.</p>",
        attachments=FILES,
    )
    (item,) = feedparser.parse(rendered("news", "rss", entry)).entries
    assert [file.href for file in item.enclosures] == ["https://media.example/1.mp3"]
    assert item.content[0].value == (
        "<p>Văn bản kèm theo.</p>\n<p>Tệp đính kèm:</p>\n<ul>\n"
        '<li><a href="https://media.example/2.pdf?a=1&amp;b=2">Phụ lục &lt;I&gt; &amp; II</a> (1,2 MB)</li>\n'
        '<li><a href="https://media.example/quy%E1%BA%BFt-%C4%91%E1%BB%8Bnh.doc">quyết-định.doc</a></li>\n</ul>'
    )
    one_file = replace(BARE, attachments=FILES[:1])
    assert "Tệp đính kèm" not in rendered("news", "rss", one_file).decode()
    assert (
        "Tệp đính kèm" not in rendered("news", "rss", entry, content="summary").decode()
    )


@pytest.mark.parametrize("format", XML)
@pytest.mark.parametrize(
    "caption",
    ["Cầu Long Biên <1902>", "Cầu & sông", "R&D", "<b>Cầu</b> &amp; <1902>"],
)
def test_captions_are_plain_or_valid_html(format: str, caption: str) -> None:
    entry = replace(BARE, image=Image("https://media.example/a.jpg", caption=caption))
    document = rendered("news", format, entry)
    element: Any = next(
        etree.fromstring(document).iter("{http://search.yahoo.com/mrss/}title")
    )
    if element.get("type") == "html":
        parser = html5lib.HTMLParser(namespaceHTMLElements=False)
        assert "".join(parser.parseFragment(element.text).itertext()) == caption
        assert parser.errors == []
    else:
        assert element.text == caption
    assert findings(document, FORMATS[format].media_type) == []


def test_atom_summary_is_read_by_names_without_namespaces() -> None:
    """Some readers take any title for the title, and any content for the content."""
    root: Any = etree.fromstring(rendered("news", "atom", FULL, content="summary"))
    names = [etree.QName(element).localname for element in root.find("{*}entry").iter()]
    assert [names.count(name) for name in ("title", "summary", "content")] == [
        1,
        1,
        0,
    ]
    assert names.count("thumbnail") == 1
