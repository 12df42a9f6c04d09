"""khal, which keeps a calendar through vdirsyncer, over the life of events."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from feedsvc.models import SCOPES
from tests.server import Service
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.readers,
    pytest.mark.skipif(
        not (shutil.which("khal") and shutil.which("vdirsyncer")),
        reason="khal or vdirsyncer is not installed",
    ),
]

SYNCER = """
[general]
status_path = "{home}/status/"
[pair portal]
a = "local"
b = "remote"
collections = null
conflict_resolution = "b wins"
[storage local]
type = "filesystem"
path = "{home}/calendar/"
fileext = ".ics"
[storage remote]
type = "http"
url = "{url}"
"""
KHAL = """
[calendars]
[[portal]]
path = {home}/calendar/
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = Asia/Ho_Chi_Minh
default_timezone = Asia/Ho_Chi_Minh
[sqlite]
path = {home}/khal.db
"""
OUTPUT_FORMAT = "{start-long} {title} {status}@{location}"


class Khal:
    """A person's calendar, subscribed to a feed."""

    def __init__(self, home: Path, url: str) -> None:
        (home / "calendar").mkdir(parents=True)
        (home / "syncer.conf").write_text(SYNCER.format(home=home, url=url))
        (home / "khal.conf").write_text(KHAL.format(home=home))
        self.home = home
        self.run("vdirsyncer", "-c", "syncer.conf", "discover")

    def run(self, *command: str) -> str:
        """Run a command, answer its questions with yes, and return its output."""
        environ = {**os.environ, "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        process = subprocess.run(
            command,
            cwd=self.home,
            env=environ,
            input="y\ny\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    def shown(self) -> list[str]:
        """Synchronize, and return the lines of January 2031."""
        self.run("vdirsyncer", "-c", "syncer.conf", "sync")
        listed = self.run(
            "khal",
            "-c",
            "khal.conf",
            "list",
            "--format",
            OUTPUT_FORMAT,
            "--day-format",
            "",
            "2031-01-01",
            "31d",
        )
        return [
            line.strip()
            for line in listed.splitlines()
            if line.strip() and not line.startswith("No events")
        ]


@pytest.mark.sqlite
def test_khal_shows_changes_of_events(service: Service, tmp_path: Path) -> None:
    service.make_token(*SCOPES)

    def put(id: str, **fields: Any) -> None:
        assert service.request("PUT", f"/api/v1/events/{id}", fields).ok

    rule = {"rrule": "FREQ=WEEKLY;COUNT=3", "exdates": ["2031-01-13T08:00:00"]}
    put(
        "a",
        title="Hoà nhạc",
        start="2031-01-03T19:00:00",
        end="2031-01-03T21:00:00",
        location={"name": "Nhà hát Lớn"},
    )
    put(
        "b",
        title="Chợ phiên",
        start="2031-01-06T08:00:00",
        end="2031-01-06T10:00:00",
        recurrence=rule,
    )
    put("c", title="Hội chợ", start="2031-01-08")
    put("d", title="Giao lưu", start="2031-01-07T19:00:00", timezone="Europe/Paris")
    khal = Khal(tmp_path / "home", f"{service.url}/feeds/events.ics")

    def wait_for(lines: list[str]) -> None:
        # Another worker than the one that was written to has a change a second later.
        wait_until(lambda: sorted(khal.shown()) == sorted(lines))

    series = [
        "2031-01-06 08:00 Chợ phiên CONFIRMED @",
        "2031-01-20 08:00 Chợ phiên CONFIRMED @",
    ]
    paris, fair = (
        "2031-01-08 01:00 Giao lưu CONFIRMED @",
        "2031-01-08 Hội chợ CONFIRMED @",
    )

    concert = "2031-01-03 19:00 Hoà nhạc CONFIRMED @Nhà hát Lớn"
    wait_for([concert, *series, paris, fair])
    put("a", title="Hoà nhạc", start="2031-01-09T19:00:00")
    wait_for(["2031-01-09 19:00 Hoà nhạc CONFIRMED @", *series, paris, fair])
    put("a", title="Hoà nhạc", start="2031-01-09T19:00:00", event_status="cancelled")
    off = "2031-01-09 19:00 Hủy: Hoà nhạc CANCELLED @"
    wait_for([off, *series, paris, fair])
    assert service.request("DELETE", "/api/v1/events/c").ok
    wait_for([off, *series, paris])
    put(
        "c",
        title="Hội chợ",
        start="2031-01-08",
        recurrence={"rrule": "FREQ=DAILY;COUNT=2"},
    )
    wait_for([off, *series, paris, fair, fair.replace("08", "09")])
