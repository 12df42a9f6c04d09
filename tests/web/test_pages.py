"""Pages: counts, languages, the redirects of the builder, errors, escaped text."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import html

from feedsvc.storage import Storage
from feedsvc.web.static_files import brand_css
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FEEDREADER = {"Accept": "application/rss+xml, text/xml;q=0.9, */*;q=0.8"}
MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


def get_page(client: FlaskClient, path: str, status: int = 200) -> Any:
    response = client.get(path, headers=BROWSER)
    assert response.status_code == status, path
    assert response.mimetype == "text/html"
    return html.fromstring(response.text)


def counts(client: FlaskClient) -> dict[str, str]:
    """Return the count and the newest title of each section and category."""
    counts_by_path = {}
    for head in get_page(client, "/").xpath("//div[@class='head']"):
        (link,) = head.xpath("./h2/a | ./h3/a")
        path = link.get("href").removeprefix("https://feeds.example/feeds/")
        counts_by_path[path] = " ".join(
            item.text_content()
            for item in head.xpath(".//span[@class='count'] | ./p[@class='shown']/a")
        )
    return counts_by_path


def test_directory_shows_counts_and_the_newest_entry(
    editor: ApiClient, client: FlaskClient, storage: Storage, clock: Clock
) -> None:
    assert set(counts(client).values()) == {"Chưa có bài", "Chưa có sự kiện sắp tới"}
    editor.put("/categories/xe-buyt", {"title": "Xe buýt", "parent": "giao-thong"})
    editor.put("/articles/a", {"title": "Một", "categories": ["xe-buyt"]})
    clock.forward(seconds=1)
    editor.put("/articles/b", {"title": "Hai", "categories": ["giao-thong"]})
    editor.put(
        "/events/e",
        {"title": "Hội", "start": "2026-11-26T19:00:00", "end": "2026-11-26T20:00:00"},
    )
    shown = counts(client)
    assert shown["news.html"] == "2 bài Hai"
    assert shown["news/giao-thong.html"] == "2 bài Hai"
    assert shown["news/xe-buyt.html"] == "1 bài Một"
    assert shown["news/van-hoa.html"] == "Chưa có bài"
    assert shown["events.html"] == "1 sự kiện sắp tới Hội"
    inner = get_page(client, "/").xpath(
        "//li[div//a[contains(@href, '/news/giao-thong.html')]]/ul/li//h3/a/text()"
    )
    assert inner == ["Xe buýt"], "it stands within the wider one"
    editor.send("PATCH", "/articles/b", {"title": "Ba"})
    assert counts(client)["news.html"] == "2 bài Ba"
    editor.send("DELETE", "/articles/b")
    editor.put("/articles/c", {"title": "Mai", "date_published": "2026-11-26T08:00:00"})
    assert counts(client)["news/giao-thong.html"] == "1 bài Một"
    clock.forward(days=3)
    storage.apply_scheduled_changes()
    assert counts(client)["news.html"] == "2 bài Mai"
    assert counts(client)["events.html"] == "Chưa có sự kiện sắp tới", "it is over"


def test_directory_changes_when_an_event_ends(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    clock.forward(seconds=30)
    editor.put("/events/e", {"title": "Hội", "start": "2026-11-25T10:01:00"})
    clock.forward(seconds=10)
    before = client.get("/")
    assert before.cache_control.max_age == 20
    clock.forward(seconds=22)
    after = client.get("/", headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert before.last_modified
    assert after.last_modified
    assert after.last_modified > before.last_modified


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ("kind=news&format=rss", "news.rss"),
        ("kind=events&format=ics&with=van-hoa&match=all", "events/van-hoa.ics"),
        ("kind=news&format=atom&with=van-hoa&with=giao-thong&match=any", "news/giao-thong,van-hoa.atom"),
        ("kind=news&format=atom&with=van-hoa&with=giao-thong&match=all", "news/giao-thong+van-hoa.atom"),
        ("kind=news&format=json&without=van-hoa&match=any", "news/-van-hoa.json"),
        ("kind=news&format=json&with=giao-thong&without=van-hoa", "news/giao-thong,-van-hoa.json"),
        ("kind=events&format=html&limit=&content=full&from=2026-12-01&to=&when=&order=published", "events.html?content=full&from=2026-12-01&order=published"),
        ("kind=events&format=html&limit=20&content=summary&order=start", "events.html"),
        ("kind=news&format=html&when=past&order=start&cancelled=hide&lang=EN", "news.html?lang=en"),
        ("kind=news&format=rss&with=GIAO-THONG", "news/giao-thong.rss"),
    ],
)  # fmt: skip
def test_builder_redirects_to_the_canonical_url(
    editor: ApiClient, client: FlaskClient, parameters: str, path: str
) -> None:
    response = client.get(f"/feeds/build?{parameters}")
    assert (response.status_code, response.headers["Location"]) == (303, path)
    feed = client.get(f"/feeds/{path}")
    assert feed.status_code == 200
    assert f"<https://feeds.example/feeds/{path}>" in feed.headers["Link"]


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "kind=news",
        "kind=nothing&format=rss",
        "kind=news&format=ics",
        "kind=news&format=exe",
        "kind=news&format=rss&with=<script>",
        "kind=news&format=rss&with=a%0d%0aX:1",
        "kind=news&format=rss&with=a,b&with=c&match=all",
        "kind=news&format=rss&" + "&".join(f"with=c{number}" for number in range(11)),
        "kind=news&format=rss&limit=0",
        "kind=news&format=rss&limit=5&limit=6",
        "kind=events&format=rss&from=2026-02-30",
        "kind=events&format=rss&from=2026-12-02&to=2026-12-01",
        "kind=news&format=rss&archive=2026-13",
        "kind=%00&format=%ff",
    ],
)
def test_builder_with_invalid_parameters_returns_400(
    client: FlaskClient, parameters: str
) -> None:
    document = get_page(client, f"/feeds/build?{parameters}", 400)
    assert document.xpath("//main//a[@href='../']"), "a way on"
    assert (
        client.get(f"/feeds/build?{parameters}").mimetype == "application/problem+json"
    )


def test_error_pages_have_links(editor: ApiClient, client: FlaskClient) -> None:
    editor.put("/articles/a", {"title": "Tin"})
    editor.put("/articles/b", {"title": "Tin", "status": "draft"})
    editor.send(
        "PATCH", "/articles/a", {"status": "withdrawn", "notice": f"Sai. {MARKUP}"}
    )
    gone = get_page(client, "/entries/a", 410)
    assert f"Sai. {MARKUP}" in gone.text_content()
    assert gone.xpath("//main//a/@href") == [
        "../feeds/news.html",
        "../feeds/events.html",
        "../",
    ]
    assert get_page(client, "/entries/b", 404).xpath("//h1/text()") == [
        "Không tìm thấy trang"
    ]
    assert (
        get_page(client, "/feeds/news/khong.html", 404).xpath("//link/@href")[0]
        == "../../static/style.css"
    )
    assert get_page(client, "/feeds/news.html?archive=2026-99", 400) is not None
    response = client.get("/entries/a", headers=BROWSER)
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]
    for headers in ({}, FEEDREADER, {"Accept": "*/*"}):
        assert (
            client.get("/entries/a", headers=headers).mimetype
            == "application/problem+json"
        )
    api = client.get("/api/v1/articles/a", headers=BROWSER)
    assert api.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/", "/entries/e", "/feeds/events.html", "/feeds/events/van-hoa.html"]
)
def test_page_in_the_other_language_has_its_own_url(
    editor: ApiClient, client: FlaskClient, path: str
) -> None:
    editor.put(
        "/events/e",
        {"title": "Hội", "start": "2030-12-24T19:00:00", "categories": ["van-hoa"]},
    )
    vi, en = get_page(client, path), get_page(client, f"{path}?ui=en")
    assert (vi.get("lang"), en.get("lang")) == ("vi", "en")
    assert vi.xpath("//header//a[@hreflang='en']/text()") == ["English"]
    assert en.xpath("//header//a[@hreflang='vi']/text()") == ["Tiếng Việt"]
    assert "24/12/2030" in vi.text_content() or "Thứ Ba" in vi.text_content()
    assert "thứ ba" not in en.text_content().lower()
    assert client.get(f"{path}?ui=vi").data == client.get(path).data
    assert client.get(f"{path}?ui=en").headers["X-Robots-Tag"] == "noindex"
    assert "X-Robots-Tag" not in client.get(path).headers
    asked = client.get(path, headers={"Accept-Language": "en"})
    assert asked.data == client.get(path).data, "the bytes of a URL stay one"


def test_text_is_escaped(editor: ApiClient, client: FlaskClient) -> None:
    editor.put("/categories/x", {"title": MARKUP, "description": MARKUP})
    person = {"name": MARKUP}
    both = {"title": MARKUP, "summary": MARKUP, "content_text": MARKUP, "notice": MARKUP, "categories": ["x"],
            "source": person, "rights": MARKUP,
            "image": {"url": "https://media.example/a.jpg", "alt": MARKUP, "caption": MARKUP, "credit": MARKUP},
            "attachments": [{"url": "https://media.example/a", "mime_type": "text/plain", "title": MARKUP}]}  # fmt: skip
    place = {"name": MARKUP, "address": MARKUP}
    editor.put("/articles/a", {**both, "authors": [person]})
    event = {
        "start": "2030-12-24T19:00:00",
        "location": place,
        "organizer": person,
        "event_status": "cancelled",
    }
    editor.put("/events/e", {**both, **event})
    paths = (
        "/",
        "/?ui=en",
        "/entries/a",
        "/entries/e",
        "/feeds/news.html",
        "/feeds/events/x.html",
        "/feeds/news.html?content=summary",
    )
    for path in paths:
        document = get_page(client, path)
        assert MARKUP in document.text_content(), path
        assert "49" not in document.xpath("string(//h1)")
        assert not document.xpath(
            "//@onerror | //img[@src='x'] | //script[not(@src) and not(@type)]"
        ), path


def test_event_page_has_time_and_place(editor: ApiClient, client: FlaskClient) -> None:
    place = {
        "name": "Nhà hát Lớn",
        "address": "1 Tràng Tiền",
        "latitude": 21.024,
        "longitude": 105.857,
    }
    event = {
        "title": "Hoà nhạc",
        "start": "2030-12-24T19:00:00",
        "location": place,
        "event_status": "cancelled",
    }
    editor.put("/events/e", event)
    editor.put("/events/f", {**event, "location": {"name": "Chợ Đồng Xuân"}})
    document = get_page(client, "/entries/e")
    assert document.xpath("//dd/text()")[0] == "19:00, thứ Ba 24/12/2030"
    (place_on_map,) = document.xpath("//a[@class='map']/@href")
    assert (
        place_on_map
        == "https://www.openstreetmap.org/?mlat=21.024&mlon=105.857#map=17/21.024/105.857"
    )
    assert document.xpath("//div[@class='facts']/p/a/text()") == [
        "Cập nhật lịch của bạn (.ics)"
    ]
    assert document.xpath("//h1//s/text()") == ["Hoà nhạc"]
    properties = dict(
        zip(
            document.xpath("//meta/@property"),
            document.xpath("//meta[@property]/@content"),
            strict=True,
        )
    )
    assert properties["og:title"] == "Hủy: Hoà nhạc"
    assert properties["og:url"] == "https://feeds.example/entries/e"
    (searched,) = get_page(client, "/entries/f").xpath("//a[@class='map']/@href")
    assert (
        searched
        == "https://www.openstreetmap.org/search?query=Ch%E1%BB%A3%20%C4%90%E1%BB%93ng%20Xu%C3%A2n"
    )
    page = get_page(client, "/feeds/events.html")
    assert page.xpath("//h2[@class='month']/text()") == ["Tháng 12 năm 2030"]
    assert {
        " ".join(" ".join(item.itertext()).split())
        for item in page.xpath("//main//article")
    } == {
        "Tháng 12 24 Thứ Ba Đã hủy Hoà nhạc 19:00 Nhà hát Lớn",
        "Tháng 12 24 Thứ Ba Đã hủy Hoà nhạc 19:00 Chợ Đồng Xuân",
    }


@pytest.mark.parametrize(
    ("color", "writing"),
    [
        ("#9d1c20", "#fff"),
        ("#ffd400", "#000"),
        ("#777777", "#000"),
        ("#6b6b6b", "#fff"),
    ],
)
def test_site_color_and_logo(make_app: MakeApp, color: str, writing: str) -> None:
    client = make_app(
        site_color=color, site_logo="https://portal.example/logo.svg"
    ).test_client()
    assert client.get("/static/style.css").data.endswith(brand_css(color))
    assert f"--on-brand: {writing};" in brand_css(color).decode()
    assert get_page(client, "/").xpath("//header//img/@src") == [
        "https://portal.example/logo.svg"
    ]


def test_embed_code_escapes_the_title_of_a_category(
    client: FlaskClient, editor: ApiClient
) -> None:
    editor.put("/categories/a", {"title": "<img src=x onerror=alert(1)> & b"})
    page: Any = html.fromstring(client.get("/feeds/news/a.html").data)
    code = page.get_element_by_id("for-body").text_content()
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; b</h2>" in code
    assert "<img" not in code
