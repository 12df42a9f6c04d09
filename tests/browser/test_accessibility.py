"""Accessibility by axe-core, and the width of pages: narrow and wide, light and dark."""

from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import ViewportSize, expect

from tests.browser.conftest import Open
from tests.data import read_tables

TABLES = read_tables("browser")
LANDSCAPE: ViewportSize = {"width": 844, "height": 390}
PORTRAIT: ViewportSize = {"width": 390, "height": 844}
# A ResizeObserver has been called when the second frame begins.
NEXT_FRAME = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"
VIOLATIONS = """(options) => axe.run(options).then((found) =>
  found.violations.flatMap((rule) => rule.nodes.map((node) => [rule.id, node.html])))"""
OPEN = """(isOpen) => {
  for (const part of document.querySelectorAll("details")) part.open = isOpen;
}"""
# By default axe does not measure targets (WCAG 2.2, 2.5.8). An open panel covers some.
RUNS = [
    (True, {"resultTypes": ["violations"]}),
    (False, {"runOnly": ["target-size"]}),
]


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param(TABLES["looks"], id="looks"),
        pytest.param(TABLES["more_looks"], id="more", marks=pytest.mark.soak),
    ],
)
@pytest.mark.parametrize("path", TABLES["pages"].values(), ids=TABLES["pages"])
def test_page_has_no_accessibility_violation(
    open_page: Open, path: str, looks: list[Any]
) -> None:
    page = open_page(path)
    page.evaluate(AXE_SCRIPT)
    violations: set[tuple[object, ...]] = set()
    for width, theme in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        for is_open, options in RUNS:
            page.evaluate(OPEN, is_open)
            page.evaluate(NEXT_FRAME)
            scroll_width = page.evaluate("document.documentElement.scrollWidth")
            assert scroll_width <= width
            violations |= {
                (width, theme, *node) for node in page.evaluate(VIOLATIONS, options)
            }
    assert violations == set()


def test_table_is_focusable_only_while_it_scrolls(open_page: Open) -> None:
    """A phone is turned, and turned back."""
    page = open_page("/entries/van-hoa-0", viewport=LANDSCAPE)
    table = page.locator(".body table")
    for _ in range(2):
        expect(table).not_to_have_attribute("tabindex", "0")
        page.set_viewport_size(PORTRAIT)
        expect(table).to_have_attribute("tabindex", "0")
        page.set_viewport_size(LANDSCAPE)
    expect(table).not_to_have_attribute("tabindex", "0")
