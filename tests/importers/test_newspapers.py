"""Feeds in the manner of Vietnamese newspapers: their dates, line breaks and guids."""

from __future__ import annotations

from flask import Flask

from tests.importers.test_coming import FOREIGN, channel, stored, take


def test_line_breaks_spelled_as_end_tags_are_kept(app: Flask) -> None:
    take(app, (FOREIGN / "dotnet.rss").read_bytes())
    found = stored(app, "news")
    water = found["https://bao-vensong.example/lich-cat-nuoc-1001.htm"]["content_html"]
    assert water.endswith("</a><br>Ba phường mất nước sáng mai.")
    flowers = found["https://bao-vensong.example/duong-hoa-1002.htm"]["content_html"]
    assert (
        flowers
        == '<img src="https://i.bao-vensong.example/hoa.jpg"><br>Mở cửa đến hết tuần.'
    )


def test_line_breaks_of_xhtml_are_not_doubled(app: Flask) -> None:
    body = '<div xmlns="http://www.w3.org/1999/xhtml">Một<br></br>Hai</div>'
    entry = f'<entry><id>urn:a</id><title>a</title><content type="xhtml">{body}</content></entry>'
    take(
        app,
        f'<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>{entry}</feed>'.encode(),
    )
    assert stored(app, "news")["urn:a"]["content_html"].count("<br>") == 1


def test_dates_of_a_newspaper_and_what_is_said_of_them(app: Flask) -> None:
    result = take(app, (FOREIGN / "dotnet.rss").read_bytes())
    dates = {
        entry["title"]: entry["date_published"]
        for entry in stored(app, "news").values()
    }
    assert dates == {
        "Lịch cắt nước": "2026-10-02T02:25:00Z",
        "Đường hoa mở cửa": "2026-10-05T04:07:00Z",
    }
    assert (
        "read with the month first: 1, such as “10/2/2026 9:25:00 AM”" in result.stderr
    )


def test_a_guid_that_stands_twice_with_one_link_is_one_entry(app: Flask) -> None:
    item = (
        "<item><guid>g</guid><link>https://a.example/1</link><title>{}</title></item>"
    )
    result = take(app, channel(item.format("Một") + item.format("Hai")))
    assert "1 new, 0 changed, 0 unchanged, 1 skipped" in result.stdout
    assert [entry["title"] for entry in stored(app, "news").values()] == ["Hai"]
