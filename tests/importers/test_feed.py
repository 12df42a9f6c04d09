"""RSS and Atom as portals, newspapers and their software write them."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.importers.base import ImportedEntry
from feedsvc.importers.importer import read
from feedsvc.services import get_services
from tests.conftest import ApiClient
from tests.fake_clock import HANOI
from tests.importers.helpers import (
    FIXTURES,
    import_file,
    rss_feed,
    stored_entries,
)


def test_wordpress_feed(app: Flask) -> None:
    import_file(app, (FIXTURES / "wordpress.rss").read_bytes())
    market, power = (
        stored_entries(app, "news")[f"https://vensong.example/?p={number}"]
        for number in (812, 807)
    )
    assert market["title"] == "Chợ đêm mở lại – thêm 40 gian hàng"
    assert market["categories"] == ["doi-song", "van-hoa-du-lich"]
    assert market["authors"] == [{"name": "Lê Thu Hà"}]
    assert market["date_published"] == "2026-11-24T02:00:00Z"
    assert market["summary"] == "Chợ đêm họp từ 18 giờ mỗi tối thứ bảy […]"
    assert (
        'src="https://vensong.example/wp-content/uploads/2026/11/cho-dem.jpg"'
        in market["content_html"]
    )
    assert "script" not in market["content_html"]
    assert power["attachments"] == [
        {
            "url": "https://vensong.example/wp-content/uploads/lich.mp3",
            "mime_type": "audio/mpeg",
            "size_in_bytes": 734003,
        }
    ]
    with get_services(app).storage.reader() as reader:
        assert reader.categories.get("van-hoa-du-lich").title == "Văn hóa & Du lịch"


def test_feeds_of_drupal_and_a_newspaper(app: Flask) -> None:
    for name in ("drupal.rss", "bao.rss"):
        import_file(app, (FIXTURES / name).read_bytes())
    entries = stored_entries(app, "news")
    pots = entries["4711 at https://so-van-hoa.example"]
    assert 'href="https://so-van-hoa.example/ve-chung-toi"' in pots["content_html"]
    assert pots["image"] == {
        "url": "https://so-van-hoa.example/sites/default/files/gom%20lon.jpg"
    }
    rain = entries["https://bao.example/mua-lon-4820001.html"]
    assert rain["title"] == 'Mưa lớn, nhiều tuyến phố ngập "như sông"'
    assert rain["image"] == {
        "url": "https://i.bao.example/2026/mua.jpg?w=1200&h=0&s=Qx"
    }
    assert rain["content_html"].endswith(
        "Mưa từ rạng sáng khiến 12 tuyến phố ngập sâu nửa mét."
    )
    assert "attachments" not in rain or rain["attachments"] == []


def test_atom_and_json_feed(app: Flask) -> None:
    for name in ("xhtml.atom", "feed.json"):
        import_file(app, (FIXTURES / name).read_bytes())
    entries = stored_entries(app, "news")
    book = entries["tag:thu-vien.example,2026:sach-moi"]
    assert book["title"] == "Sách mới: Phố & người"
    assert book["url"] == "https://thu-vien.example/blog/sach-moi"
    assert 'href="https://thu-vien.example/blog/danh-muc"' in book["content_html"]
    assert book["categories"] == ["sach-moi"]
    assert book["attachments"][0]["url"] == "https://thu-vien.example/files/muc-luc.pdf"
    plain = entries["urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a"]
    assert plain["title"] == "1 < 2 &amp; chuyện khác", "Atom's text is what it says"
    assert plain["content_text"] == "Chữ thường, không có thẻ."
    trees = entries["2026-11-18-cay-xanh"]
    assert trees["categories"] == ["moi-truong", "do-thi"]
    assert trees["attachments"][0]["duration_in_seconds"] == 61
    assert 'href="https://nhat-ky.example/ban-do"' in trees["content_html"]
    assert trees["authors"] == [
        {"name": "Ban biên tập", "url": "https://nhat-ky.example/ve"}
    ], "the feed's"
    assert entries["42"]["title"] == "Ghi nhanh không tiêu đề: đèn đường đã sáng lại."


DATES = (
    ("Tue, 03 Nov 2026 09:00:00 +0700", "2026-11-03T02:00:00Z"),
    ("Tue, 03 Nov 2026 09:00:00 GMT", "2026-11-03T09:00:00Z"),
    ("Tue, 03 Nov 2026 09:00:00 GMT+7", "2026-11-03T02:00:00Z"),
    ("Tue, 3 Nov 26 9:00:00 PM GMT+07:00", "2026-11-03T14:00:00Z"),
    ("Tue, 03 Nov 2026 09:00:00 EST", "2026-11-03T14:00:00Z"),
    ("Tue, 03 Nov 2026 09:00:00", "2026-11-03T02:00:00Z"),
    ("2026-11-03T09:00:00.5Z", "2026-11-03T09:00:00.500000Z"),
    ("2026-11-03 09:00:00", "2026-11-03T02:00:00Z"),
    ("03/11/2026 09:00", "2026-11-03T02:00:00Z"),
    ("11/24/2026 9:00:00 PM ICT", "2026-11-24T14:00:00Z"),
    ("24/11/2026 9:00:00 CH", "2026-11-24T14:00:00Z"),
    ("24/11/2026 9:00:00 SA", "2026-11-24T02:00:00Z"),
    ("10/2/2026 9:25:00 AM", "2026-10-02T02:25:00Z"),
    ("Mon, 05 Oct 2026 11:07:00 +07", "2026-10-05T04:07:00Z"),
    ("Thứ 5, 28/05/2026 17:00 GMT+7", "2026-05-28T10:00:00Z"),
    ("25 tháng 11, 2026", "2026-11-24T17:00:00Z"),
)
"""Spellings, and the dates that are stored."""


def test_dates_in_many_spellings(app: Flask) -> None:
    items = (
        f"<item><guid>{number}</guid><title>a</title><pubDate>{text}</pubDate></item>"
        for number, (text, _) in enumerate(DATES)
    )
    import_file(app, rss_feed("".join(items)))
    entries = stored_entries(app, "news")
    for number, (text, date) in enumerate(DATES):
        assert entries[str(number)]["date_published"] == date, text


def test_unreadable_dates_are_left_out_with_warnings(app: Flask) -> None:
    texts = ("hôm qua", "Tue, 03 Nov", "10:00", "1795485600", "0000-00-00 00:00:00")
    items = (
        f"<item><guid>{text}</guid><title>{text}</title><pubDate>{text}</pubDate></item>"
        for text in texts
    )
    result = import_file(app, rss_feed("".join(items)))
    for text in texts:
        assert f"left out: date_published of “{text}”: " in result.stderr


def test_media_type_of_enclosures_is_guessed(app: Flask) -> None:
    files = ('url="/a b.mp4"', 'url="//b.example/c" type=""', 'url="d.png" length="7"')
    import_file(
        app,
        rss_feed(
            f"<item><guid>g</guid><title>a</title>{''.join(f'<enclosure {one}/>' for one in files)}</item>"
        ),
    )
    entry = stored_entries(app, "news")["g"]
    assert [(file["url"], file["mime_type"]) for file in entry["attachments"]] == [
        ("https://a.example/a%20b.mp4", "video/mp4"),
        ("https://b.example/c", "application/octet-stream"),
    ]
    assert entry["image"]["url"] == "https://a.example/tin/d.png"


def test_atom_entry_without_link_and_text(
    app: Flask,
) -> None:
    entry = '<entry><id>tag:a,2026:1</id><title>a</title><content type="image/png">aGVsbG8=</content></entry>'
    result = import_file(
        app,
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entry}</feed>'.encode(),
    )
    entries = stored_entries(app, "news")["tag:a,2026:1"]
    assert result.stderr == ""
    assert entries["url"] == f"https://feeds.example/entries/{entries['id']}"
    assert "content_html" not in entries


def test_html_entities_of_a_dtd_are_resolved(app: Flask) -> None:
    dtd = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://a.example/rss-0.91.dtd">'
    import_file(
        app, rss_feed("<item><guid>g</guid><title>H&ocirc;m nay</title></item>", dtd)
    )
    assert stored_entries(app, "news")["g"]["title"] == "Hôm nay"


ENTITY_BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 9}">' for n in range(1, 10))


@pytest.mark.parametrize(
    "entities", ['<!ENTITY x SYSTEM "file:///etc/passwd">', ENTITY_BOMB]
)
def test_declared_entities_are_not_resolved(entities: str) -> None:
    name = "x" if "SYSTEM" in entities else "e9"
    document = f"""<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY e0 "ha">{entities}]>
    <rss version="2.0"><channel><title>t</title><item><guid>g</guid><title>a &{name}; b</title></item></channel></rss>"""
    entries = [
        item
        for item in read(document.encode(), HANOI)
        if isinstance(item, ImportedEntry)
    ]
    assert not any("root:" in str(item) or "haha" in str(item) for item in entries)


def test_own_event_feeds_are_imported(
    app: Flask, client: FlaskClient, editor: ApiClient
) -> None:
    editor.put(
        "/events/a",
        {
            "title": "Hội",
            "start": "2026-12-24T19:00:00",
            "location": {"name": "Phố sách"},
        },
    )
    for form in ("rss", "json", "ics"):
        data = client.get(f"/feeds/events.{form}").data
        assert "1 skipped" not in import_file(app, data, "--kind", "events").stdout
        (event,) = stored_entries(app, "events").values()
        assert event["start"] == "2026-12-24T19:00:00+07:00", form
        assert event["location"]["name"] == "Phố sách"


def test_closing_br_tags_are_line_breaks(app: Flask) -> None:
    import_file(app, (FIXTURES / "dotnet.rss").read_bytes())
    entries = stored_entries(app, "news")
    water = entries["https://bao-vensong.example/lich-cat-nuoc-1001.htm"][
        "content_html"
    ]
    assert water.endswith("</a><br>Ba phường mất nước sáng mai.")
    flowers = entries["https://bao-vensong.example/duong-hoa-1002.htm"]["content_html"]
    assert (
        flowers
        == '<img src="https://i.bao-vensong.example/hoa.jpg"><br>Mở cửa đến hết tuần.'
    )


def test_br_pairs_of_xhtml_are_one_line_break(app: Flask) -> None:
    body = '<div xmlns="http://www.w3.org/1999/xhtml">Một<br></br>Hai</div>'
    entry = f'<entry><id>urn:a</id><title>a</title><content type="xhtml">{body}</content></entry>'
    import_file(
        app,
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entry}</feed>'.encode(),
    )
    assert stored_entries(app, "news")["urn:a"]["content_html"].count("<br>") == 1


def test_ambiguous_dates_are_reported(app: Flask) -> None:
    result = import_file(app, (FIXTURES / "dotnet.rss").read_bytes())
    dates = {
        entry["title"]: entry["date_published"]
        for entry in stored_entries(app, "news").values()
    }
    assert dates == {
        "Lịch cắt nước": "2026-10-02T02:25:00Z",
        "Đường hoa mở cửa": "2026-10-05T04:07:00Z",
    }
    assert (
        "read with the month first: 1, such as “10/2/2026 9:25:00 AM”" in result.stderr
    )


PHOTO = (
    '<media:content url="https://a.example/{0}.jpg" medium="image">{1}</media:content>'
)
CAPTION = "<media:description>{}</media:description>"
NYT = (
    "<title>Cầu mới</title><description>Thông xe.</description>"
    + PHOTO.format("cau", "")
    + "<media:credit>Nam</media:credit>"
    + CAPTION.format("Cây cầu")
)
MASTODON = (
    "<description>&lt;p&gt;Cầu mới&lt;/p&gt;</description>"
    + PHOTO.format("cau", CAPTION.format("Cây cầu"))
    + PHOTO.format("song", CAPTION.format("Dòng sông"))
)
MEDIA_TITLE = (
    PHOTO.format(
        "cau", '<media:title type="html">Cây &amp;lt;cầu&amp;gt;</media:title>'
    )
    + "<title>Cầu mới</title><description>Thông xe.</description>"
)
ONLY_A_PICTURE = "<title>Cầu mới</title>" + PHOTO.format(
    "cau", CAPTION.format("Cây cầu")
)


@pytest.mark.parametrize(
    ("item", "title", "body", "image"),
    [
        (NYT, "Cầu mới", "Thông xe.", {"caption": "Cây cầu", "credit": "Nam"}),
        (MASTODON, "Cầu mới", "<p>Cầu mới</p>", {"caption": "Cây cầu"}),
        (MEDIA_TITLE, "Cầu mới", "Thông xe.", {"caption": "Cây <cầu>"}),
        (ONLY_A_PICTURE, "Cầu mới", None, {"caption": "Cây cầu"}),
    ],
    ids=["nyt", "mastodon", "media-title", "only-a-picture"],
)
def test_caption_of_a_picture_is_no_text_of_the_entry(
    app: Flask, item: str, title: str, body: str | None, image: dict[str, str]
) -> None:
    channel_credit = '<media:credit role="author">Đài</media:credit>'
    document = rss_feed(f"{channel_credit}<item><guid>g</guid>{item}</item>")
    namespace = b'<rss xmlns:media="http://search.yahoo.com/mrss/"'
    import_file(app, document.replace(b"<rss", namespace))
    entry = stored_entries(app, "news")["g"]
    assert entry["title"] == title
    assert entry.get("content_html") == body
    assert entry["image"] == {"url": "https://a.example/cau.jpg", **image}
