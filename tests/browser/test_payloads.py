"""Every payload of the corpus before Chromium: nothing runs, though the content policy is switched off."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Route

from feedsvc.embeds import is_embed
from feedsvc.query import KINDS
from tests.data.xss_payloads import PAYLOADS, groups
from tests.server import Service

STIR = """() => {
  document.addEventListener("click", (event) => event.preventDefault(), true);
  for (const element of document.querySelectorAll("main *:not(button)"))
    for (const type of ["click", "mouseover", "focus", "error", "load", "toggle", "animationstart"])
      element.dispatchEvent(new Event(type));
  return [...new Set([...document.links].map((link) => link.protocol))];
}"""
"""Fires what handlers wait for, and tells the schemes of all links."""

FEEDS = [
    f"/feeds/{kind}/g-{number}.html?limit=200&when=all"
    for kind in KINDS
    for number in groups()
]
CATEGORIES = [
    f"/feeds/{KINDS[number % 2]}/p-{number}.html?limit=1"
    for number in range(0, len(PAYLOADS), 10)
]
ENTRIES = [
    f"/entries/{KINDS[number % 2]}-{number}"
    for number, payload in enumerate(PAYLOADS)
    if number % 10 == 0 or "</script" in payload or "<!--" in payload
]


@pytest.fixture(scope="module")
def attacked_service(
    attacked_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A service with the payloads stored."""
    path = shutil.copy(
        attacked_template, tmp_path_factory.mktemp("payloads") / "feedsvc.db"
    )
    service = Service(f"sqlite:///{path}")
    service.start()
    yield service
    service.stop()


@pytest.fixture
def unguarded(chromium: Browser) -> Iterator[BrowserContext]:
    """A window where the pages' content policy does not hold, so that the sanitiser stands alone."""
    with chromium.new_context(bypass_csp=True) as context:
        yield context


@pytest.mark.parametrize(
    "paths",
    [["/"], FEEDS, CATEGORIES, ENTRIES],
    ids=["directory", "feeds", "categories", "entries"],
)
def test_nothing_runs_and_nothing_is_asked(
    attacked_service: Service, unguarded: BrowserContext, paths: list[str]
) -> None:
    dialogs: list[str] = []
    asked: list[str] = []
    framed: list[str] = []
    own = urlsplit(attacked_service.url).netloc

    def outside(route: Route) -> None:
        if route.request.resource_type == "document":
            framed.append(route.request.url)
        else:
            asked.append(route.request.resource_type)
        route.abort()

    def closed(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    unguarded.route(lambda url: urlsplit(url).netloc != own, outside)
    page = unguarded.new_page()
    page.on("dialog", closed)
    for path in paths:
        page.goto(attacked_service.url + path)
        assert set(page.evaluate(STIR)) <= {
            "http:",
            "https:",
            "mailto:",
            "tel:",
            "webcal:",
        }, path
        page.wait_for_timeout(20)
        assert page.evaluate("typeof window.pwned") == "undefined", path
        assert page.url == attacked_service.url + path
        assert dialogs == [], path
        assert len(unguarded.pages) == 1, path
    assert set(asked) <= {"image", "media", "texttrack"}
    assert all(is_embed(url) for url in framed), framed


def test_what_runs_would_be_seen(
    attacked_service: Service, unguarded: BrowserContext
) -> None:
    page = unguarded.new_page()
    page.goto(attacked_service.url)
    with page.expect_event("dialog") as dialog:
        page.on("dialog", lambda one: one.dismiss())
        page.evaluate(
            "(html) => document.querySelector('main').insertAdjacentHTML('beforeend', html)",
            "<img src=x onerror=alert(window.pwned=1)>",
        )
    assert dialog.value.message == "1"
    assert page.evaluate("window.pwned") == 1
