"""The documentation page works under its content security policy."""

from __future__ import annotations

from tests.browser.conftest import Open


def test_page_shows_every_operation_without_errors(open_page: Open) -> None:
    """`open_page` fails on errors in the console and on requests to other hosts."""
    page = open_page("/api/docs/")
    page.wait_for_selector(".opblock")
    assert page.locator(".opblock").count() == 19
    page.locator(".opblock-summary").first.click()
    page.wait_for_selector(".opblock-body .opblock-section")
