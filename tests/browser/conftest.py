"""Chromium and a service with entries, both for the whole session; every page is monitored."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import CopyDatabase
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
    body = (
        "<h2>Mục</h2><p>Đoạn <a href='https://portal.example/x'>một</a></p><blockquote><p>Lời</p></blockquote>"
        f"<table><tr>{'<th>Tuyến</th>' * 7}</tr><tr>{'<td>A1</td>' * 7}</tr></table><pre>{'x = 1; ' * 30}</pre>"
    )
    names = ("source", "authors", "location", "organizer")
    event = {
        **{name: EVENT[name] for name in names},
        "content_html": body,
        "image": {**EVENT["image"], "url": f"{service.url}/favicon.ico"},
        "attachments": EVENT["attachments"][1:],
        "notice": "Sửa giờ.",
        "categories": ["van-hoa", "giao-thong"],
    }
    article = {name: event[name] for name in event if name in ARTICLE}
    for slug, title, parent in (
        ("van-hoa", "Văn hoá", None),
        ("giao-thong", "Giao thông", None),
        ("xe-buyt", "Xe buýt", "giao-thong"),
    ):
        text = {"title": title, "description": f"Tin {title}"}
        service.put(f"/categories/{slug}", {**text, "parent": parent})
    for number, slug in product(range(3), ("van-hoa", "xe-buyt")):
        when = today().replace(day=1, hour=0) - timedelta(days=31 * number)
        document = {
            **article,
            "title": f"Tin {number} {slug}",
            "date_published": when.isoformat(),
            "categories": [slug],
        }
        service.put(f"/articles/{slug}-{number}", document)
    tomorrow = f"{today() + timedelta(days=1):%Y-%m-%d}T19:00:00"
    off = {"event_status": "cancelled", "language": "vi"}
    series = {"recurrence": {"rrule": "FREQ=WEEKLY;COUNT=20"}}
    for id, title, start, more in (
        ("hom-nay", "Hội sách", f"{today():%Y-%m-%d}", {}),
        ("huy", "Hoà nhạc", tomorrow, off),
        ("phien-cho", "Phiên chợ", tomorrow, series),
    ):
        document = {**event, "title": title, "start": start, **more}
        service.put(f"/events/{id}", document)
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
        pytest.skip("Chromium is not installed")
    with launch() as browser:
        yield browser


@pytest.fixture
def open_page(chromium: Browser, portal_service: Service) -> Iterator[Open]:
    """Open pages; none may write to the console or send requests to another host."""
    messages: list[str] = []
    requests: list[str] = []
    contexts = []

    def open_path(path: str, **options: Any) -> Page:
        contexts.append(chromium.new_context(**options))
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
