"""axe-core finds nothing on any page, in both themes, narrow and wide; nothing is wider than the window."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from flask import Flask

from tests.browser.conftest import Open, today

PAGES = {
    "directory": "/",
    "directory in English": "/?ui=en",
    "news": "/feeds/news.html",
    "events in English": "/feeds/events.html?ui=en",
    "archive": f"/feeds/news.html?archive={today():%Y-%m}",
    "empty": "/feeds/news.html?lang=fr",
    "article": "/entries/van-hoa-0",
    "event in English": "/entries/huy?ui=en",
    "gone": "/entries/mat",
    "missing": "/entries/khong",
    "nonsense": "/feeds/build?kind=x",
    "problem": "/problems/gone",
    "API": "/api/docs",
}
LOOKS: list[tuple[int, Literal["light", "dark"]]]
LOOKS = [(320, "dark"), (1600, "light"), (320, "light"), (1600, "dark")]
# Observers of sizes have run once a second frame begins.
NEXT_FRAME = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"
VIOLATIONS = """axe.run({resultTypes: ["violations"]}).then((found) =>
  found.violations.flatMap((rule) => rule.nodes.map((node) => [rule.id, node.html])))"""


@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES)
def test_axe_finds_no_violation(open_page: Open, path: str) -> None:
    page = open_page(path)
    page.evaluate(
        "for (const part of document.querySelectorAll('details')) part.open = true"
    )
    page.evaluate(AXE_SCRIPT)
    found: set[tuple[object, ...]] = set()
    for width, theme in LOOKS[
        : 2 if path == "/api/docs" else 4
    ]:  # the longest page takes half a minute
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        page.evaluate(NEXT_FRAME)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found |= {(width, theme, *broken) for broken in page.evaluate(VIOLATIONS)}
    assert found == set()


@pytest.mark.parametrize("path", ["/", "/feeds/news.html", "/feeds/events.html"])
def test_a_page_is_light(seeded_app: Flask, path: str) -> None:
    client = seeded_app.test_client()
    parts = (path, "/static/style.css", "/static/pages.js")
    sizes = [
        len(client.get(part, headers={"Accept-Encoding": "br"}).data) for part in parts
    ]
    assert sum(sizes) < 60_000, sizes
