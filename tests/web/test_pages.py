"""Pages: directory, entries, previews, languages, errors, escaped text."""

import gzip
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from tests.conftest import ApiClient, MakeApp
from tests.data import read_tables
from tests.data.fixtures import Wait
from tests.fake_clock import Clock
from tests.web.feeds import get_page

TABLES = read_tables("web")
FEEDREADER = {"Accept": "application/rss+xml, text/xml;q=0.9, */*;q=0.8"}
SITE_TITLE = "Cổng thông tin điện tử thành phố Hà Nội"
MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{ 7*7 }}"


def titles(page: Any, section: str) -> list[str]:
    """Return the titles of entries in a section of the front page."""
    path = f"//section[@aria-labelledby='{section}']//article//h3/a"
    return [link.text_content() for link in page.xpath(path)]


def test_front_page_shows_the_newest_articles_and_the_next_events(
    editor: ApiClient, client: FlaskClient, clock: Clock, wait: Wait
) -> None:
    links = get_page(client, "/").xpath("//link[@rel='alternate']/@href")
    names = [link.rpartition("/")[2] for link in links]
    assert names == ["news.rss", "events.rss", "events.ics"]
    editor.put("/events/past", {"title": "Đã qua", "start": "2026-11-01"})
    for number, day in enumerate((7, 3, 1, 5, 9, 2, 8)):
        image = "https://portal.example/a.jpg" if number == 3 else None
        editor.put(f"/articles/{number}", {"title": f"Tin {number}", "image": image})
        event = {"title": f"Ngày {day}", "start": f"2026-12-{day:02}"}
        editor.put(f"/events/day{day}", event)
        clock.forward(seconds=1)
    page = get_page(client, "/")
    # The newest one with a picture comes first.
    assert titles(page, "news") == [f"Tin {number}" for number in (3, 6, 5, 4, 2)]
    assert titles(page, "events") == ["Ngày 1", "Ngày 2", "Ngày 3"]
    # It is a Wednesday.
    wait(seconds=1)
    for title, day in (("Thứ Bảy", 28), ("Thứ Sáu", 27)):
        editor.put(f"/events/d{day}", {"title": title, "start": f"2026-11-{day}"})
    page = get_page(client, "/")
    assert titles(page, "events") == ["Thứ Sáu", "Thứ Bảy"]


FEEDS = "https://feeds.example/feeds/"


def paths(links: Iterable[Any]) -> list[str]:
    """Return the URLs of links to feeds, without their common beginning."""
    return [link.get("href").removeprefix(FEEDS) for link in links]


@pytest.fixture
def categories(editor: ApiClient) -> None:
    """Categories at two levels, with and without entries; Đ is beside D."""
    editor.put("/categories/van-hoa", {"title": "Đời sống"})
    for slug, parent in (("xe-buyt", "giao-thong"), ("y-te", None)):
        editor.put(f"/categories/{slug}", {"title": slug, "parent": parent})
    for path, document in TABLES["categorized"].items():
        editor.put(path, document)


@pytest.mark.both_databases
@pytest.mark.usefixtures("categories")
def test_front_page_leads_to_categories_with_entries_of_each_kind(
    client: FlaskClient,
) -> None:
    page = get_page(client, "/")
    rows = {
        row.findtext("span"): paths(row.findall("a"))
        for row in page.xpath("//ul[@class='rows']/li")
    }
    assert [*rows.items()] == [*TABLES["rows"].items()], "order"
    opml = client.get("/feeds.opml").text
    # Feeds of events have those that are over, too.
    for feed in ("events/xe-buyt", "news/giao-thong", "events/y-te"):
        assert f"/feeds/{feed}.rss" in opml
        assert f'htmlUrl="{FEEDS}{feed}.html"' in opml
    assert "/feeds/news/y-te.rss" not in opml


@pytest.mark.usefixtures("categories")
@pytest.mark.parametrize(("path", "levels", "chosen", "other"), TABLES["directory"])
def test_list_leads_to_categories_and_to_the_other_kind(
    client: FlaskClient,
    path: str,
    levels: list[list[str]],
    chosen: list[str],
    other: list[str],
) -> None:
    page = get_page(client, f"/feeds/{path}")
    (row,) = page.find_class("filters")
    found = [paths(nav.iter("a")) for nav in row.xpath(".//nav[not(a[@rel])]")]
    assert found == levels
    assert paths(row.xpath(".//a[@aria-current][not(@rel)]")) == chosen
    assert paths(page.find_class("other")) == other


def test_events_lead_to_periods_and_to_a_day(
    editor: ApiClient, client: FlaskClient
) -> None:
    path = "/feeds/events/van-hoa.html?period=weekend&ui=en"
    page = get_page(client, path)
    (periods,) = page.xpath("//nav[a[@rel='nofollow']][not(@class)]")
    assert paths(periods.findall("a")) == [
        "events/van-hoa.html?ui=en",
        *(
            f"events/van-hoa.html?period={period}&ui=en"
            for period in ("today", "week", "weekend", "month")
        ),
    ]
    assert periods.xpath("a[@aria-current]/text()") == ["This weekend"]
    form = periods.getnext()
    names = {each.get("name"): each.get("value") for each in form.iter("input")}
    assert (names, form.get("action")) == ({"ui": "en", "period": ""}, None)
    day = get_page(client, "/feeds/events.html?period=2026-12-05")
    assert day.xpath("//input[@type='date']/@value") == ["2026-12-05"]
    assert not day.xpath("//nav[not(@class)]/a[@rel][@aria-current]")


CATEGORY = 'Chợ “đêm” & "phố" <cổ>'


@pytest.mark.parametrize(("path", "feed", "name"), TABLES["panels"])
def test_follow_panel_has_addresses_to_copy_and_links_to_calendars(
    editor: ApiClient, client: FlaskClient, path: str, feed: str, name: str
) -> None:
    editor.put("/categories/van-hoa", {"title": CATEGORY})
    event = {"title": "Hội", "start": "2026-12-24", "categories": ["van-hoa"]}
    editor.put("/events/e", event)
    panel = get_page(client, path).xpath("//div[@class='panel'][ul]")[-1]
    address = f"https://feeds.example/feeds/{feed}"
    syndicated = [
        address.replace(".ics", f".{name}")
        for name, form in FORMATS.items()
        if form.is_syndication
    ]
    assert panel.xpath(".//input/@value") == [address, syndicated[0]]
    google, outlook, webcal, *feeds = panel.xpath(".//a/@href")
    assert google == "https://calendar.google.com/calendar/r/settings/addbyurl"
    assert outlook.startswith("https://outlook.live.com/calendar/0/addfromweb?")
    assert "+" not in outlook, "Outlook shows it as it is"
    parameters = dict(parse_qsl(urlsplit(outlook).query))
    assert parameters == {"url": address, "name": f"{name} – {SITE_TITLE}"}
    assert webcal == address.replace("https:", "webcal:")
    assert feeds == syndicated


@pytest.mark.parametrize(("members", "others"), TABLES["google"])
def test_event_has_its_file_and_a_link_to_google_calendar(
    editor: ApiClient,
    client: FlaskClient,
    members: dict[str, Any],
    others: dict[str, str],
) -> None:
    editor.put("/events/e", {"title": "Hội", **members})
    page = get_page(client, "/entries/e")
    file, google = page.xpath("//div[@class='actions']/a/@href")
    assert file == "https://feeds.example/entries/e.ics"
    assert google.startswith("https://calendar.google.com/calendar/render?")
    assert "+" not in google
    assert dict(parse_qsl(urlsplit(google).query)) == {
        "action": "TEMPLATE",
        "text": "Hội",
        "details": "https://feeds.example/entries/e",
        **others,
    }


def test_event_that_does_not_take_place_is_not_added_to_calendars(
    editor: ApiClient, client: FlaskClient
) -> None:
    event = {"title": "Hội", "start": "2026-12-24"}
    editor.put("/events/a", {**event, "event_status": "cancelled"})
    editor.put("/events/b", event)
    editor.put("/events/b", {**event, "status": "withdrawn"})
    page = get_page(client, "/feeds/events.html?content=full")
    links = page.xpath("//div[@class='actions']/a")
    assert [link.text for link in links] == ["Cập nhật lịch của bạn (.ics)"] * 2


def open_graph(client: FlaskClient, path: str) -> dict[str, str]:
    """Return what the preview of a link shows."""
    metas = get_page(client, path).xpath("//meta[@property or @name='twitter:card']")
    return {
        meta.get("property") or meta.get("name"): meta.get("content") for meta in metas
    }


@pytest.mark.parametrize(
    ("path", "title", "description"),
    TABLES["previews"],
)
def test_preview_of_a_list(
    editor: ApiClient,
    client: FlaskClient,
    path: str,
    title: str,
    description: str,
) -> None:
    category = {"title": "Văn & hoá", "description": "Lễ hội, sách"}
    editor.put("/categories/van-hoa", category)
    preview = {
        **TABLES["preview"],
        "og:title": title,
        "og:description": description,
        "og:url": f"https://feeds.example{path}",
    }
    assert open_graph(client, path) == preview
    images = {
        "a": "https://portal.example/a.svg",
        "b": {"url": "https://portal.example/cầu.jpg", "alt": "Cầu"},
    }
    for id, image in images.items():
        entry = {"title": "Hội", "categories": ["van-hoa"], "image": image}
        editor.put(f"/articles/{id}", entry)
        editor.put(f"/events/e{id}", {**entry, "start": "2026-12-24"})
    assert open_graph(client, path) == {
        **preview,
        "og:image": "https://portal.example/c%E1%BA%A7u.jpg",
        "og:image:alt": "Cầu",
        "twitter:card": "summary_large_image",
    }


def test_entry_that_is_no_longer_public_is_410(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    event = {"title": "Hội", "start": "2026-12-24"}
    details = TABLES["gone"]
    for id in details:
        editor.put(f"/events/{id}", event)
    expiry = {"expires": "2026-11-25T04:00:00Z"}
    editor.send("PATCH", "/events/expired", expiry)
    wait(hours=1)
    editor.send("DELETE", "/events/deleted")
    withdrawal = {"status": "withdrawn", "notice": "Đăng nhầm."}
    editor.send("PATCH", "/events/withdrawn", withdrawal)
    editor.send("PATCH", "/events/draft", {"status": "draft"})
    for id, detail in details.items():
        answer = client.get(f"/entries/{id}")
        assert answer.status_code == 410
        assert answer.get_json()["detail"] == detail
        status = 200 if id == "withdrawn" else 410
        assert client.get(f"/entries/{id}.ics").status_code == status


def test_hidden_entry_has_a_page_by_its_preview_link_alone(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    """The link ends after seven days."""
    draft = {"title": "Bản nháp", "status": "draft"}
    scheduled = {"title": "Bản nháp", "date_published": "2026-12-24T08:00:00"}

    def preview_of(id: str) -> str:
        stored = editor.send("GET", f"/articles/{id}").get_json()
        url: str = stored["preview_url"]
        return url.removeprefix("https://feeds.example")

    def status_of(path: str) -> int:
        return client.get(path).status_code

    for id, document in (("a", draft), ("b", scheduled)):
        editor.put(f"/articles/{id}", document)
        assert status_of(f"/entries/{id}") == 404
        response = client.get(preview_of(id))
        assert "Bản nháp" in response.text
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["X-Robots-Tag"] == "noindex"
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none';")
        assert get_page(client, f"{preview_of(id)}&ui=en").get("lang") == "en"
    first, second = preview_of("a"), preview_of("b")
    for signature in ("", "x", "%ff", "%00", "a.b", second.partition("=")[2]):
        assert status_of(f"/entries/a?preview={signature}") == 404
    for forged in (first[:-1], f"{first}.x", first.replace("/a?", "/none?")):
        assert status_of(forged) == 404
    editor.send("DELETE", "/articles/a")
    assert status_of(first) == 404
    clock.forward(days=6, hours=23)
    assert status_of(second) == 200
    clock.forward(hours=2)
    assert status_of(second) == 404
    later = preview_of("b")
    assert status_of(later) == 200
    editor.send("PATCH", "/articles/b", {"status": "withdrawn"})
    assert status_of(later) == 404


def test_error_pages_have_links(editor: ApiClient, client: FlaskClient) -> None:
    article = {"title": "Tin", "notice": f"Sai. {MARKUP}"}
    editor.put("/articles/a", article)
    editor.put("/articles/a", {**article, "status": "withdrawn"})
    gone = get_page(client, "/entries/a", 410)
    assert f"Sai. {MARKUP}" in gone.text_content()
    assert gone.xpath("//main//a/@href") == [
        "../feeds/news.html",
        "../feeds/events.html",
        "../",
        "https://feeds.example/entries/a",
    ]
    missing = get_page(client, "/feeds/news/khong.html", 404)
    assert missing.xpath("//link/@href")[0] == "../../static/style.css"
    for accept in (FEEDREADER, {"Accept": "*/*"}):
        response = client.get("/entries/a", headers=accept)
        assert response.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    "path",
    ["/", "/entries/e", "/feeds/events.html", "/feeds/events/van-hoa.html"],
)
def test_page_in_the_other_language_has_its_own_url(
    editor: ApiClient, client: FlaskClient, path: str
) -> None:
    event = {"title": "Hội", "start": "2030-12-24", "categories": ["van-hoa"]}
    editor.put("/events/e", event)
    vi, en = get_page(client, path), get_page(client, f"{path}?ui=en")
    assert (vi.get("lang"), en.get("lang")) == ("vi", "en")
    # A portal of one language offers no other, but leads back.
    assert not vi.xpath("//header//a[@hreflang]")
    assert en.xpath("//header//a[@hreflang]/text()") == ["Tiếng Việt"]
    assert "24/12/2030" in vi.text_content() or "Thứ Ba" in vi.text_content()
    assert "thứ ba" not in en.text_content().lower()
    assert client.get(f"{path}?ui=vi").data == client.get(path).data
    assert client.get(f"{path}?ui=en").headers["X-Robots-Tag"] == "noindex"
    assert "X-Robots-Tag" not in client.get(path).headers
    asked = client.get(path, headers={"Accept-Language": "en"})
    assert asked.data == client.get(path).data, "the bytes of a URL stay one"


@pytest.mark.parametrize(
    ("site_language", "language", "news"),
    TABLES["portals"],
)
def test_portal_in_another_language(
    make_app: MakeApp, site_language: str, language: str, news: str
) -> None:
    app = make_app(site_language=site_language, site_title="P")
    client = app.test_client()
    for path, status in (("/", 200), ("/feeds/news.html", 200), ("/x", 404)):
        assert get_page(client, path, status).get("lang") == language
    front = get_page(client, "/")
    links = front.xpath("//link[@type='application/rss+xml']/@title")
    assert links[0] == f"{news} (RSS)"
    assert not front.xpath("//header//a[@hreflang]")
    assert open_graph(client, "/?ui=zh")["og:locale"] == "zh_CN"
    page = get_page(client, "/?ui=zh")
    assert page.get("lang") == "zh"
    assert page.xpath("//header//a[@hreflang]/@hreflang") == [language]


def test_english_portal_has_no_vietnamese_words(
    make_app: MakeApp, editor: ApiClient
) -> None:
    app = make_app(site_language="en", site_title="P", site_description="D")
    event = {"title": "Fair", "start": "2026-12-24", "language": "en"}
    statuses = ("confirmed", "cancelled", "postponed")
    for status in statuses:
        document = {**event, "event_status": status, "notice": "Moved."}
        editor.put(f"/events/{status}", document)
    editor.put(
        "/articles/a",
        {"title": "Bridge", "notice": "Fixed.", "language": "en"},
    )
    paths = ["/", "/feeds/events.html", "/feeds/news.html?content=full"]
    for path in (*paths, *(f"/entries/{id}" for id in (*statuses, "a"))):
        text = get_page(app.test_client(), path).text_content()
        vietnamese = re.findall(r"\w*[ăâđêôơưạ-ỹ]\w*", text, re.IGNORECASE)
        assert not vietnamese, path


RELATED = "//aside[@class='related']//h3/a/text()"


def test_entry_page_leads_to_its_category_and_to_other_entries(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    for number in range(6):
        clock.forward(seconds=60)
        article = {
            "title": f"Tin {number}",
            "categories": ["van-hoa", "giao-thong"],
        }
        editor.put(f"/articles/{number}", article)
    editor.put("/articles/other", {"title": "Khác"})
    page = get_page(client, "/entries/2")
    assert page.xpath("//nav[@class='path']/a/text()") == [
        "Tin tức",
        "Văn hoá",
    ]
    links = page.xpath("//footer/ul[@class='tags']//a/@href")
    assert links == [
        f"https://feeds.example/feeds/news/{slug}.html"
        for slug in ("van-hoa", "giao-thong")
    ]
    assert page.xpath(RELATED) == ["Tin 5", "Tin 4", "Tin 3"]
    shared = page.xpath("//details[contains(@class, 'share')]//a/text()")
    assert shared == ["Facebook", "Email"]


def test_related_to_an_event_are_events_ahead_that_are_not_cancelled(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    article = {"title": "Tin", "categories": ["van-hoa"]}
    editor.put("/articles/a", article)
    for title, start in TABLES["soon"].items():
        event = {**article, "start": f"2026-11-25T{start}:00", "title": title}
        editor.put(f"/events/{title}", event)
    off = {"event_status": "cancelled"}
    editor.send("PATCH", "/events/cancelled", off)
    editor.send("PATCH", "/events/withdrawn", {"status": "withdrawn"})
    page = get_page(client, "/entries/c")
    assert page.xpath(RELATED) == ["first", "b", "d"]
    wait(seconds=90)
    page = get_page(client, "/entries/c")
    assert page.xpath(RELATED) == ["b", "d", "e"]


def test_page_says_when_an_entry_was_updated(
    editor: ApiClient, client: FlaskClient
) -> None:
    article = {"title": "Tin", "date_published": "2026-11-24T08:00:00"}
    for title, is_updated in (("Tin", False), ("Tin mới", True)):
        editor.put("/articles/a", {**article, "title": title})
        text = client.get("/entries/a").text
        assert ("Cập nhật lúc" in text) == is_updated


def test_empty_day_leads_to_the_next_one_with_an_event(
    editor: ApiClient, client: FlaskClient
) -> None:
    editor.put("/events/e", {"title": "Hội", "start": "2026-12-24"})
    page = get_page(client, "/feeds/events.html?period=2026-12-01")
    day, title = page.xpath("//div[@class='list']//*[self::h2 or self::h3]/a")
    assert paths([day]) == ["events.html?period=2026-12-24"]
    assert title.text == "Hội"
    later = get_page(client, "/feeds/events.html?period=2027-05-01")
    assert later.xpath("//div[@class='list']//h3/a/text()") == ["Hội"]


def test_summary_is_the_lead_unless_the_body_begins_with_it(
    editor: ApiClient, client: FlaskClient
) -> None:
    body = "<p>Một <b>câu</b>, và<br>hai.</p>" + "<p>Đoạn nữa.</p>" * 50
    for summary in ("", "Ngắn gọn."):
        article = {"title": "Tin", "content_html": body, "summary": summary}
        editor.put("/articles/a", article)
        page = get_page(client, "/entries/a")
        lead = page.xpath("string(//p[@class='lead'])")
        assert lead == summary


OSM = "https://www.openstreetmap.org/"


def test_event_page_has_time_and_place(editor: ApiClient, client: FlaskClient) -> None:
    event = {"title": "Hoà nhạc", "start": "2030-12-24T19:00:00"}
    off = {**event, "event_status": "cancelled"}
    place = {"name": "Nhà hát", "latitude": 1e-05, "longitude": 105.857}
    for location, link in (
        ({"name": "Chợ Đồng"}, ""),
        ({"name": "Chợ", "address": "Phố 1/2"}, ""),
        (
            {"name": "Chợ", "address": "Phố 1/2, Huế"},
            f"{OSM}search?query=Ch%E1%BB%A3%2C%20Ph%E1%BB%91%201%2F2%2C%20Hu%E1%BA%BF",
        ),
        (
            place,
            f"{OSM}?mlat=0.000010&mlon=105.857000#map=17/0.000010/105.857000",
        ),
    ):
        editor.put("/events/e", {**off, "location": location})
        page = get_page(client, "/entries/e")
        map_url = page.xpath("string(//*[@class='map']/a/@href)")
        assert map_url == link
    assert page.xpath("//dd/text()")[0] == "19:00, thứ Ba 24/12/2030"
    (calendar,) = page.xpath("//div[@class='actions']/a/text()")
    assert calendar == "Cập nhật lịch của bạn (.ics)"
    assert page.xpath("//h1//s/text()") == ["Hoà nhạc"]
    preview = open_graph(client, "/entries/e")
    assert preview["og:title"] == "Hủy: Hoà nhạc"
    assert preview["og:url"] == "https://feeds.example/entries/e"


@pytest.mark.parametrize(("color", "writing"), TABLES["colors"])
def test_site_color_and_logo(make_app: MakeApp, color: str, writing: str) -> None:
    logo = "https://portal.example/logo.svg"
    client = make_app(site_color=color, site_logo=logo).test_client()
    page = get_page(client, "/")
    sheet = page.xpath("//link[@rel='stylesheet']/@href")[-1]
    assert sheet == "./static/site.css"
    css = f":root {{ --brand: {color}; --on-brand: {writing}; }}\n"
    assert client.get("/static/site.css").text == css
    assert page.xpath("//header//img/@src") == [logo]


def test_page_has_one_blocking_request_and_is_below_60_kb(
    editor: ApiClient, client: FlaskClient
) -> None:
    words = [f"từ{number * 7919 % 10_007}" for number in range(4_000)]
    for number in range(21):
        document = {
            "title": " ".join(words[number * 20 :][:20]),
            "summary": " ".join(words[number * 150 :][:280]),
            "image": "https://media.example/a.jpg",
            "categories": ["van-hoa"],
        }
        editor.put(f"/articles/{number}", document)
    page = get_page(client, "/feeds/news.html")
    assert len(page.xpath("//article")) == 20
    assert page.xpath("//nav[@class='pages']/a/text()")[0] == "Xem thêm tin"
    (sheet,) = page.xpath("//link[@rel='stylesheet']/@href")
    assert sheet == "../static/style.css"
    assert page.xpath("//script[@src]/@defer") == ["defer"]
    compressed = {"Accept-Encoding": "gzip"}
    response = client.get("/feeds/news.html", headers=compressed)
    assert len(response.data) < 60_000
    files = ("/static/style.css", "/static/pages.js")
    bodies = [client.get(path, buffered=True).data for path in files]
    assert sum(len(gzip.compress(body)) for body in bodies) < 12_000


def test_events_that_have_begun_are_listed_behind_those_of_today(
    editor: ApiClient, client: FlaskClient, wait: Wait
) -> None:
    for id, start, end in TABLES["begun"]:
        editor.put(f"/events/{id}", {"title": id, "start": start, "end": end})

    def listed() -> list[str]:
        """Return headings of months and titles in their order."""
        page = get_page(client, "/feeds/events.html")
        elements = page.xpath("//h2[@class='month'] | //article//h3/a")
        return [element.text for element in elements]

    month, ongoing = "Tháng 11 năm 2026", "Đang diễn ra"
    before = [month, "tonight", ongoing, "long", month, "tomorrow"]
    assert listed() == before
    front = titles(get_page(client, "/"), "events")
    assert front == ["tonight", "tomorrow", "long"]
    # At 20:00 in Hanoi, the event of tonight has begun.
    wait(hours=10)
    assert listed() == [ongoing, "long", "tonight", month, "tomorrow"]
    # At 8:30 of the next day, the last one has.
    wait(hours=12.5)
    assert listed() == [ongoing, "long", "tomorrow"]


def test_day_and_hours_of_an_event_are_in_its_own_zone(
    editor: ApiClient, client: FlaskClient
) -> None:
    paris = {"start": "2026-12-31T23:00:00", "timezone": "Europe/Paris"}
    editor.put("/events/giao-thua", {"title": "Giao thừa ở Paris", **paris})
    # Earlier, though its day is later.
    hanoi = {"start": "2027-01-01T00:30:00"}
    editor.put("/events/phao-hoa", {"title": "Pháo hoa", **hanoi})
    page = get_page(client, "/entries/giao-thua")
    leaf = page.xpath("string(//div[@class='facts']/div[@class='leaf'])")
    assert leaf.split() == ["Thứ", "Năm", "31", "Tháng", "12"]
    editor.put("/events/cho", {"title": "Chợ", "start": "2026-12-30"})
    page = get_page(client, "/feeds/events.html")
    months = page.xpath("//h2[@class='month']/text()")
    assert months == ["Tháng 12 năm 2026", "Tháng 1 năm 2027"]
    days = page.xpath("//p[@class='when']/time/@datetime")
    assert days == ["2026-12-30", "2026-12-31", "2027-01-01"]
    hours = page.xpath("//p[@class='when']/strong/text()")
    assert hours == ["Cả ngày", "23:00 (Paris)", "00:30"]


def test_menu_and_footer_have_what_the_portal_has(
    make_app: MakeApp, editor: ApiClient
) -> None:
    editor.put("/articles/a", {"title": "Tin"})
    for settings, expected in TABLES["footers"]:
        client = make_app(**settings).test_client()
        for path, status in (
            ("/", 200),
            ("/feeds/news.html", 200),
            ("/entries/a", 200),
            ("/entries/none", 404),
        ):
            page = get_page(client, path, status)
            menu = page.xpath("//header[@class='top']//nav/a/text()")
            assert menu == ["Trang chủ", "Tin tức", "Sự kiện"], path
            _, portal, *lines = page.xpath("/html/body/footer/p")
            assert portal.xpath("a/@href") == ["https://portal.example"]
            assert [line.text_content() for line in lines] == expected, path
