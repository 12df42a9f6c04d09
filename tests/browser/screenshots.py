"""Pictures of the pages with the samples in them: `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Literal

from tests.browser.conftest import launch
from tests.server import Service

Theme = Literal["light", "dark"]

SHOTS: dict[str, tuple[str, int, int, Theme]] = {
    "front": ("/", 1280, 960, "light"),
    "events": ("/feeds/events.html", 390, 960, "light"),
    "weekend": ("/feeds/events.html?period=weekend", 390, 780, "light"),
    "event": (
        "/entries/ca-tru-night-at-the-temple-of-literature",
        390,
        960,
        "dark",
    ),
}
"""By name: the path, the window, and the theme."""


def main(folder: Path) -> None:
    """Take every picture anew, from a service of its own."""
    folder.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        Service(
            f"sqlite:///{place}/feedsvc.db",
            FEEDSVC_SITE_LANGUAGES="vi,en",
            FEEDSVC_SITE_TITLE_EN="Hanoi City Portal",
        ) as service,
        launch() as browser,
    ):
        service.command("demo")
        for name, (path, width, height, theme) in SHOTS.items():
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=theme,
            )
            page.goto(service.url + path, wait_until="networkidle")
            page.screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
