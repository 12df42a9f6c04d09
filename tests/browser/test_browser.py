"""Use of the pages in Chromium, with and without scripts."""

import http.server
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Open, today
from tests.data import read_tables
from tests.programs import serving
from tests.server import Service, read_project_file

scripts = pytest.mark.parametrize("script", [True, False], ids=["script", "none"])


PHONE = {"viewport": {"width": 390, "height": 844}}
CALENDARS = ("Google", "Outlook", "Apple")


@scripts
@pytest.mark.parametrize(
    "path", ["/", "/feeds/events/van-hoa.html", "/entries/phien-cho"]
)
def test_panel_is_used_by_touch(
    open_page: Open, portal_service: Service, path: str, script: bool
) -> None:
    page = open_page(path, **PHONE, has_touch=True, java_script_enabled=script)
    follow = page.locator(".follow", has=page.locator(".calendars"))
    follow.locator("summary").tap()
    panel = follow.locator(".panel")
    address = panel.get_by_label("Địa chỉ cho lịch của bạn")
    section = "" if path == "/" else "/van-hoa"
    expect(address).to_have_value(f"{portal_service.url}/feeds/events{section}.ics")
    address.tap()
    for name in (*CALENDARS, "RSS"):
        # It waits until nothing covers the link.
        panel.get_by_role("link", name=name).tap(trial=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    copy = panel.get_by_role("button", name="Sao chép").first
    assert copy.is_visible() is script
    if script:
        copy.tap()
        expect(panel.get_by_role("button").first).to_have_text("Đã sao chép")


@scripts
def test_panel_is_used_by_keyboard(open_page: Open, script: bool) -> None:
    page = open_page("/feeds/events/van-hoa.html", **PHONE, java_script_enabled=script)
    page.locator(".follow > summary").focus()
    page.keyboard.press("Enter")
    panel = page.locator(".panel")
    buttons = panel.get_by_role("button").all() if script else [None, None]
    for stop in (
        panel.get_by_label("Địa chỉ cho lịch của bạn"),
        buttons[0],
        *(panel.get_by_role("link", name=name) for name in CALENDARS),
        panel.get_by_label("Địa chỉ cho ứng dụng đọc tin"),
        buttons[1],
        panel.get_by_role("link", name="RSS"),
    ):
        if stop:
            page.keyboard.press("Tab")
            expect(stop).to_be_focused()
            expect(stop).to_be_in_viewport()


def test_copied_address_is_in_the_clipboard_and_the_focus_stays(
    open_page: Open, portal_service: Service
) -> None:
    page = open_page("/feeds/events.html")
    page.locator(".follow > summary").click()
    copy = page.get_by_role("button", name="Sao chép").first
    copy.press("Enter")
    expect(page.get_by_role("button", name="Đã sao chép")).to_be_focused()
    search = page.get_by_role("searchbox")
    search.press("Control+V")
    expect(search).to_have_value(f"{portal_service.url}/feeds/events.ics")


def test_escape_and_a_click_close_the_follow_panel(open_page: Open) -> None:
    page = open_page("/")
    panels = page.locator(".follow[open]")
    controls = page.locator(".follow > summary")
    controls.nth(0).click()
    controls.last.click()
    expect(panels).to_have_count(1)
    page.keyboard.press("Escape")
    expect(panels).to_have_count(0)
    expect(controls.last).to_be_focused()
    controls.nth(0).click()
    page.get_by_role("heading", level=2).first.click()
    expect(panels).to_have_count(0)


@pytest.mark.parametrize(
    ("path", "limit"), read_tables("browser")["first_titles"].items()
)
def test_first_title_is_at_the_top_of_a_phone(
    open_page: Open, path: str, limit: int
) -> None:
    page = open_page(path, **PHONE)
    header = page.locator("header.top").bounding_box()
    title = page.locator("article :is(h2, h3)").first.bounding_box()
    assert header
    assert title
    assert header["height"] <= 64
    assert title["y"] <= limit


@scripts
def test_menu_and_search_open_on_a_phone(open_page: Open, script: bool) -> None:
    page = open_page("/feeds/news.html?ui=en", **PHONE, java_script_enabled=script)
    language = page.get_by_role("link", name="Tiếng Việt")
    expect(language).to_be_hidden()
    page.get_by_text("Menu", exact=True).press("Enter")
    expect(language).to_be_visible()
    page.locator(".find > summary").press("Enter")
    expect(language).to_be_hidden()
    if not script:
        page.keyboard.press("Tab")
    field = page.get_by_role("searchbox")
    expect(field).to_be_focused()
    field.fill("tin")
    field.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Search for “tin”")


@scripts
def test_picture_that_fails_leaves_its_caption_and_no_hole(
    open_page: Open, portal_service: Service, script: bool
) -> None:
    page = open_page("/entries/van-hoa-0", java_script_enabled=script)
    page.route("**/favicon.ico", lambda route: route.abort())
    page.reload()
    expect(page.locator("figcaption")).to_have_text("Cây cầu & sông Ảnh: Nam")
    figure = page.locator("figure").bounding_box()
    assert figure
    assert figure["height"] < 80
    page.goto(f"{portal_service.url}/feeds/news.html")
    expect(page.locator("article").first).to_be_visible()
    expect(page.locator(".thumb:not(.tile):visible")).to_have_count(0)


def test_page_is_shared_by_the_browser_or_by_links(open_page: Open) -> None:
    page = open_page("/entries/van-hoa-0")
    button = page.locator(".share > summary")
    facebook = page.get_by_role("link", name="Facebook")
    button.click()
    expect(facebook).to_be_visible()
    page.add_init_script("navigator.share = async (data) => { window.shared = data; }")
    page.reload()
    button.click()
    expect(facebook).to_be_hidden()
    shared = page.evaluate("window.shared")
    assert shared == {"url": page.url, "title": "Tin 0 van-hoa"}


@scripts
def test_list_leads_to_an_event_and_its_ics_file(
    open_page: Open, script: bool, tmp_path: Path
) -> None:
    page = open_page("/feeds/events.html", java_script_enabled=script)
    items = page.get_by_role("article")
    assert items.count() == 3
    expect(items.nth(0).locator(".leaf strong")).to_have_text(f"{today().day}")
    assert items.get_by_text("Hôm nay").count() == int(script)
    page.get_by_role("link", name="Hội sách").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hội sách")
    expect(page.get_by_text("Nhà hát Lớn · 1 Tràng Tiền")).to_be_visible()
    with page.expect_download() as download:
        page.locator(".actions").get_by_role("link", name="Thêm vào lịch").click()
    download.value.save_as(tmp_path / "event.ics")
    assert "SUMMARY:Hội sách" in (tmp_path / "event.ics").read_text("utf-8")


@contextmanager
def portal_page(chromium: Browser, folder: Path, body: str) -> Iterator[Page]:
    """Open a page of another origin."""
    (folder / "index.html").write_text(
        f'<!doctype html><meta charset="utf-8"><body>{body}', "utf-8"
    )
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server) as url, chromium.new_page() as page:
        page.goto(url)
        yield page


def test_headlines_of_partners_are_on_their_page(
    chromium: Browser, portal_service: Service, tmp_path: Path
) -> None:
    partners = read_project_file("docs/partners.md")
    (body,) = re.findall(r"```html\n(.*?)```", partners, re.DOTALL)
    body = body.replace("https://feeds.example", portal_service.url)
    with portal_page(chromium, tmp_path, body) as page:
        links = page.locator("#headlines a")
        links.nth(4).wait_for()
        assert links.count() == 5
        assert all(link.inner_text() for link in links.all())


def test_framed_list_begins_with_its_events_and_opens_them_in_the_window(
    chromium: Browser, portal_service: Service, tmp_path: Path
) -> None:
    url = f"{portal_service.url}/feeds/events.html"
    body = f'<iframe src="{url}" width="400" height="600"></iframe><input>'
    with portal_page(chromium, tmp_path, body) as page:
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("banner")).to_be_hidden()
        title = frame.get_by_role("link", name="Hội sách")
        box = title.bounding_box()
        assert box
        assert box["y"] < 250
        follow = frame.locator(".follow > summary")
        follow.click()
        frame.get_by_role("button", name="Sao chép").first.click()
        expect(frame.get_by_role("button", name="Đã sao chép")).to_be_visible()
        field = page.locator("input")
        field.press("Control+V")
        expect(field).to_have_value(f"{portal_service.url}/feeds/events.ics")
        follow.click()
        title.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Hội sách")
        assert page.url.startswith(f"{portal_service.url}/entries/")


def test_api_documentation_shows_every_operation_without_errors(
    open_page: Open,
) -> None:
    """`open_page` fails on errors in the console and on requests to other hosts."""
    page = open_page("/api/docs/")
    page.wait_for_selector(".opblock")
    assert page.locator(".opblock").count() == 19
    page.locator(".opblock-summary").first.click()
    page.wait_for_selector(".opblock-body .opblock-section")
