"""Settings: declared once, and refused by sentences that name them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from config import Config, SettingError, unknown_settings
from tests.server import ROOT


def test_default_follows_earlier_settings() -> None:
    config = Config.from_env({"PORT": "9000", "FEEDSVC_SITE_URL": ""})
    assert config.public_url == "http://localhost:9000"
    assert config.site_url == config.public_url
    assert config.site_timezone.key == "Asia/Ho_Chi_Minh"


def test_empty_value_is_absent() -> None:
    config = Config.from_env({"FEEDSVC_POLL_MINUTES": "", "FEEDSVC_HUBS": ""})
    assert config.poll_minutes == 15
    assert config.hubs == ()
    assert config.site_icon == config.site_contact == ""


def test_value_is_read_from_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql+psycopg://u:hunter2@db/feeds\n")
    config = Config.from_env({"FEEDSVC_DATABASE_URL_FILE": str(secret)})
    assert config.database_url == "postgresql+psycopg://u:hunter2@db/feeds"


def test_font_must_be_a_woff2_file(tmp_path: Path) -> None:
    font = tmp_path / "font.ttf"
    font.write_bytes(b"\0\1\0\0")
    for path, message in (
        (font, "FEEDSVC_SITE_FONT: Must be the path of a WOFF2 file up to 1 MiB."),
        (tmp_path / "none", "cannot be read: No such file or directory."),
    ):
        with pytest.raises(SettingError, match=message):
            Config.from_env({"FEEDSVC_SITE_FONT": str(path)})
    font.write_bytes(b"wOF2")
    assert Config.from_env({"FEEDSVC_SITE_FONT": str(font)}).site_font == str(font)


def test_environment_precedes_file(tmp_path: Path) -> None:
    file = tmp_path / "minutes"
    file.write_text("5")
    name = "FEEDSVC_POLL_MINUTES"
    environ = {name: "10", f"{name}_FILE": str(file)}
    assert Config.from_env(environ).poll_minutes == 10


def test_settings_file_is_read_after_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "feedsvc.env"
    file.write_text(
        "# a comment\n\n; another\nFEEDSVC_POLL_MINUTES=5\nPORT=9000\n"
        'FEEDSVC_SITE_TITLE="Hà \\"Nội\\""\nFEEDSVC_SITE_RIGHTS=\'a \\ b\' \n'
        "FEEDSVC_SITE_DESCRIPTION=one  two\\ three  \nPGPASSWORD=p=w#x\n"
        f"FEEDSVC_DATABASE_URL_FILE={tmp_path}/url\n"
    )
    (tmp_path / "url").write_text("sqlite:////x.db\n")
    environ = {"FEEDSVC_SETTINGS": str(file), "PORT": "9001"}
    environ["FEEDSVC_POLL_MINUTES"] = ""
    config = Config.from_env(environ)
    assert (config.poll_minutes, config.port) == (5, 9001)
    assert config.site_title == 'Hà "Nội"'
    assert config.site_rights == "a \\ b"
    assert config.site_description == "one  two three"
    assert config.database_url == "sqlite:////x.db"
    assert environ["PGPASSWORD"] == "p=w#x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("PORT=1\nhunter2\n", "line 2: Must be NAME=value."),
        ('PORT="1\n', "line 1: Must be NAME=value."),
        (None, "cannot be read: No such file or directory."),
    ],
)
def test_settings_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: str | None, message: str
) -> None:
    file = tmp_path / "feedsvc.env"
    if content:
        file.write_text(content)
    with pytest.raises(SettingError, match=message) as raised:
        Config.from_env({"FEEDSVC_SETTINGS": str(file)})
    assert str(file) in str(raised.value)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "hosts"),
    [
        ("u:p@a:1,b:2/db?target_session_attrs=read-write", ("a:1", "b:2")),
        ("u:p@a,b/db", ("a", "b")),
        ("/db?host=a:1&host=b:2", ("a:1", "b:2")),
    ],
)
def test_several_hosts_of_postgresql(value: str, hosts: tuple[str, ...]) -> None:
    config = Config.from_env({"FEEDSVC_DATABASE_URL": f"postgresql+psycopg://{value}"})
    url = make_url(config.database_url)
    assert url.query["host"] == hosts
    assert ("target_session_attrs" in url.query) is ("target_session_attrs" in value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("HOST", "a\nb"),
        ("WEB_CONCURRENCY", "many"),
        ("FEEDSVC_DATABASE_URL", "mysql://x"),
        ("FEEDSVC_DATABASE_URL", "nonsense"),
        ("FEEDSVC_DATABASE_URL", "sqlite://"),
        ("FEEDSVC_DATABASE_URL", "sqlite:///:memory:"),
        ("FEEDSVC_DATABASE_URL_FILE", "/nonexistent"),
        ("FEEDSVC_PUBLIC_URL", "ftp://x"),
        ("FEEDSVC_PUBLIC_URL", "https://x/?a=b"),
        ("FEEDSVC_SITE_URL", "portal.example"),
        ("FEEDSVC_SITE_LANGUAGE", "tiếng Việt"),
        ("FEEDSVC_SITE_LANGUAGE", "vn"),
        ("FEEDSVC_SITE_TIMEZONE", "Hanoi"),
        ("FEEDSVC_SITE_CONTACT", "nobody"),
        ("FEEDSVC_SITE_COLOR", "#9d1c201"),
        ("FEEDSVC_LOG_FORMAT", "xml"),
        ("FEEDSVC_POLL_MINUTES", "7"),
        ("FEEDSVC_MAX_BODY", "1e9"),
    ],
)
def test_invalid_value_is_named(variable: str, value: str) -> None:
    name = variable.removesuffix("_FILE")
    with pytest.raises(SettingError, match=rf"\A{name}: [A-Z].*\.\Z"):
        Config.from_env({variable: value})


def test_all_invalid_values_are_named_at_once() -> None:
    environ = {"PORT": "http", "FEEDSVC_MAX_BODY": "1", "FEEDSVC_SITE_COLOR": "red"}
    with pytest.raises(SettingError) as raised:
        Config.from_env(environ)
    lines = str(raised.value).splitlines()
    # FEEDSVC_PUBLIC_URL, whose default contains the port, is not blamed.
    names = [line.partition(":")[0] for line in lines]
    assert sorted(names) == sorted(environ)


@pytest.mark.parametrize(
    ("variable", "warning"),
    [
        (
            "FEEDSVC_SITE_TITEL",
            "FEEDSVC_SITE_TITEL is no setting. Did you mean “FEEDSVC_SITE_TITLE”?",
        ),
        ("FEEDSVC_PORT", "FEEDSVC_PORT is no setting. Did you mean “PORT”?"),
        ("FEEDSVC_XYZ", "FEEDSVC_XYZ is no setting."),
    ],
)
def test_unknown_setting_is_a_warning(
    tmp_path: Path, variable: str, warning: str
) -> None:
    file = tmp_path / "feedsvc.env"
    file.write_text(f"{variable}=x\n")
    environ = {"FEEDSVC_SETTINGS": str(file), "FEEDSVC_HUBS_FILE": ""}
    Config.from_env(environ)
    assert unknown_settings(environ) == [warning]


def test_variables_that_kubernetes_sets_are_no_warning() -> None:
    """It sets them for a Service named feedsvc."""
    environ = {
        "FEEDSVC_SERVICE_HOST": "10.0.0.1",
        "FEEDSVC_SERVICE_PORT": "80",
        "FEEDSVC_SERVICE_PORT_HTTP": "80",
        "FEEDSVC_PORT": "tcp://10.0.0.1:80",
        "FEEDSVC_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert unknown_settings(environ) == []


def test_start_warns_of_a_misspelt_setting() -> None:
    configuration = ("-c", "python:feedsvc.gunicorn_conf", "--check-config")
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", *configuration],
        cwd=ROOT,
        env={**os.environ, "FEEDSVC_SITE_TITEL": "x"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stderr == (
        "Warning: FEEDSVC_SITE_TITEL is no setting. "
        "Did you mean “FEEDSVC_SITE_TITLE”?\n"
    )


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["-m", "feedsvc", "token", "list"], 2),
        (["-c", "import wsgi"], 4),
        (["-m", "gunicorn", "-c", "python:feedsvc.gunicorn_conf"], 4),
    ],
)
def test_invalid_value_stops_the_start(command: list[str], status: int) -> None:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "FEEDSVC_MAX_BODY": "soon"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status
    message = "FEEDSVC_MAX_BODY: Must be a whole number from 1024 to 1073741824."
    assert done.stderr == f"Error: {message}\n"
    assert done.stdout == ""
