"""Pictures of the pages with the samples in them: `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import sync_playwright

from tests.server import Service

Theme = Literal["light", "dark"]

SHOTS: dict[str, tuple[str, int, int, Theme]] = {
    "directory": ("/", 1280, 960, "light"),
    "events": ("/feeds/events.html", 390, 960, "light"),
    "event": ("/entries/dem-ca-tru-o-van-mieu?ui=en", 390, 960, "dark"),
}
"""By name: the path, the window, and the theme."""

PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 3 2"><rect width="3" height="2" fill="#7fb3d5"/>'
    '<path d="M0 2V1.4L.8.7l.7.6.5-.4 1 .8V2z" fill="#2e6b4f"/><circle cx="2.4" cy=".5" r=".2" fill="#fff3b0"/></svg>'
)
"""In place of the samples' pictures, which are nowhere."""


def main(folder: Path) -> None:
    """Take every picture anew, from a service of its own."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        service = Service(
            f"sqlite:///{place}/feedsvc.db", FEEDSVC_PUBLIC_URL="https://feeds.example"
        )
        service.command("init-demo")
        service.start()
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        try:
            for name, (path, width, height, theme) in SHOTS.items():
                page = browser.new_page(
                    viewport={"width": width, "height": height}, color_scheme=theme
                )
                page.route(
                    "https://media.example/**",
                    lambda route: route.fulfill(
                        body=PICTURE, content_type="image/svg+xml"
                    ),
                )
                page.goto(service.url + path, wait_until="networkidle")
                page.screenshot(path=folder / f"{name}.png")
        finally:
            browser.close()
            service.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
