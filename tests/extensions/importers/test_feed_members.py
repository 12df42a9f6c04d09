"""Only the children of an item or an entry are its members."""

import pytest
from flask import Flask

from tests.extensions.importers.helpers import (
    import_item,
    stored_entries,
)

MEMBERS = (
    "<title>Sai</title>",
    "<dc:title>Sai</dc:title>",
    "<link>https://sai.example/</link>",
    "<guid>sai</guid>",
    "<description>Sai</description>",
    "<summary>Sai</summary>",
    "<content>Sai</content>",
    "<encoded xmlns='http://purl.org/rss/1.0/modules/content/'>Sai</encoded>",
    "<body>Sai</body>",
    "<category>Sai</category>",
    "<keywords>Sai</keywords>",
    "<dc:subject>Sai</dc:subject>",
    "<language>de</language>",
    "<pubDate>2001-01-01T00:00:00Z</pubDate>",
    "<updated>2001-01-01T00:00:00Z</updated>",
    "<dc:date>2001-01-01T00:00:00Z</dc:date>",
    "<author>Sai</author>",
    "<dc:creator>Sai</dc:creator>",
    "<source url='https://sai.example/'/>",
    "<enclosure url='https://sai.example/a.mp3' type='audio/mpeg'/>",
    "<enclosure url='https://sai.example/a.png' type='image/png'/>",
    "<media:content url='https://sai.example/a.png' medium='image'/>",
    "<media:thumbnail url='https://sai.example/a.png'/>",
    "<itunes:image href='https://sai.example/a.png'/>",
    "<itunes:author>Sai</itunes:author>",
    "<item><guid>sai</guid><title>Sai</title></item>",
)
PARENTS = (
    "<image>{}</image>",
    "<og>{}</og>",
    "<ad><unit>{}</unit></ad>",
    "<author><name>Lan</name>{}</author>",
    "<content type='application/xml'>{}</content>",
    # Media RSS nests its own elements.
    "<media:content url='https://a.example/a.mp4'>{}</media:content>",
)
ITEM = (
    "<title>Đúng</title><link>https://a.example/1</link><description>Đây.</description>"
)


@pytest.mark.parametrize(
    ("parent", "member"),
    [
        (parent, member)
        for parent in PARENTS
        for member in MEMBERS
        if not (parent.startswith("<media") and member.startswith("<media"))
    ],
)
def test_element_within_an_element_is_no_member(
    app: Flask, parent: str, member: str
) -> None:
    plain = import_item(app, ITEM + parent.format(""))
    nested = parent.format(member)
    # Before the members, and behind them.
    assert import_item(app, nested + ITEM) == plain
    assert import_item(app, ITEM + nested) == plain
    assert len(stored_entries(app, "news")) == 1
