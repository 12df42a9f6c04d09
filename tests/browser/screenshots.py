"""Pictures of the pages with the samples in them: `make screenshots`."""

import sys
import tempfile
from pathlib import Path

from tests.browser.conftest import launch
from tests.data import read_tables
from tests.server import Service


def main(folder: Path) -> None:
    """Take every picture anew, from a service of its own."""
    folder.mkdir(exist_ok=True)
    shots = read_tables("browser")["screenshots"]
    with (
        tempfile.TemporaryDirectory() as place,
        Service(
            f"sqlite:///{place}/feedsvc.db",
            FEEDSVC_SITE_LANGUAGES="vi,en,en-simple",
            FEEDSVC_SITE_TITLE_EN="Hanoi City Portal",
        ) as service,
        launch() as browser,
    ):
        service.command("demo")
        for name, (path, width, height, theme) in shots.items():
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme=theme,
            )
            page.goto(service.url + path, wait_until="networkidle")
            page.screenshot(path=folder / f"{name}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
