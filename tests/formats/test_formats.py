"""Each format: its golden file, what independent parsers read, and its exact elements."""

from __future__ import annotations

import json
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
from feedsvc.formats import render_feed
from feedsvc.models import (
    Attachment,
    Category,
    Entry,
    Event,
    Image,
    Person,
    Place,
    Source,
)
from tests.conformance import findings
from tests.formats.feeds import (
    BARE,
    CONCERT,
    ENTRIES,
    FULL,
    HANOI,
    VAN_HOA,
    feed,
)
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


@pytest.mark.parametrize("format", XML)
def test_feedparser_reads_the_feed_and_its_modules(format: str) -> None:
    """tests/interop compares the entries of many feeds with the API."""
    parsed = feedparser.parse(rendered("news", format, FULL, category=VAN_HOA))
    assert not parsed.bozo
    assert (
        parsed.feed.title
        == "Tin tức mới nhất – Văn hoá – Cổng thông tin thành phố"
    )
    assert parsed.feed.link == "https://portal.example/van-hoa"
    assert parsed.feed.subtitle == "Tin văn hoá"
    assert parsed.feed.language == "vi"
    assert parsed.feed.rights == "© Cổng thông tin"
    assert parsed.feed.updated_parsed[:6] == (2026, 11, 2, 1, 0, 0)
    (full,) = parsed.entries
    tags = [category.label or category.term for category in full.tags]
    assert tags == ["Văn hoá", "Giao thông"]
    assert (
        full.media_content[0]["url"] == "https://media.example/c%E1%BA%A7u.jpg"
    )
    assert full.media_credit[0]["content"] == "Nam"


@pytest.mark.parametrize("format", XML)
def test_feedparser_reads_time_and_place_of_an_event(format: str) -> None:
    (concert,) = feedparser.parse(rendered("events", format, CONCERT)).entries
    when = (
        "19:00 – 21:30, thứ Năm 24/12/2026 · Nhà hát Lớn · 1 Tràng Tiền"
        " · Trực tiếp và trực tuyến"
    )
    assert concert.summary == f"{when}. Nhạc Giáng sinh"
    assert concert.content[0].value.startswith(
        f"<p><strong>{when}</strong></p>"
    )
    assert concert.ev_startdate == "2026-12-24T19:00:00+07:00"
    assert concert.ev_enddate == "2026-12-24T21:30:00+07:00"
    assert concert.ev_location == "Nhà hát Lớn, 1 Tràng Tiền"
    assert concert.where["coordinates"] == (105.857, 21.024)


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
    ("content", "name", "credited"),
    [
        ("<p>x</p><p>Báo Thủ đô.</p>", "Báo Thủ đô", False),
        ("<p>x</p>\n<p><em>Báo Thủ đô</em></p>\n", "Báo Thủ đô", False),
        ("<p>Báo Thủ đô</p><p>x</p>", "Báo Thủ đô", True),
        ("<p>Theo Báo Thủ đô</p>", "Báo Thủ đô", True),
        ("<p>A &amp; B</p>", "A & B", False),
        ("", "Báo Thủ đô", True),
    ],
)
def test_source_is_credited_once(
    content: str, name: str, credited: bool
) -> None:
    entry = replace(BARE, content_html=content, source=Source(name))
    assert (
        b"Ngu\xe1\xbb\x93n:" in rendered("news", "atom", entry)
    ) is credited


def test_image_is_in_the_body_once() -> None:
    image = Image("https://media.example/a.jpg?x=1&y=2")
    inside = (
        '<p><img alt="" src="https://media.example/a.jpg?x=1&amp;y=2"></p>'
    )
    for content, count in (
        (inside, 1),
        ("<p>x</p>", 1),
        ('<img src="https://media.example/b.jpg">', 2),
    ):
        entry = replace(BARE, content_html=content, image=image)
        (item,) = feedparser.parse(rendered("news", "rss", entry)).entries
        body = item.content[0].value if "content" in item else item.summary
        assert body.count("<img") == count


TITLES = {
    # A plain title, and how RSS must escape it for readers that take it for HTML.
    "AT&T, Q&A và M&A": "AT&T, Q&A và M&A",
    "Giá < 100 và > 50": "Giá < 100 và > 50",
    "1<2": "1<2",
    "Thẻ <b>đậm</b>": "Thẻ &lt;b&gt;đậm&lt;/b&gt;",
    "Ăn &amp; uống": "Ăn &amp;amp; uống",
    "&#38; và &copy": "&amp;#38; và &amp;copy",
    "<!-- ghi chú -->": "&lt;!-- ghi chú --&gt;",
    "Hỏi </p": "Hỏi &lt;/p",
    "Thu <đất đai> & nhà": "Thu &lt;đất đai&gt; &amp; nhà",
    "x <3, y <_z>": "x <3, y <_z>",
}


@pytest.mark.parametrize("title", TITLES)
def test_rss_escapes_only_titles_that_would_read_differently_as_html(
    title: str,
) -> None:
    root: Any = etree.fromstring(
        rendered("news", "rss", replace(BARE, title=title))
    )
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
        replace(article, source=Source(text)),
        replace(
            article, source=Source(text, "https://bao.example/"), event=event
        ),
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


def test_atom_has_no_plain_text_as_cdata() -> None:
    """newsboat shows the brackets too, or nothing."""
    entry = replace(BARE, summary="Một & hai < ba")
    document = rendered("news", "atom", entry).decode()
    summary = (
        '<summary type="html"><![CDATA[Một &amp; hai &lt; ba]]></summary>'
    )
    assert summary in document


@pytest.mark.parametrize("format", XML)
def test_end_of_cdata_in_texts_is_read_as_written(format: str) -> None:
    text = "a[b[0]]>1 & ]]]]>> </item></entry> ]]&gt; <![CDATA[x]]>"
    entry = replace(BARE, summary=text, content_text=text)
    (item,) = feedparser.parse(rendered("news", format, entry, BARE)).entries[
        :1
    ]
    body: Any = html.fromstring(item.content[0].value)
    assert body.text_content() == text
    summary = item.summary_detail
    shown = (
        summary.value
        if summary.type == "text/plain"
        else unescape(summary.value)
    )
    assert shown == text


@pytest.mark.parametrize("title", TITLES)
def test_atom_titles_are_text(title: str) -> None:
    category = replace(VAN_HOA, title=title)
    root: Any = etree.fromstring(
        rendered("news", "atom", replace(BARE, title=title), category=category)
    )
    assert root.findtext("{*}entry/{*}title") == title
    assert title in root.findtext("{*}title")
    for element in root.iter("{*}title"):
        assert element.get("type", "text") == "text"


def summaries(kind: str, format: str, *entries: Entry) -> bytes:
    return render_feed(feed(kind, format, *entries, content="summary"))


CORRECTED = replace(
    BARE,
    summary="Họp lúc 9 giờ.",
    content_text="Họp lúc 9 giờ.",
    notice="Giờ họp là 10 giờ",
)
assert CONCERT.event
CALLED_OFF = replace(
    CONCERT,
    event=replace(CONCERT.event, status="cancelled"),
    notice="Bão số 9 <cấp 12>.",
)


@pytest.mark.parametrize("format", XML)
@pytest.mark.parametrize("content", ["full", "summary"])
def test_correction_is_first_in_the_summary_and_the_body(
    format: str, content: str
) -> None:
    document = rendered("news", format, CORRECTED, content=content)
    (entry,) = feedparser.parse(document).entries
    assert entry.summary == "Đính chính: Giờ họp là 10 giờ. Họp lúc 9 giờ."
    notice = "<p><strong>Đính chính: Giờ họp là 10 giờ</strong></p>"
    if content == "full":
        assert entry.content[0].value.startswith(notice)


@pytest.mark.parametrize("format", ["rss", "atom", "json", "html"])
def test_summary_has_the_event_status_and_its_reason(format: str) -> None:
    document = summaries("events", format, CALLED_OFF).decode()
    badge = '<span class="badge cancelled">Đã hủy</span>'
    state = badge if format == "html" else "Hủy: Hoà nhạc"
    assert state in document
    text = unescape(unescape(document))
    assert "Lý do: Bão số 9 <cấp 12>." in text


@pytest.mark.parametrize("format", ["rss", "atom", "json", "html"])
def test_withdrawn_summary_has_the_notice_once(format: str) -> None:
    withdrawn = replace(CORRECTED, status="withdrawn").public_view()
    document = summaries("news", format, withdrawn).decode()
    assert document.count("Đã gỡ: Giờ họp là 10 giờ") == (
        2 if format == "json" else 1
    ), "content_text too"


@pytest.mark.parametrize("content", ["full", "summary"])
def test_summary_begins_with_the_reason_of_a_cancellation(
    content: str,
) -> None:
    document = render_feed(feed("events", "json", CALLED_OFF, content=content))
    (item,) = json.loads(document)["items"]
    assert item["summary"].startswith(
        "Lý do: Bão số 9 <cấp 12>. 19:00 – 21:30, "
    )


@pytest.mark.parametrize("format", XML)
def test_full_feed_shows_the_summary_instead_of_a_missing_body(
    format: str,
) -> None:
    image = Image("https://media.example/a.jpg", caption="Cầu")
    entry = replace(BARE, summary="Dài < 1 km.", image=image)
    (item,) = feedparser.parse(rendered("news", format, entry)).entries
    assert item.content[0].value.endswith("</figure>\n<p>Dài &lt; 1 km.</p>")


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
    assert [file.href for file in item.enclosures] == [
        "https://media.example/1.mp3"
    ]
    assert item.content[0].value == (
        "<p>Văn bản kèm theo.</p>\n<p>Tệp đính kèm:</p>\n<ul>\n"
        '<li><a href="https://media.example/2.pdf?a=1&amp;b=2">Phụ lục &lt;I&gt; &amp; II</a> (1,2 MB)</li>\n'
        '<li><a href="https://media.example/quy%E1%BA%BFt-%C4%91%E1%BB%8Bnh.doc">quyết-định.doc</a></li>\n</ul>'
    )
    one_file = replace(BARE, attachments=FILES[:1])
    assert "Tệp đính kèm" not in rendered("news", "rss", one_file).decode()
    assert "Tệp đính kèm" not in summaries("news", "rss", entry).decode()


def test_page_names_attachments_as_feeds_do() -> None:
    entry = replace(BARE, content_text="Văn bản.", attachments=FILES)
    document = rendered("news", "html", entry, content="full")
    page: Any = html.fromstring(document)
    assert page.xpath("//ul[@class='files']/li/a/text()") == [
        "1.mp3",
        "Phụ lục <I> & II",
        "quyết-định.doc",
    ]


@pytest.mark.parametrize("format", XML)
@pytest.mark.parametrize(
    "caption",
    ["Cầu Long Biên <1902>", "Cầu & sông", "R&D", "<b>Cầu</b> &amp; <1902>"],
)
def test_captions_are_plain_or_valid_html(format: str, caption: str) -> None:
    entry = replace(
        BARE, image=Image("https://media.example/a.jpg", caption=caption)
    )
    document = rendered("news", format, entry)
    element: Any = next(
        etree.fromstring(document).iter("{http://search.yahoo.com/mrss/}title")
    )
    if element.get("type") == "html":
        parser = html5lib.HTMLParser(namespaceHTMLElements=False)
        assert (
            "".join(parser.parseFragment(element.text).itertext()) == caption
        )
        assert parser.errors == []
    else:
        assert element.text == caption
    assert findings(document, FORMATS[format].media_type) == []


def test_atom_summary_is_read_by_names_without_namespaces() -> None:
    """Some readers take any title for the title, and any content for the content."""
    root: Any = etree.fromstring(summaries("news", "atom", FULL))
    names = [
        etree.QName(element).localname
        for element in root.find("{*}entry").iter()
    ]
    assert [names.count(name) for name in ("title", "summary", "content")] == [
        1,
        1,
        0,
    ]
    assert names.count("thumbnail") == 1
