"""Chromium and a service with entries, both for the whole session; every page is monitored."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import CopyDatabase
from tests.data import read_tables
from tests.fake_clock import HANOI
from tests.full_entries import ARTICLE, EVENT
from tests.server import Service

# It takes half of the CPU time that the whole browser takes without a window.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")


@contextmanager
def launch() -> Iterator[Browser]:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        ) as browser,
    ):
        yield browser


Open = Callable[..., Page]
"""Opens a page of the service in its own browser context."""


def today() -> datetime:
    return datetime.now(HANOI)


def add_entries(service: Service) -> None:
    """Store articles of three months, events, and a withdrawn article, all with every member."""
    portal = read_tables("browser")
    names = ("source", "authors", "location", "organizer")
    event = {
        **{name: EVENT[name] for name in names},
        **portal["members"],
        "image": {**EVENT["image"], "url": f"{service.url}/favicon.ico"},
        "attachments": EVENT["attachments"][1:],
    }
    article = {name: event[name] for name in event if name in ARTICLE}
    for category in portal["categories"]:
        service.put(f"/categories/{category['slug']}", category)
    for number, slug in product(range(3), ("van-hoa", "xe-buyt")):
        when = today().replace(day=1, hour=0) - timedelta(days=31 * number)
        document = {
            **article,
            "title": f"Tin {number} {slug}",
            "date_published": when.isoformat(),
            "categories": [slug],
        }
        service.put(f"/articles/{slug}-{number}", document)
    fair = {**event, "title": "Hội sách", "start": f"{today():%Y-%m-%d}"}
    service.put("/events/hom-nay", fair)
    tomorrow = f"{today() + timedelta(days=1):%Y-%m-%d}T19:00:00"
    for id, more in portal["events"].items():
        service.put(f"/events/{id}", {**event, "start": tomorrow, **more})
    service.put("/articles/mat", {"title": "Nhầm"})
    withdrawal = {"status": "withdrawn", "notice": "Sai sự thật."}
    service.put("/articles/mat", {"title": "Nhầm", **withdrawal})


@pytest.fixture(scope="package")
def portal_service(
    copy_database: CopyDatabase,
) -> Iterator[Service]:
    """Start a service with entries."""
    with Service(
        copy_database(),
        FEEDSVC_SITE_RIGHTS="© Cổng",
        FEEDSVC_SITE_CONTACT="a@portal.example",
    ) as service:
        add_entries(service)
        yield service


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Start Chromium, headless."""
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with launch() as browser:
        yield browser


@pytest.fixture(scope="package")
def large_text(chromium: Browser) -> Iterator[Browser]:
    """Start another Chromium, for readers whose default font has twice the size."""
    arguments = ["--no-sandbox", "--blink-settings=defaultFontSize=32"]
    with chromium.browser_type.launch(
        executable_path=CHROMIUM, args=arguments
    ) as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Browser, portal_service: Service) -> Iterator[Open]:
    """Open pages; none may write to the console or send requests to another host."""
    messages: list[str] = []
    requests: list[str] = []
    contexts = []

    def open_path(path: str, *, browser: Browser = chromium, **options: Any) -> Page:
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on(
            "console",
            lambda message: (
                messages.append(message.text)
                if message.location["url"] != portal_service.url + path
                else None
            ),
        )
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(portal_service.url + path)
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert messages == []
    assert {url for url in requests if portal_service.url not in url} == set()
