"""Time zones are those of the pinned tzdata package, not of the host."""

import os
import subprocess
import sys
import zoneinfo
from pathlib import Path

import pytest
import tzdata

from feedsvc.config import SettingError
from feedsvc.text.timezones import zone, zone_names
from tests.api.problems import pointers
from tests.conftest import ApiClient
from tests.settings import read_settings

SPECIAL_NAMES = """
localtime Factory posixrules posix/Europe/Paris right/Europe/Paris ../etc/passwd zone.tab
""".split()


def test_special_names_are_not_zones(editor: ApiClient) -> None:
    for name in SPECIAL_NAMES:
        event = {"title": "Hội", "start": "2026-12-24", "timezone": name}
        response = editor.send("PUT", "/events/x", event)
        assert pointers(response) == ["#/timezone"]
        with pytest.raises(SettingError, match="FEEDSVC_SITE_TIMEZONE"):
            read_settings({"FEEDSVC_SITE_TIMEZONE": name})


def test_every_zone_of_tzdata_is_accepted() -> None:
    assert {"UTC", "Asia/Ho_Chi_Minh", "Asia/Saigon"} <= zone_names()
    assert all(zone(name).key == name for name in zone_names())
    config = read_settings({"FEEDSVC_SITE_TIMEZONE": "Europe/Paris"})
    assert config.site.timezone.key == "Europe/Paris"


def test_zone_files_of_the_host_are_not_read(tmp_path: Path) -> None:
    """The host's Europe/Paris has the rules of Tokyo, and it has one more zone."""
    assert not zoneinfo.TZPATH
    (tmp_path / "Europe").mkdir()
    source = Path(tzdata.__file__).parent / "zoneinfo/Asia/Tokyo"
    for name in ("Europe/Paris", "Europe/Atlantis", "localtime"):
        (tmp_path / name).write_bytes(source.read_bytes())
    code = (
        "from feedsvc.text.timezones import zone, zone_names\n"
        "from datetime import datetime\n"
        "print(datetime(2026, 7, 1, tzinfo=zone('Europe/Paris')).utcoffset(), 'Europe/Atlantis' in zone_names())"
    )
    environ = {**os.environ, "PYTHONTZPATH": str(tmp_path)}
    printed = subprocess.check_output(
        [sys.executable, "-c", code], env=environ, text=True
    )
    assert printed == "2:00:00 False\n"
