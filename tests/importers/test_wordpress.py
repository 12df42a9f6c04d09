"""WordPress's export: pictures, shortcodes, and posts of one guid."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from flask import Flask

from feedsvc.importers.wordpress import Library
from tests.importers.helpers import FIXTURES, import_file, stored_entries

BRIDGE = "https://vensong.example/?p=700"
MEDIA = FIXTURES / "media.wxr"
UPLOADS = "https://vensong.example/wp-content/uploads/2026/10"


def library(data: bytes = MEDIA.read_bytes()) -> Library:
    return Library(data)


def test_featured_picture_is_the_image(app: Flask) -> None:
    import_file(app, MEDIA.read_bytes())
    assert stored_entries(app, "news")[BRIDGE]["image"] == {
        "url": f"{UPLOADS}/cầu%20mới.jpg",
        "alt": 'Cầu "dây văng" & thuyền',
        "caption": "Cầu mới nhìn từ bờ bắc. Ảnh: Hà",
    }


def test_shortcodes_of_an_export_become_html(app: Flask) -> None:
    import_file(app, MEDIA.read_bytes())
    body = stored_entries(app, "news")[BRIDGE]["content_html"]
    assert body.startswith("<p>Cầu mới thông xe [1] hôm nay.</p>")
    assert (
        '<figure><a href="https://vensong.example/cau-moi/cau/" rel="noopener noreferrer">'
        '<img alt="Cầu" src="https://vensong.example/cau-300.jpg"></a>'
        "<figcaption>Cầu <em>mới</em></figcaption></figure>"
    ) in body
    assert (
        f'<figure><img src="{UPLOADS}/cầu%20mới.jpg" alt="Cầu &quot;dây văng&quot; &amp; thuyền">'
        "<figcaption>Cầu mới nhìn từ bờ bắc. Ảnh: Hà</figcaption></figure>\n"
        f'<figure><img src="{UPLOADS}/den.jpg" alt=""></figure>'
    ) in body
    assert '<audio controls="" src="https://vensong.example/loi-ke.mp3">' in body
    assert (
        '<a href="https://vensong.example/loi-ke.mp3" rel="noopener noreferrer">loi-ke.mp3</a></audio>'
        in body
    )
    assert (
        'src="https://vensong.example/thong-xe.mp4" poster="https://vensong.example/p.jpg"'
        in body
    )
    assert (
        '<p><a href="https://www.youtube.com/watch?v=abc&amp;t=5" rel="noopener noreferrer">'
        in body
    )
    assert "Cách viết: [[gallery]]." in body


def test_unknown_shortcodes_stay_and_are_reported_once(app: Flask) -> None:
    result = import_file(app, MEDIA.read_bytes())
    assert (
        '[contact-form-7 id="12" title="Góp ý"]'
        in stored_entries(app, "news")[BRIDGE]["content_html"]
    )
    assert result.stderr.count("shortcode") == 1
    assert "Unknown shortcodes stay as text: contact-form-7 (2)." in result.stderr


def test_missing_pictures_are_reported_once(app: Flask) -> None:
    result = import_file(app, MEDIA.read_bytes())
    assert result.stderr.count("Pictures that are not in the file: 2.") == 1, (
        "of the gallery, and a featured one"
    )


def test_media_items_are_not_reported_as_skipped(app: Flask) -> None:
    result = import_file(app, MEDIA.read_bytes())
    assert "2 new, 0 changed, 0 unchanged, 0 skipped" in result.stdout
    assert "attachment" not in result.stderr


def test_two_posts_with_one_guid_are_both_imported(app: Flask) -> None:
    result = import_file(app, MEDIA.read_bytes())
    assert (
        "“Đêm hội đèn” has the guid of another entry; its link is used" in result.stderr
    )
    urls = {
        entry["title"]: entry["url"] for entry in stored_entries(app, "news").values()
    }
    assert urls == {
        "Thông xe cầu mới": "https://vensong.example/2026/10/cau-moi/",
        "Đêm hội đèn": "https://vensong.example/2026/10/dem-hoi/",
    }
    assert (
        "0 new, 0 changed, 2 unchanged" in import_file(app, MEDIA.read_bytes()).stdout
    )


def test_figures_are_not_inside_paragraphs(app: Flask) -> None:
    import_file(app, MEDIA.read_bytes())
    (night,) = (
        entry
        for entry in stored_entries(app, "news").values()
        if entry["title"] == "Đêm hội đèn"
    )
    assert "<p></p>" not in night["content_html"]
    assert (
        f'<p>Đêm hội.</p>\n<figure><img src="{UPLOADS}/den.jpg" alt=""></figure>'
        in night["content_html"]
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[gallery]", 2),
        ('[gallery columns="2" size="full"]', 2),
        ("[gallery ids='702']", 1),
        ("[gallery include=702,701]", 2),
        ('[gallery ids="1"]', 0),
    ],
)
def test_galleries(text: str, expected: int) -> None:
    expanded = library().expand(f"a {text} b", "700")
    assert expanded.count("<figure>") == expected
    assert "[gallery" not in expanded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '[caption caption="Cũ &amp; mới" width="1"]<img src="a">[/caption]',
            "<figcaption>Cũ &amp; mới</figcaption>",
        ),
        ("[caption]Chỉ chữ[/caption]", "Chỉ chữ"),
        (
            '[caption id="a"]<img src="a"> Một\n\nHai[/caption]',
            "<figcaption>Một<br>Hai</figcaption>",
        ),
        ('[wp_caption]<img src="a"> Một[/wp_caption]', "<figcaption>Một</figcaption>"),
        (
            '[audio src="https://a.example/x.ogg"]',
            '<audio controls src="https://a.example/x.ogg">',
        ),
        (
            '[video webm="https://a.example/x.webm"]Không có[/video]',
            '<video controls src="https://a.example/x.webm">',
        ),
    ],
)
def test_shortcodes(text: str, expected: str) -> None:
    expanded = library().expand(text, "1")
    assert expected in expanded
    assert "[" not in expanded


@pytest.mark.parametrize(
    "text",
    [
        "[video]",
        "[sic]",
        "[1]",
        "[…]",
        "[ẢNH]",
        "[embed][/embed]",
        "a[i] = b[j]",
        "[/caption]",
    ],
)
def test_other_brackets_stay_as_text(text: str) -> None:
    media = library()
    assert media.expand(text, "1") == text
    assert [warning for warning in media.warnings() if "shortcode" in warning] == []


@pytest.mark.parametrize(
    "text",
    [
        "[caption]" * 50_000,
        "[a " * 100_000,
        "[a " + "x" * 300_000 + "]",
        "<p><figure>" * 50_000,
    ],
)
def test_shortcodes_take_linear_time(text: str) -> None:
    start = time.process_time()
    library().expand(text, "1")
    assert time.process_time() - start < 5


def test_damaged_export_keeps_the_media_before_the_damage() -> None:
    data = MEDIA.read_bytes()
    media = Library(data[: data.index("Đêm hội đèn".encode())])
    assert media.featured_image("700") is not None


def test_entities_of_an_export_are_not_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mật")
    dtd = f'<!DOCTYPE rss [<!ENTITY x SYSTEM "file://{secret}">]><rss'.encode()
    data = MEDIA.read_bytes().replace(b"<rss", dtd, 1)
    data = data.replace('<![CDATA[Cầu "dây văng" & thuyền]]>'.encode(), b"a &x; b")
    image = Library(data).featured_image("700")
    assert image is None or "mật" not in image.get("alt", "")


def test_wordpress_export(app: Flask) -> None:
    result = import_file(app, (FIXTURES / "export.wxr").read_bytes())
    assert "2 new" in result.stdout
    assert "skipped: “Giới thiệu”: it is of the type page, not a post" in result.stderr
    assert "skipped: “Đã bỏ”: its status is trash" in result.stderr
    entries = stored_entries(app, "news")
    boat = entries["https://vensong.example/?p=640"]
    assert boat["content_html"].startswith(
        "<p>Bến tàu mở cửa sáng nay.<br>Khách đi miễn phí tuần đầu.</p>"
    )
    assert "[caption" not in boat["content_html"]
    assert (boat["summary"], boat["categories"]) == ("Bến tàu mở cửa.", ["doi-song"])
    draft = entries["https://vensong.example/?p=641"]
    assert draft["status"] == "draft"
    assert "date_published" not in draft
