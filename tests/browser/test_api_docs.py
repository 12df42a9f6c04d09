"""The documentation page works under its content security policy."""

from __future__ import annotations

from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.test_accessibility import VIOLATIONS
from tests.waiting import wait_until

THEMES: list[Literal["light", "dark"]] = ["light", "dark"]


def test_page_shows_every_operation_without_errors(open_page: Open) -> None:
    """`open_page` fails on errors in the console and on requests to other hosts."""
    page = open_page("/api/docs", viewport={"width": 390, "height": 844})
    page.wait_for_selector(".opblock")
    assert page.locator(".opblock").count() == 19
    height = page.evaluate("document.documentElement.scrollHeight")
    assert height < 5_000
    page.evaluate(AXE_SCRIPT)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        # Swagger UI's colors change slowly.
        wait_until(lambda: page.evaluate(VIOLATIONS) == [])
    page.locator(".opblock-summary").first.click()
    page.wait_for_selector(".opblock-body .opblock-section")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_search_finds_words_of_operations(open_page: Open) -> None:
    page = open_page("/api/docs")
    page.get_by_label("Search operations").fill("merge patch")
    expect(page.locator(".opblock")).to_have_count(3)
