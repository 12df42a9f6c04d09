"""Foreign feeds, calendars and exports, after the manner of real ones: what becomes of them, once and again."""

from __future__ import annotations

import codecs
import json
import os
import random
import re
import shutil
import socket
import subprocess
import unicodedata
import uuid
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.errors import BadRequest
from feedsvc.importers import importer
from feedsvc.importers.base import ImportedEntry
from feedsvc.importers.importer import read
from feedsvc.query import KINDS
from feedsvc.services import get_services
from feedsvc.storage import Storage
from feedsvc.storage.tables import entries
from tests.conformance import findings
from tests.conftest import ApiClient
from tests.fake_clock import HANOI, Clock
from tests.server import free_port

FOREIGN = Path(__file__).parent / "fixtures"

# What each file holds: how many entries of it are taken, and one of their guids.
FILES = {
    "wordpress.rss": (2, "https://vensong.example/?p=812"),
    "drupal.rss": (1, "4711 at https://so-van-hoa.example"),
    "bao.rss": (2, "https://bao.example/mua-lon-4820001.html"),
    "bare.rss": (2, "http://phuongdong.example/tin.asp?id=8"),
    "xhtml.atom": (2, "tag:thu-vien.example,2026:sach-moi"),
    "feed.json": (2, "2026-11-18-cay-xanh"),
    "google.ics": (4, "5k1q0p2v8d3@google.com"),
    "export.wxr": (2, "https://vensong.example/?p=640"),
    "media.wxr": (2, "https://vensong.example/?p=700"),
    "dotnet.rss": (2, "https://bao-vensong.example/lich-cat-nuoc-1001.htm"),
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection is made")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def take(app: Flask, data: bytes, *options: str) -> Result:
    result = app.test_cli_runner().invoke(args=["import", "-", *options], input=data)
    assert result.exit_code == 0, result.output
    return result


def stored(app: Flask, kind: str) -> dict[str, dict[str, Any]]:
    """Every entry as the API answers it, by guid."""
    services = get_services(app)
    with services.storage.reader() as reader:
        entries, _ = reader.list_entries(kind, limit=200)
    return {entry.guid: services.schemas[kind].dump(entry) for entry in entries}


def writes(storage: Storage) -> int:
    with storage.reader() as reader:
        return len(list(reader.audit_log(id=None, token=None, since=None)))


@pytest.mark.parametrize("name", FILES)
def test_twice_is_once_with_its_guid(
    app: Flask, storage: Storage, clock: Clock, name: str
) -> None:
    count, guid = FILES[name]
    data, kind = (
        (FOREIGN / name).read_bytes(),
        "events" if name.endswith("ics") else "news",
    )
    assert f"{count} new, 0 changed, 0 unchanged" in take(app, data).stdout
    before, written = stored(app, kind), writes(storage)
    clock.forward(hours=1)
    assert f"0 new, 0 changed, {count} unchanged" in take(app, data).stdout
    assert stored(app, kind) == before
    assert writes(storage) == written, "an unchanged entry writes nothing"
    assert guid in before
    assert len(before) == count


@pytest.mark.parametrize(
    "reference", ["&amp;#xFFFD;", "&amp;#0;", "&amp;#1;", "a" + "&amp;#x301;" * 40]
)
def test_item_without_title_does_not_end_the_import(app: Flask, reference: str) -> None:
    items = (
        "<item><title>Tốt</title><guid>1</guid></item>"
        f"<item><guid>2</guid><description>&lt;p&gt;{reference} chữ&lt;/p&gt;</description></item>"
        "<item><title>Cũng tốt</title><guid>3</guid></item>"
    )
    take(
        app,
        f"<rss version='2.0'><channel><title>x</title>{items}</channel></rss>".encode(),
    )
    assert {"1", "3"} <= stored(app, "news").keys()


def test_wordpress(app: Flask) -> None:
    take(app, (FOREIGN / "wordpress.rss").read_bytes())
    market, power = (
        stored(app, "news")[f"https://vensong.example/?p={number}"]
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
        assert reader.get_category("van-hoa-du-lich").title == "Văn hóa & Du lịch"


def test_drupal_and_a_newspaper(app: Flask) -> None:
    for name in ("drupal.rss", "bao.rss"):
        take(app, (FOREIGN / name).read_bytes())
    found = stored(app, "news")
    pots = found["4711 at https://so-van-hoa.example"]
    assert 'href="https://so-van-hoa.example/ve-chung-toi"' in pots["content_html"]
    assert pots["image"] == {
        "url": "https://so-van-hoa.example/sites/default/files/gom%20lon.jpg"
    }
    rain = found["https://bao.example/mua-lon-4820001.html"]
    assert rain["title"] == 'Mưa lớn, nhiều tuyến phố ngập "như sông"'
    assert rain["image"] == {
        "url": "https://i.bao.example/2026/mua.jpg?w=1200&h=0&s=Qx"
    }
    assert rain["content_html"].endswith(
        "Mưa từ rạng sáng khiến 12 tuyến phố ngập sâu nửa mét."
    )
    assert "attachments" not in rain or rain["attachments"] == []


def test_atom_and_json(app: Flask) -> None:
    for name in ("xhtml.atom", "feed.json"):
        take(app, (FOREIGN / name).read_bytes())
    found = stored(app, "news")
    book = found["tag:thu-vien.example,2026:sach-moi"]
    assert book["title"] == "Sách mới: Phố & người"
    assert book["url"] == "https://thu-vien.example/blog/sach-moi"
    assert 'href="https://thu-vien.example/blog/danh-muc"' in book["content_html"]
    assert book["categories"] == ["sach-moi"]
    assert book["attachments"][0]["url"] == "https://thu-vien.example/files/muc-luc.pdf"
    plain = found["urn:uuid:1225c695-cfb8-4ebb-aaaa-80da344efa6a"]
    assert plain["title"] == "1 < 2 &amp; chuyện khác", "Atom's text is what it says"
    assert plain["content_text"] == "Chữ thường, không có thẻ."
    trees = found["2026-11-18-cay-xanh"]
    assert trees["categories"] == ["moi-truong", "do-thi"]
    assert trees["attachments"][0]["duration_in_seconds"] == 61
    assert 'href="https://nhat-ky.example/ban-do"' in trees["content_html"]
    assert trees["authors"] == [
        {"name": "Ban biên tập", "url": "https://nhat-ky.example/ve"}
    ], "the feed's"
    assert found["42"]["title"] == "Ghi nhanh không tiêu đề: đèn đường đã sáng lại."


def test_our_own_json_feed_comes_back_as_it_was(
    app: Flask, client: FlaskClient, editor: ApiClient
) -> None:
    file = {
        "url": "https://a.example/a.mp3",
        "mime_type": "audio/mpeg",
        "duration_in_seconds": 61.5,
    }
    editor.put(
        "/articles/a",
        {
            "title": "Không có tác giả",
            "attachments": [file, {**file, "url": "https://a.example/b"}],
        },
    )
    take(app, client.get("/feeds/news.json").data.replace(b"urn:uuid:", b"urn:x:"))
    first, second = stored(app, "news").values()
    assert first["authors"] == second["authors"] == [], (
        "the portal is the feed's author, and no entry's"
    )
    assert first["attachments"] == second["attachments"]
    assert first["attachments"][0]["duration_in_seconds"] == 61.5


@pytest.mark.parametrize(
    ("author", "title", "inherited"),
    [
        ({"name": "Ven Sông"}, "Tin tức mới nhất – Ven Sông", False),
        ({"name": "Ven Sông"}, "Ven Sông", False),
        ({"name": "Ban biên tập", "url": "https://ven.example"}, "Ven Sông", False),
        ({"name": "Lan", "url": "https://ven.example/lan"}, "Ven Sông", True),
        ({"name": "An"}, "An ninh Ven Sông", True),
    ],
)
def test_entries_inherit_the_authors_of_a_json_feed_but_not_the_site(
    app: Flask, author: dict[str, str], title: str, inherited: bool
) -> None:
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": title,
        "home_page_url": "https://ven.example/",
        "authors": [author],
        "items": [{"id": "a", "content_text": "a"}],
    }
    take(app, json.dumps(feed).encode())
    assert stored(app, "news")["a"]["authors"] == ([author] if inherited else [])


def test_a_calendar(app: Flask, client: FlaskClient) -> None:
    result = take(app, (FOREIGN / "google.ics").read_bytes())
    assert "skipped: “Khám răng”: it is not public" in result.stderr
    found = stored(app, "events")
    music = found["5k1q0p2v8d3@google.com"]
    assert music["start"] == "2026-12-05T19:00:00+07:00"
    assert music["location"] == {"name": "Công viên Thống Nhất, Hà Nội, Việt Nam"}
    assert 'href="https://quan.example/nhac"' in music["content_html"]
    series = found["7abc@google.com"]["recurrence"]
    assert series["exdates"] == ["2026-12-16T19:00:00", "2026-12-23T19:00:00"]
    moved = found["7abc@google.com/2026-12-23T19:00:00+07:00"]
    assert (moved["start"], moved["all_day"]) == ("2026-12-24T18:00:00+07:00", False)
    assert found["9def@google.com"]["all_day"] is True
    calendar = client.get("/feeds/events.ics").text
    assert "UID:5k1q0p2v8d3@google.com\r\n" in calendar


def test_wordpress_own_export(app: Flask) -> None:
    result = take(app, (FOREIGN / "export.wxr").read_bytes())
    assert "2 new" in result.stdout
    assert "skipped: “Giới thiệu”: it is of the type page, not a post" in result.stderr
    assert "skipped: “Đã bỏ”: its status is trash" in result.stderr
    found = stored(app, "news")
    boat = found["https://vensong.example/?p=640"]
    assert boat["content_html"].startswith(
        "<p>Bến tàu mở cửa sáng nay.<br>Khách đi miễn phí tuần đầu.</p>"
    )
    assert "[caption" not in boat["content_html"]
    assert (boat["summary"], boat["categories"]) == ("Bến tàu mở cửa.", ["doi-song"])
    draft = found["https://vensong.example/?p=641"]
    assert draft["status"] == "draft"
    assert "date_published" not in draft


TONES = "\u0300\u0301\u0303\u0309\u0323"


def windows_1258(text: str) -> bytes:
    """Text with its tone marks apart, as that encoding has them."""
    apart = []
    for char in unicodedata.normalize("NFC", text):
        marks = unicodedata.normalize("NFD", char)
        tones = "".join(mark for mark in marks if mark in TONES)
        bare = unicodedata.normalize(
            "NFC", "".join(mark for mark in marks if mark not in TONES)
        )
        apart.append(bare + tones)
    return "".join(apart).encode("windows-1258")


@pytest.mark.parametrize(
    ("declared", "encode"),
    [
        ("windows-1258", windows_1258),
        ("UTF-8", windows_1258),
        ("ISO-8859-1", windows_1258),
        ("x-vietnamese", windows_1258),
        ("ISO-8859-1", str.encode),
        ("windows-1258", str.encode),
        ("UTF-16", lambda text: text.encode("utf-16")),
        ("UTF-16", lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be")),
        ("UTF-8", lambda text: codecs.BOM_UTF8 + b"\r\n " + text.encode()),
    ],
)
def test_encodings_right_and_wrong(app: Flask, declared: str, encode: Any) -> None:
    text = (FOREIGN / "bare.rss").read_text("utf-8").replace("UTF-8", declared)
    result = take(app, encode(text))
    titles = {entry["title"] for entry in stored(app, "news").values()}
    assert titles == {"Họp tổ dân phố số 7: bàn về vệ sinh ngõ xóm", "Đổi giờ tiếp dân"}
    assert "damaged" not in result.stderr


@pytest.mark.parametrize("name", ["feed.json", "google.ics"])
@pytest.mark.parametrize(
    "encode",
    [lambda text: text.encode("utf-16"), lambda text: text.encode("utf-8-sig")],
)
def test_encodings_of_what_is_no_xml(app: Flask, name: str, encode: Any) -> None:
    result = take(app, encode((FOREIGN / name).read_text("utf-8")))
    assert f"{FILES[name][0]} new" in result.stdout
    assert "damaged" not in result.stderr


def test_bytes_that_are_wrong_here_and_there(app: Flask) -> None:
    """As where a program has cut a text in the middle of a character."""
    data = channel(
        "<item><guid>g</guid><title>Hội chợ ở phố sách Lê Lợi</title></item>"
    )
    result = take(app, data.replace("ợi<".encode(), "ợ".encode()[:-1] + b"<"))
    assert stored(app, "news")["g"]["title"] == "Hội chợ ở phố sách Lê L"
    assert (
        "The file is damaged. Bytes that are not UTF-8 are left out in 1 places."
        in result.stderr
    )


@pytest.mark.parametrize(
    "declared", ["idna", "undefined", "raw_unicode_escape", "utf-7", "a\0b"]
)
def test_an_encoding_of_another_purpose_is_none(app: Flask, declared: str) -> None:
    item = "<item><guid>g</guid><title>caf\xe9 \\ud800 +2AA-</title></item>"
    data = f'<?xml version="1.0" encoding="{declared}"?><rss version="2.0"><channel>{item}</channel></rss>'
    assert "1 new" in take(app, data.encode("latin-1")).stdout


def channel(items: str, before: str = "") -> bytes:
    """A feed in RSS."""
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f'{head}{before}<rss version="2.0"><channel><title>t</title><link>https://a.example/tin/</link>{items}</channel></rss>'.encode()


@pytest.mark.parametrize(
    ("spelt", "date"),
    [
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
    ],
)
def test_dates(app: Flask, spelt: str, date: str) -> None:
    take(
        app,
        channel(
            f"<item><guid>g</guid><title>a</title><pubDate>{spelt}</pubDate></item>"
        ),
    )
    assert stored(app, "news")["g"]["date_published"] == date


@pytest.mark.parametrize(
    "spelt", ["hôm qua", "Tue, 03 Nov", "10:00", "1795485600", "0000-00-00 00:00:00"]
)
def test_a_date_that_cannot_be_read_is_said(app: Flask, spelt: str) -> None:
    result = take(
        app,
        channel(
            f"<item><guid>g</guid><title>a</title><pubDate>{spelt}</pubDate></item>"
        ),
    )
    assert "left out: date_published of “a”: " in result.stderr


def test_a_guid_that_stands_twice(app: Flask, storage: Storage) -> None:
    data = channel(
        "<item><guid>g</guid><title>Một</title></item><item><guid>g</guid><title>Hai</title></item>"
    )
    assert "1 new, 0 changed, 0 unchanged, 1 skipped" in take(app, data).stdout
    result = take(app, data)
    assert "0 new, 0 changed, 1 unchanged, 1 skipped" in result.stdout
    assert "skipped: “Một”: a later entry has the same guid" in result.stderr
    assert stored(app, "news")["g"]["title"] == "Hai"


def test_files_without_a_type(app: Flask) -> None:
    files = ('url="/a b.mp4"', 'url="//b.example/c" type=""', 'url="d.png" length="7"')
    take(
        app,
        channel(
            f"<item><guid>g</guid><title>a</title>{''.join(f'<enclosure {one}/>' for one in files)}</item>"
        ),
    )
    entry = stored(app, "news")["g"]
    assert [(file["url"], file["mime_type"]) for file in entry["attachments"]] == [
        ("https://a.example/a%20b.mp4", "video/mp4"),
        ("https://b.example/c", "application/octet-stream"),
    ]
    assert entry["image"]["url"] == "https://a.example/tin/d.png"


def test_an_entry_of_atom_without_a_link_and_with_content_that_is_no_text(
    app: Flask,
) -> None:
    entry = '<entry><id>tag:a,2026:1</id><title>a</title><content type="image/png">aGVsbG8=</content></entry>'
    result = take(
        app,
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entry}</feed>'.encode(),
    )
    found = stored(app, "news")["tag:a,2026:1"]
    assert result.stderr == ""
    assert found["url"] == f"https://feeds.example/entries/{found['id']}"
    assert "content_html" not in found


def test_a_file_of_an_event_without_a_type(app: Flask) -> None:
    lines = (
        "BEGIN:VCALENDAR",
        "BEGIN:VEVENT",
        "UID:u",
        "SUMMARY:a",
        "DTSTART:20261205T120000Z",
    )
    more = ("ATTACH:https://a.example/b.pdf", "END:VEVENT", "END:VCALENDAR", "")
    take(app, "\r\n".join(lines + more).encode())
    assert (
        stored(app, "events")["u"]["attachments"][0]["mime_type"] == "application/pdf"
    )


def test_entities_of_html_in_a_dtd(app: Flask) -> None:
    dtd = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://a.example/rss-0.91.dtd">'
    take(app, channel("<item><guid>g</guid><title>H&ocirc;m nay</title></item>", dtd))
    assert stored(app, "news")["g"]["title"] == "Hôm nay"


BOMB = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 9}">' for n in range(1, 10))


@pytest.mark.parametrize("entities", ['<!ENTITY x SYSTEM "file:///etc/passwd">', BOMB])
def test_entities_are_not_resolved(entities: str) -> None:
    name = "x" if "SYSTEM" in entities else "e9"
    document = f"""<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY e0 "ha">{entities}]>
    <rss version="2.0"><channel><title>t</title><item><guid>g</guid><title>a &{name}; b</title></item></channel></rss>"""
    found = [
        item
        for item in read(document.encode(), HANOI)
        if isinstance(item, ImportedEntry)
    ]
    assert not any("root:" in str(item) or "haha" in str(item) for item in found)


@pytest.mark.parametrize(
    ("name", "cut", "guid"),
    [
        ("wordpress.rss", b"Lich", "https://vensong.example/?p=812"),
        ("feed.json", b'{"id": 42', "2026-11-18-cay-xanh"),
        ("google.ics", b"BEGIN:VEVENT\r\nDTSTART;VALUE=DATE", "5k1q0p2v8d3@google.com"),
    ],
)
def test_of_a_broken_file_what_can_be_read(
    app: Flask, name: str, cut: bytes, guid: str
) -> None:
    data = (FOREIGN / name).read_bytes()
    at = data.find(cut) if cut in data else data.find("Lịch cắt".encode())
    result = take(app, data[: at + 20])
    assert "The file is damaged. " in result.stderr
    assert guid in stored(app, "events" if name.endswith("ics") else "news")


def test_what_is_wrong_is_left_out_or_skipped_and_said(app: Flask) -> None:
    result = take(
        app,
        """{"version": "https://jsonfeed.org/version/1", "items": [
        {"id": "a", "title": "Ảnh sai", "content_text": "x", "image": "javascript:alert(1)", "tags": ["🎉", "Tin"]},
        {"id": "b", "title": "Tệp sai", "content_text": "x", "attachments": [{"url": "no"}, {"url": "https://a.example/b", "mime_type": "a/b"}]},
        {"id": "c", "title": "Ngày sai", "content_text": "x", "date_published": "hôm qua"},
        {"id": "d", "content_text": ""},
        7]}""".encode(),
    )
    assert "3 new, 0 changed, 0 unchanged, 1 skipped" in result.stdout
    for line in (
        "left out: image/url of “Ảnh sai”: ",
        "left out: category “🎉”: ",
        "left out: attachments/0/url of “Tệp sai”: ",
        "left out: date_published of “Ngày sai”: ",
        "skipped: “d”: title: Empty.",
        "An item is not an object.",
    ):
        assert line in result.stderr, line
    found = stored(app, "news")
    assert found["a"]["categories"] == ["tin"]
    assert [file["url"] for file in found["b"]["attachments"]] == [
        "https://a.example/b"
    ]


def damaged(data: bytes, chance: random.Random) -> bytes:
    """A file with lines lost, moved, repeated, cut, and bytes that are others."""
    lines = data.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        here, there = (chance.randrange(len(lines)) for _ in range(2))
        line = bytearray(lines[here]) or bytearray(b" ")
        line[chance.randrange(len(line))] = chance.randrange(256)
        lines = chance.choice(
            (
                [*lines[:here], *lines[here + 1 :], b""],
                [*lines[:here], lines[there], *lines[here:]],
                [*lines[:here], bytes(line), *lines[here + 1 :]],
                [*lines[:here], lines[here][: len(line) // 2], *lines[here + 1 :]],
                lines[: here + 1],
            )
        )
    return b"\n".join(lines)


@pytest.mark.parametrize("seed", range(int(os.environ.get("IMPORTS", "4"))))
def test_whatever_is_damaged_is_read_or_refused(
    app: Flask, storage: Storage, seed: int
) -> None:
    chance = random.Random(seed)
    files = [(FOREIGN / name).read_bytes() for name in FILES]
    for _ in range(50):
        data, kind = damaged(chance.choice(files), chance), chance.choice(KINDS)
        with suppress(BadRequest):
            for _ in importer.Importer(storage, get_services(app).schemas[kind]).run(
                read(data, HANOI)
            ):
                pass


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<html><body>404</body></html>", b'{"a": 1}', b"[1]"]
)
def test_what_is_no_feed_is_refused(app: Flask, data: bytes) -> None:
    result = app.test_cli_runner().invoke(args=["import", "-"], input=data)
    assert result.exit_code == 1
    assert "The file is" in str(result.exception)


def test_what_changed_there_changes_here_and_what_was_taken_away_here_stays_away(
    app: Flask, editor: ApiClient
) -> None:
    data = (FOREIGN / "wordpress.rss").read_bytes()
    take(app, data)
    found = stored(app, "news")
    market, power = (
        found[f"https://vensong.example/?p={number}"]["id"] for number in (812, 807)
    )
    editor.send("DELETE", f"/articles/{power}")
    editor.send("PATCH", "/categories/doi-song", {"slug": "doi-song-moi"})
    result = take(app, data.replace(b"40 gian", b"50 gian"))
    assert "0 new, 1 changed, 0 unchanged, 1 skipped" in result.stdout
    assert "it was deleted here" in result.stderr
    changed: dict[str, Any] = editor.send("GET", f"/articles/{market}").get_json()
    assert changed["title"].endswith("50 gian hàng")
    assert changed["categories"] == ["doi-song-moi", "van-hoa-du-lich"], (
        "a renamed category is followed"
    )
    assert changed["version"] == 2


@pytest.mark.parametrize(
    "change", [{"status": "draft"}, {"title": "Sửa lại"}, {"summary": "Sửa lại"}]
)
def test_an_import_does_not_overwrite_what_an_editor_has_changed(
    app: Flask, editor: ApiClient, change: dict[str, Any]
) -> None:
    data = (FOREIGN / "drupal.rss").read_bytes()
    take(app, data)
    (entry,) = stored(app, "news").values()
    edited = editor.send("PATCH", f"/articles/{entry['id']}", change).get_json()
    assert edited["version"] == 2
    result = take(app, data.replace(b"G\xe1\xbb\x91m", b"G\xe1\xba\xa1ch"))
    assert (
        "0 new, 0 changed, 0 unchanged, 0 skipped, 1 not overwritten" in result.stdout
    )
    assert f"not overwritten: “{entry['title']}”" in result.stderr.replace(
        "Gạch", "Gốm"
    )
    assert editor.send("GET", f"/articles/{entry['id']}").get_json() == edited


def test_an_import_updates_entries_that_only_the_service_has_changed(
    app: Flask, storage: Storage, editor: ApiClient, clock: Clock
) -> None:
    items = "<item><guid>g</guid><title>Một</title><category>Xã hội</category>{}</item>"
    body = "<description>&lt;p&gt;x&lt;/p&gt;</description>"
    tomorrow = "<pubDate>2026-11-26T10:00:00Z</pubDate>"
    take(app, channel(items.format(body + tomorrow)))
    clock.forward(days=2)
    storage.apply_scheduled_changes()
    editor.send("PATCH", "/categories/xa-hoi", {"slug": "doi-song"})
    with storage._database.write() as connection:
        connection.execute(entries.update().values(content_html="<p onclick=x>x</p>"))
    assert "1 changed" in app.test_cli_runner().invoke(args=["db", "sanitize"]).stdout
    result = take(
        app, channel(items.format(body.replace("x&lt;/", "y&lt;/") + tomorrow))
    )
    assert (
        "0 new, 1 changed, 0 unchanged, 0 skipped, 0 not overwritten" in result.stdout
    )


def test_an_import_does_not_overwrite_an_entry_that_was_posted_with_its_guid(
    app: Flask, editor: ApiClient
) -> None:
    guid = editor.put("/articles/a", {"title": "Đăng tại đây"}).get_json()["guid"]
    result = take(
        app, channel(f"<item><guid>{guid}</guid><title>Từ nơi khác</title></item>")
    )
    assert "0 changed, 0 unchanged, 0 skipped, 1 not overwritten" in result.stdout
    assert stored(app, "news")[guid]["title"] == "Đăng tại đây"


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><id>a</id><title>A</title><updated>2020-01-01T00:00:00Z</updated>
<entry><id>tag:a,1</id><title>Một</title><published>2010-05-06T07:08:09Z</published><updated>{}</updated></entry></feed>"""
RSS = """<rss version="2.0"><channel><title>A</title><item><guid isPermaLink="false">tag:a,1</guid><title>Một</title>
<pubDate>Thu, 06 May 2010 07:08:09 +0000</pubDate></item></channel></rss>"""
WXR = """<rss version="2.0" xmlns:wp="http://wordpress.org/export/1.2/"><channel><title>A</title><item>
<guid isPermaLink="false">tag:a,1</guid><title>Một</title><pubDate>Thu, 06 May 2010 07:08:09 +0000</pubDate>
<wp:post_modified_gmt>2011-02-03 04:05:06</wp:post_modified_gmt><wp:status>publish</wp:status>
<wp:post_type>post</wp:post_type></item></channel></rss>"""
CALENDAR = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:tag:a,1
SUMMARY:Một
DTSTART:20270101T120000Z
CREATED:20100506T070809Z
DTSTAMP:20150101T000000Z
{}END:VEVENT
END:VCALENDAR
"""
JSON_FEED = {
    "version": "https://jsonfeed.org/version/1.1",
    "title": "A",
    "items": [
        {"id": "tag:a,1", "title": "Một", "date_published": "2010-05-06T07:08:09Z"}
    ],
}
LATER = {"date_modified": "2011-02-03T04:05:06Z"}


@pytest.mark.parametrize(
    ("file", "updated"),
    [
        (ATOM.format("2011-02-03T04:05:06Z"), "2011-02-03T04:05:06Z"),
        (ATOM.format("2009-02-03T04:05:06Z"), "2010-05-06T07:08:09Z"),
        (ATOM.format("gestern"), "2010-05-06T07:08:09Z"),
        (RSS, "2010-05-06T07:08:09Z"),
        (WXR, "2011-02-03T04:05:06Z"),
        (json.dumps(JSON_FEED), "2010-05-06T07:08:09Z"),
        (
            json.dumps(JSON_FEED | {"items": [JSON_FEED["items"][0] | LATER]}),  # type: ignore[operator]
            "2011-02-03T04:05:06Z",
        ),
        (CALENDAR.format("LAST-MODIFIED:20110203T040506Z\n"), "2011-02-03T04:05:06Z"),
        (CALENDAR.format(""), "2015-01-01T00:00:00Z"),
    ],
)
def test_imported_entries_are_of_when_their_source_changed_them(
    app: Flask,
    client: FlaskClient,
    clock: Clock,
    storage: Storage,
    file: str,
    updated: str,
) -> None:
    clock.forward(hours=1)
    take(app, file.encode())
    kind = "events" if file.startswith("BEGIN") else "news"
    (entry,) = stored(app, kind).values()
    assert entry["date_modified"] == updated
    feed = feedparser.parse(client.get(f"/feeds/{kind}.atom").data)
    assert feed.entries[0].updated.replace("+07:00", "") == local(updated)
    assert feed.feed.updated.replace("+07:00", "") == local(
        f"{clock.now:%Y-%m-%dT%H:%M:%SZ}"
    ), "it appeared now"
    with storage.writer("editor") as writer:
        writer.put_entry(replace(writer.get_entry(entry["id"]), title="Hai"))
    (entry,) = stored(app, kind).values()
    assert entry["date_modified"] > "2026"


def local(moment: str) -> str:
    """Return a time of Hà Nội's clocks, without its offset."""
    return (
        datetime.fromisoformat(moment)
        .astimezone(HANOI)
        .replace(tzinfo=None)
        .isoformat()
    )


def test_no_imported_entry_is_of_a_time_ahead(app: Flask, clock: Clock) -> None:
    take(app, ATOM.format("2037-02-03T04:05:06Z").encode())
    (entry,) = stored(app, "news").values()
    assert datetime.fromisoformat(entry["date_modified"]) - clock.now < timedelta(
        seconds=1
    )


def test_events_of_a_feed(app: Flask, client: FlaskClient, editor: ApiClient) -> None:
    """Our own feed of events, taken over by another."""
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
        assert "1 skipped" not in take(app, data, "--kind", "events").stdout
        (event,) = stored(app, "events").values()
        assert event["start"] == "2026-12-24T19:00:00+07:00", form
        assert event["location"]["name"] == "Phố sách"


def test_a_guid_that_is_no_uri_is_one_in_atom(
    app: Flask, client: FlaskClient, editor: ApiClient
) -> None:
    guid = FILES["drupal.rss"][1]
    take(app, (FOREIGN / "drupal.rss").read_bytes())
    (entry,) = stored(app, "news").values()
    in_rss, in_atom = (
        client.get(f"/feeds/news.{form}").data for form in ("rss", "atom")
    )
    assert feedparser.parse(in_rss).entries[0].id == guid
    assert f'"id": "{guid}"' in client.get("/feeds/news.json").text
    assert (
        feedparser.parse(in_atom).entries[0].id
        == uuid.uuid5(uuid.NAMESPACE_URL, guid).urn
    )
    assert findings(in_atom, "application/atom+xml") == []
    editor.send("DELETE", f"/articles/{entry['id']}")
    assert (
        f'ref="{uuid.uuid5(uuid.NAMESPACE_URL, guid).urn}"'
        in client.get("/feeds/news.atom").text
    )


@pytest.fixture
def links(app: Flask) -> str:
    """The map of redirects after some imports."""
    for name in ("wordpress.rss", "bare.rss", "feed.json"):
        take(app, (FOREIGN / name).read_bytes())
    done = app.test_cli_runner().invoke(args=["export", "--redirects", "-"])
    assert done.exit_code == 0
    return done.output


def test_redirects(app: Flask, links: str) -> None:
    pages = {entry["url"]: entry["id"] for entry in stored(app, "news").values()}
    market = pages["https://vensong.example/2026/11/cho-dem-mo-lai/"]
    assert (
        f'"vensong.example/2026/11/cho-dem-mo-lai/" "https://feeds.example/entries/{market}";'
        in links
    )
    query = pages["http://phuongdong.example/tin.asp?id=7"]
    assert (
        f'"phuongdong.example/tin.asp?id=7" "https://feeds.example/entries/{query}";'
        in links
    )
    assert len(re.findall('^    "', links, re.MULTILINE)) == 5, (
        "an item without a link has none to redirect"
    )


@pytest.mark.skipif(not shutil.which("nginx"), reason="there is no nginx")
def test_nginx_leads_readers_along(links: str, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "moved.conf").write_text(links)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error; events {{}} "
        f"http {{ access_log off; include {tmp_path}/moved.conf; server {{ listen 127.0.0.1:{port}; "
        "if ($feedsvc_moved) { return 301 $feedsvc_moved; } return 404; } }"
    )

    def asked(url: str) -> str:
        """Status and Location of a link of the old site."""
        host, path = url.removeprefix("http://").split("/", 1)
        command = [
            "curl",
            "-s",
            "--retry",
            "20",
            "--retry-connrefused",
            "--retry-delay",
            "0",
            "-o",
            "/dev/null",
        ]
        command += [
            "-w",
            "%{http_code} %{redirect_url}",
            "-H",
            f"Host: {host}",
            f"http://127.0.0.1:{port}/{path}",
        ]
        return subprocess.run(command, capture_output=True, text=True).stdout

    nginx = subprocess.Popen(
        ["nginx", "-p", str(tmp_path), "-c", f"{tmp_path}/nginx.conf"]
    )
    try:
        found = asked("http://phuongdong.example/tin.asp?id=7")
        assert re.fullmatch(r"301 https://feeds\.example/entries/[0-9a-f]{32}", found)
        assert asked("http://phuongdong.example/tin.asp?id=9").startswith("404 ")
    finally:
        nginx.terminate()
        nginx.wait()
