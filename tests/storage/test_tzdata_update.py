"""Events stay at their hour when a new release of tzdata changes the rules of their zone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import tzdata

from feedsvc.storage import Storage
from feedsvc.storage.tables import change_sequence, entries
from feedsvc.timezones import VERSION
from tests.conftest import ApiClient
from tests.fake_clock import Clock

pytestmark = pytest.mark.both_databases

SCRIPT = """
import json, os, sys
from datetime import datetime, UTC
from config import Config
from feedsvc.app import create_app
from feedsvc.services import get_services
app = create_app(Config.from_env(), lambda: datetime(2026, 11, 26, tzinfo=UTC))
store, client = get_services(app).storage, app.test_client()
path = "/feeds/events.json?from=2030-01-01"
before = client.get(path).headers.get("Last-Modified")
for _ in range(3):
    store.apply_scheduled_changes()
headers = {"Authorization": "Bearer " + os.environ["TOKEN"]}
document = {id: client.get("/api/v1/events/" + id, headers=headers).get_json() for id in ("series", "single", "winter", "hanoi")}
moved = client.get(path).headers.get("Last-Modified")
calendar = client.get("/feeds/events.ics").text
changes = client.get("/api/v1/changes?after=" + os.environ["AFTER"]).get_json()["changes"]
json.dump({"entries": document, "moved": moved != before, "calendar": calendar, "changes": [c["id"] for c in changes]}, sys.stdout)
"""


@pytest.fixture
def without_summer_time(tmp_path: Path) -> Path:
    """A release of tzdata in which Paris has no summer time."""
    package = tmp_path / "packages" / "tzdata"
    source = Path(tzdata.__file__).parent
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(package / "zoneinfo/Etc/GMT-1", package / "zoneinfo/Europe/Paris")
    (package / "__init__.py").write_text(
        'IANA_VERSION = "2099z"\n__version__ = "2099.26"\n'
    )
    return package.parent


def run(
    packages: Path, editor: ApiClient, database_url: str, after: int
) -> dict[str, Any]:
    """Run the service with other packages, and return what it answers."""
    environ = {
        **os.environ,
        "PYTHONPATH": f"{packages}{os.pathsep}{Path.cwd()}",
        "FEEDSVC_DATABASE_URL": database_url,
        "FEEDSVC_PUBLIC_URL": "https://feeds.example",
        "TOKEN": editor.token,
        "AFTER": str(after),
    }
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def instants(storage: Storage) -> dict[str, tuple[datetime, datetime]]:
    with storage.database.read() as connection:
        rows = connection.execute(
            sa.select(entries.c.id, entries.c.starts, entries.c.ends)
        ).all()
    return {row.id: (row.starts, row.ends) for row in rows}


def test_events_keep_their_local_time(
    editor: ApiClient,
    storage: Storage,
    clock: Clock,
    without_summer_time: Path,
    config: Any,
) -> None:
    paris = {"timezone": "Europe/Paris"}
    series = {
        "start": "2030-07-01T19:00:00",
        "end": "2030-07-01T21:00:00",
        "recurrence": {
            "rrule": "FREQ=DAILY;UNTIL=20300705T170000Z",
            "exdates": ["2030-07-03T19:00:00"],
        },
    }
    editor.put("/events/series", {"title": "Chợ", **series, **paris})
    editor.put(
        "/events/single", {"title": "Hội", "start": "2030-07-01T17:00:00Z", **paris}
    )
    editor.put(
        "/events/winter", {"title": "Tết", "start": "2030-02-01T19:00:00", **paris}
    )
    editor.put("/events/hanoi", {"title": "Hoà nhạc", "start": "2030-07-01T19:00:00"})
    storage.apply_scheduled_changes()
    july, winter, hanoi = (
        datetime(2030, 7, 1, 17, tzinfo=UTC), datetime(2030, 2, 1, 18, tzinfo=UTC), datetime(2030, 7, 1, 12, tzinfo=UTC)
    )  # fmt: skip
    before = {
        "series": (july, july.replace(day=5, hour=19)), "single": (july, july), "winter": (winter, winter), "hanoi": (hanoi, hanoi)
    }  # fmt: skip
    assert instants(storage) == before
    after = editor.client.get("/api/v1/changes").get_json()["next"]

    found = run(without_summer_time, editor, config.database_url, after)

    shown = {id: entry["start"] for id, entry in found["entries"].items()}
    assert shown == {
        "series": "2030-07-01T19:00:00+01:00",
        "single": "2030-07-01T19:00:00+01:00",
        "winter": "2030-02-01T19:00:00+01:00",
        "hanoi": "2030-07-01T19:00:00+07:00",
    }
    recurrence = found["entries"]["series"]["recurrence"]
    assert recurrence["rrule"] == "FREQ=DAILY;UNTIL=20300705T180000Z"
    assert recurrence["exdates"] == ["2030-07-03T19:00:00"]
    assert "DTSTART;TZID=Europe/Paris:20300701T190000" in found["calendar"]
    assert "EXDATE;TZID=Europe/Paris:20300703T190000" in found["calendar"]
    later = {
        id: tuple(moment.replace(hour=moment.hour + 1) for moment in before[id])
        for id in ("series", "single")
    }
    assert instants(storage) == {**before, **later}
    assert found["moved"]
    assert sorted(found["changes"]) == ["series", "single"], (
        "the change log tells of what changed alone"
    )

    again = run(without_summer_time, editor, config.database_url, after)
    assert not again["moved"], "it is done once"
    with storage.database.read() as connection:
        assert connection.execute(
            sa.select(change_sequence.c.tzdata, change_sequence.c.tzdata_pk)
        ).one() == (
            "2099z",
            None,
        )

    storage.apply_scheduled_changes()
    assert instants(storage) == {**before, **later}, (
        "a worker of the old version leaves it"
    )
    storage.upgrade()
    storage.apply_scheduled_changes()
    assert instants(storage) == before, (
        "but where the service is set back, it counts by its own tzdata"
    )


def test_refresh_continues_after_each_batch(
    editor: ApiClient, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("feedsvc.storage.timezone_refresh._BATCH_SIZE", 2)
    for number in range(5):
        editor.put(
            f"/events/e{number}", {"title": "Hội", "start": "2030-07-01T19:00:00"}
        )
    right = instants(storage)
    with storage.database.write() as connection:
        connection.execute(entries.update().values(starts=None))
        connection.execute(change_sequence.update().values(tzdata="2000a"))
    progress = []
    while True:
        storage.apply_scheduled_changes()
        with storage.database.read() as connection:
            release, last = connection.execute(
                sa.select(change_sequence.c.tzdata, change_sequence.c.tzdata_pk)
            ).one()
        wrong = sum(starts is None for starts, _ in instants(storage).values())
        progress.append((release == VERSION, wrong))
        if last is None:
            break
    assert progress == [(True, 3), (True, 1), (True, 0)]
    assert instants(storage) == right


@pytest.mark.parametrize(
    ("start", "zone", "stored"),
    [
        ("2026-07-01T19:00:00", "Europe/Paris", "2026-07-01T19:00:00"),
        ("2026-10-25T02:30:00+02:00", "Europe/Paris", "2026-10-25T02:30:00"),
        ("2026-10-25T02:30:00+01:00", "Europe/Paris", "2026-10-25T02:30:00+01:00"),
        ("2026-12-05", "Europe/Paris", "2026-12-05"),
    ],
)
def test_only_the_second_of_two_equal_local_times_has_an_offset(
    start: str, zone: str, stored: str, editor: ApiClient, storage: Storage
) -> None:
    editor.put("/events/e", {"title": "Hội", "start": start, "timezone": zone})
    with storage.database.read() as connection:
        document = connection.scalar(sa.select(entries.c.document))
    assert json.loads(document or "")["event"]["start"] == stored
    answered = editor.send("GET", "/events/e").get_json()["start"]
    assert answered == (
        start if start.count(":") != 2 or "+" in start else f"{start}+02:00"
    )
