"""RSS and Atom as portals, newspapers and their software write them."""

from __future__ import annotations

from time import process_time

import pytest
from flask import Flask

from tests.commands import invoke
from tests.importers.helpers import (
    atom_feed,
    import_file,
    import_fixture,
    import_item,
    rss_feed,
    stored_entries,
)


def test_wordpress_feed(app: Flask) -> None:
    entries = import_fixture(app, "wordpress.rss")
    market = entries["https://vensong.example/?p=812"]
    power = entries["https://vensong.example/?p=807"]
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
    category = app.test_client().get("/api/v1/categories/van-hoa-du-lich")
    assert category.get_json()["title"] == "Văn hóa & Du lịch"


def test_feeds_of_drupal_and_a_newspaper(app: Flask) -> None:
    entries = import_fixture(app, "drupal.rss") | import_fixture(
        app, "bao.rss"
    )
    pots = entries["4711 at https://so-van-hoa.example"]
    assert (
        'href="https://so-van-hoa.example/ve-chung-toi"'
        in pots["content_html"]
    )
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


def test_atom(app: Flask) -> None:
    entries = import_fixture(app, "xhtml.atom")
    book = entries["tag:thu-vien.example,2026:sach-moi"]
    assert book["title"] == "Sách mới: Phố & người"
    assert book["url"] == "https://thu-vien.example/blog/sach-moi"
    assert (
        'href="https://thu-vien.example/blog/danh-muc"' in book["content_html"]
    )
    assert book["categories"] == ["sach-moi"]
    assert (
        book["attachments"][0]["url"]
        == "https://thu-vien.example/files/muc-luc.pdf"
    )
    plain = entries["urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a"]
    assert plain["title"] == "1 < 2 &amp; chuyện khác", (
        "Atom's text is what it says"
    )
    assert plain["content_text"] == "Chữ thường, không có thẻ."


@pytest.mark.parametrize(
    ("elements", "members"),
    [
        *(
            (f"<pubDate>{text}</pubDate>", {"date_published": date})
            for text, date in (
                ("Tue, 03 Nov 2026 09:00:00 +0700", "2026-11-03T02:00:00Z"),
                ("Tue, 03 Nov 2026 09:00:00 EST", "2026-11-03T14:00:00Z"),
                ("2026-11-03T09:00:00Z", "2026-11-03T09:00:00Z"),
            )
        ),
        # An enclosure with a picture is the image.
        (
            '<enclosure url="https://a.example/b.mp4" type="video/mp4" length="0"/>'
            '<enclosure url="https://a.example/c.png" type="image/png" length="7"/>',
            {
                "attachments": [
                    {
                        "url": "https://a.example/b.mp4",
                        "mime_type": "video/mp4",
                    }
                ],
                "image": {"url": "https://a.example/c.png"},
            },
        ),
    ],
)
def test_elements_are_members(
    app: Flask, elements: str, members: dict[str, object]
) -> None:
    assert (
        members.items()
        <= import_item(app, f"<title>a</title>{elements}").items()
    )


def test_unreadable_date_is_left_out_with_a_warning(app: Flask) -> None:
    item = (
        "<item><guid>g</guid><title>a</title><pubDate>hôm qua</pubDate></item>"
    )
    result = import_file(app, rss_feed(item))
    assert "left out: date_published of “a”: " in result.stderr


@pytest.mark.parametrize("element", ["author", "dc:creator", "itunes:author"])
@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("lan@portal.technology (Nguyễn Thị Lan)", {"name": "Nguyễn Thị Lan", "email": "lan@portal.technology"}),
        ("Lan &lt;lan@x.museum&gt;", {"name": "Lan", "email": "lan@x.museum"}),
        ("Nguyễn Thị Lan (TTXVN)", {"name": "Nguyễn Thị Lan (TTXVN)"}),
        ("Tuổi Trẻ @ Hà Nội", {"name": "Tuổi Trẻ @ Hà Nội"}),
        ("lan@x.vn", {"name": "lan@x.vn"}),
    ],
)  # fmt: skip
def test_author_of_rss_is_divided(
    app: Flask, element: str, text: str, author: dict[str, str]
) -> None:
    item = f"<title>a</title><{element}>{text}</{element}>"
    assert import_item(app, item)["authors"] == [author]


def test_author_without_address_gets_none(app: Flask) -> None:
    authors = (
        "<author><name>Lan</name><email>lan@x.museum</email></author>"
        "<author><name>Hoa</name></author>"
    )
    import_file(app, atom_feed(f"<id>urn:a</id>{authors}"))
    assert stored_entries(app, "news")["urn:a"]["authors"] == [
        {"name": "Lan", "email": "lan@x.museum"},
        {"name": "Hoa"},
    ]


def test_export_of_wordpress_is_refused(app: Flask) -> None:
    """It contains drafts, which would be published."""
    namespace = b'<rss xmlns:wp="http://wordpress.org/export/1.2/"'
    data = rss_feed("<item><title>a</title></item>").replace(
        b"<rss", namespace
    )
    result = invoke(app, "import", "-", input=data)
    assert result.exit_code == 1
    assert "an export of WordPress" in result.stderr
    assert stored_entries(app, "news") == {}


def test_atom_entry_without_link(app: Flask) -> None:
    import_file(app, atom_feed("<id>tag:a,2026:1</id>"))
    stored = stored_entries(app, "news")["tag:a,2026:1"]
    assert stored["url"] == f"https://feeds.example/entries/{stored['id']}"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "windows-1258"])
def test_declared_encoding_is_read(app: Flask, encoding: str) -> None:
    # The letters that windows-1258 has without combining marks.
    document = rss_feed(
        "<item><guid>g</guid><title>Đô, lê, ơ, ư</title></item>"
    )
    declared = document.decode().replace(
        "UTF-8", encoding.removesuffix("-sig")
    )
    import_file(app, declared.encode(encoding))
    assert stored_entries(app, "news")["g"]["title"] == "Đô, lê, ơ, ư"


def test_html_entities_of_a_dtd_are_resolved(app: Flask) -> None:
    dtd = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://a.example/rss-0.91.dtd">'
    import_file(
        app,
        rss_feed(
            "<item><guid>g</guid><title>H&ocirc;m nay</title></item>", dtd
        ),
    )
    assert stored_entries(app, "news")["g"]["title"] == "Hôm nay"


ENTITY_BOMB = "".join(
    f'<!ENTITY e{n} "{f"&e{n - 1};" * 9}">' for n in range(1, 10)
)


@pytest.mark.parametrize(
    "entities",
    [
        '<!ENTITY x SYSTEM "file:///etc/passwd">',
        '<!ENTITY x "haha">',
        ENTITY_BOMB,
    ],
)
def test_declared_entities_are_not_resolved(app: Flask, entities: str) -> None:
    name = "x" if "<!ENTITY x " in entities else "e9"
    dtd = f'<!DOCTYPE rss [<!ENTITY e0 "ha">{entities}]>'
    item = f"<item><guid>g</guid><title>a &{name}; b</title></item>"
    result = invoke(app, "import", "-", input=rss_feed(item, dtd))
    output = result.output + str(stored_entries(app, "news"))
    assert "root:" not in output
    assert "haha" not in output


def test_br_pairs_of_xhtml_are_one_line_break(app: Flask) -> None:
    body = '<div xmlns="http://www.w3.org/1999/xhtml">Một<br></br>Hai</div>'
    content = f'<content type="xhtml">{body}</content>'
    import_file(app, atom_feed(f"<id>urn:a</id>{content}"))
    assert (
        stored_entries(app, "news")["urn:a"]["content_html"].count("<br>") == 1
    )


PHOTO = '<media:content url="https://a.example/{0}.jpg" medium="image">{1}</media:content>'
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
    import_file(
        app, rss_feed(f"{channel_credit}<item><guid>g</guid>{item}</item>")
    )
    entry = stored_entries(app, "news")["g"]
    assert entry["title"] == title
    assert entry.get("content_html") == body
    assert entry["image"] == {"url": "https://a.example/cau.jpg", **image}


def test_many_captions_of_many_pictures_take_little_time(app: Flask) -> None:
    pictures = (PHOTO.format("cau", "") + CAPTION.format("Cây cầu")) * 10_000
    began = process_time()
    assert import_item(app, f"<title>a</title>{pictures}")["image"]["caption"]
    assert process_time() - began < 5
