"""Settings: their defaults, and errors that name them."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy.engine import make_url

from feedsvc.config import SettingError
from tests.server import ROOT, Service
from tests.settings import read_settings


def test_default_follows_other_settings() -> None:
    config = read_settings({"PORT": "9000"})
    assert config.site.public_url == "http://localhost:9000"
    assert config.site.url == config.site.public_url
    assert config.site.timezone.key == "Asia/Ho_Chi_Minh"


def test_empty_value_is_absent() -> None:
    names = (
        "PORT",
        "FEEDSVC_POLL_MINUTES",
        "FEEDSVC_SITE_URL",
        "FEEDSVC_HUBS_FILE",
    )
    config = read_settings(dict.fromkeys(names, ""))
    assert config == read_settings({})
    assert (config.port, config.site.poll_minutes, config.site.hubs) == (
        8000,
        15,
        (),
    )


def test_last_slash_is_dropped_but_for_hubs() -> None:
    config = read_settings(
        {
            "FEEDSVC_PUBLIC_URL": "https://feeds.example/",
            "FEEDSVC_HUBS": "https://a.example/, https://b_c.example/hub",
        }
    )
    assert config.site.public_url == "https://feeds.example"
    # A hub's own URL is called as it is.
    assert config.site.hubs == (
        "https://a.example/",
        "https://b_c.example/hub",
    )


def test_value_is_read_from_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql+psycopg://u:hunter2@db/feeds\n")
    config = read_settings({"FEEDSVC_DATABASE_URL_FILE": str(secret)})
    assert config.database_url == "postgresql+psycopg://u:hunter2@db/feeds"


def test_unreadable_file_of_a_value_is_named() -> None:
    with pytest.raises(SettingError, match="FEEDSVC_DATABASE_URL_FILE"):
        read_settings({"FEEDSVC_DATABASE_URL_FILE": "/nonexistent"})


def test_settings_file_is_read_after_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "feedsvc.env"
    file.write_text(
        "# a comment\n\nFEEDSVC_POLL_MINUTES=5\nPORT=9000\n"
        'FEEDSVC_SITE_TITLE="Hà \\"Nội\\""\nFEEDSVC_SITE_COLOR=#1d4f91\n'
        "FEEDSVC_SITE_DESCRIPTION=$one  ${two}\nFEEDSVC_SITE_ICON=\n"
        f"FEEDSVC_DATABASE_URL_FILE={tmp_path}/url\n"
    )
    (tmp_path / "url").write_text("sqlite:////x.db\n")
    environ = {"PORT": "9001", "FEEDSVC_POLL_MINUTES": ""}
    config = read_settings({"FEEDSVC_SETTINGS": str(file), **environ})
    assert (config.site.poll_minutes, config.port) == (5, 9001)
    assert config.site.title == 'Hà "Nội"'
    assert config.site.color == "#1d4f91"
    assert config.site.description == "$one  ${two}"
    assert config.site.icon == ""
    assert config.database_url == "sqlite:////x.db"


def test_unreadable_settings_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "feedsvc.env"
    with pytest.raises(SettingError, match=f"FEEDSVC_SETTINGS: .*{file}"):
        read_settings({"FEEDSVC_SETTINGS": str(file)})
    file.write_bytes(b"\xff")
    with pytest.raises(SettingError, match=r"FEEDSVC_SETTINGS: .*utf-8"):
        read_settings({"FEEDSVC_SETTINGS": str(file)})


@pytest.mark.parametrize(
    "value",
    [
        "one,two/db?target_session_attrs=read-write",
        "/db?host=one:1&host=two:2",
    ],
)
def test_database_url_may_have_several_hosts(value: str) -> None:
    url = f"postgresql+psycopg://{value}"
    config = read_settings({"FEEDSVC_DATABASE_URL": url})
    assert make_url(config.database_url).database == "db"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("FEEDSVC_DATABASE_URL", "mysql://x"),
        ("FEEDSVC_DATABASE_URL", "nonsense"),
        ("FEEDSVC_DATABASE_URL", "postgresql+psycopg://host:port/x"),
        ("FEEDSVC_DATABASE_URL", "sqlite://"),
        ("FEEDSVC_DATABASE_URL", "sqlite:///:memory:"),
        ("FEEDSVC_PUBLIC_URL", "ftp://x"),
        ("FEEDSVC_PUBLIC_URL", "https://x/?a=b"),
        ("FEEDSVC_PUBLIC_URL", "http://[::1"),
        ("FEEDSVC_SITE_URL", "portal.example"),
        ("FEEDSVC_SITE_LANGUAGE", "tiếng Việt"),
        ("FEEDSVC_SITE_LANGUAGE", "vn"),
        ("FEEDSVC_SITE_TIMEZONE", "Hanoi"),
        ("FEEDSVC_SITE_CONTACT", "nobody"),
        ("FEEDSVC_SITE_COLOR", "#9d1c201"),
        ("FEEDSVC_SITE_LOGO", "logo.svg"),
        ("FEEDSVC_SITE_IMPRINT", "javascript:alert(1)"),
        ("FEEDSVC_LOG_FORMAT", "xml"),
        ("FEEDSVC_POLL_MINUTES", "7"),
        ("FEEDSVC_MAX_BODY", "1e9"),
        ("FEEDSVC_RATE_WRITES", "many"),
        ("FEEDSVC_TRUSTED_PROXIES", "-1"),
        ("FEEDSVC_HUBS", "https://a.example,b.example"),
    ],
)
def test_invalid_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=rf"\A{variable}: [^\n]+\Z"):
        read_settings({variable: value})


def test_all_invalid_values_are_named_at_once() -> None:
    environ = {
        "PORT": "http",
        "FEEDSVC_MAX_BODY": "1",
        "FEEDSVC_SITE_COLOR": "red",
    }
    with pytest.raises(SettingError) as raised:
        read_settings(environ)
    lines = str(raised.value).splitlines()
    # FEEDSVC_PUBLIC_URL, whose default contains the port, is not blamed.
    names = [line.partition(":")[0] for line in lines]
    assert sorted(names) == sorted(environ)


def test_variable_that_is_no_setting_is_named_once(tmp_path: Path) -> None:
    file, rate, log = (
        tmp_path / name for name in ("feedsvc.env", "rate", "log")
    )
    file.write_text("FEEDSVC_SITE_TITEL=Ví Dụ\n")
    rate.write_text("600/minute\n")
    service = Service(
        f"sqlite:///{tmp_path}/feedsvc.db",
        FEEDSVC_SETTINGS=str(file),
        FEEDSVC_RATE_WRITES_FILE=str(rate),
        FEEDSVC_PORT="9000",
        FEEDSVC_QQQ="1",
        FEEDSVC_EMPTY="",
    )
    service.is_forked = False
    service.start(log)
    service.kill()
    assert re.findall(".*FEEDSVC_.*", log.read_text()) == [
        "Warning: FEEDSVC_PORT is not a setting. Did you mean PORT?",
        "Warning: FEEDSVC_QQQ is not a setting.",
        "Warning: FEEDSVC_SITE_TITEL is not a setting. Did you mean FEEDSVC_SITE_TITLE?",
    ]


@pytest.mark.parametrize(
    ("language", "warnings"),
    [
        (
            "pt",
            [
                "Warning: No words in “pt”; pages and feeds use English. There are words in: de, en, es, fr, ja, ko, vi, zh."
            ],
        ),
        ("de-AT", []),
    ],
)
def test_language_without_words_is_a_warning(
    tmp_path: Path, language: str, warnings: list[str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "feedsvc", "token", "list"],
        cwd=ROOT,
        env={
            **os.environ,
            "FEEDSVC_DATABASE_URL": f"sqlite:///{tmp_path}/feedsvc.db",
            "FEEDSVC_SITE_LANGUAGE": language,
        },
        capture_output=True,
        text=True,
    )
    assert re.findall("Warning.*", done.stderr) == warnings


def test_gunicorn_has_the_default_address_of_the_settings() -> None:
    with patch.dict(os.environ, clear=True):
        bind = runpy.run_module("feedsvc.gunicorn_conf")["bind"]
    settings = read_settings({})
    assert bind == f"{settings.host}:{settings.port}"


@pytest.mark.parametrize("command", ["token list", "serve"])
def test_invalid_value_stops_the_start(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "feedsvc", *command.split()],
        cwd=ROOT,
        env={**os.environ, "FEEDSVC_MAX_BODY": "soon"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.endswith(
        "Error: FEEDSVC_MAX_BODY: Not a valid integer.\n"
    )
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
