"""Settings: declared once, refused with a sentence that names them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from config import Config, SettingError
from tests.server import ROOT


def test_defaults_follow_each_other() -> None:
    config = Config.from_env({"PORT": "9000", "FEEDSVC_SITE_URL": ""})
    assert config.public_url == "http://localhost:9000"
    assert config.site_url == config.public_url
    assert config.site_timezone.key == "Asia/Ho_Chi_Minh"
    assert config.sources["port"] == "environment"
    assert config.sources["site_url"] == "default"


def test_an_empty_value_is_an_absent_one() -> None:
    assert Config.from_env({"FEEDSVC_MAX_AGE": ""}).max_age == 60


def test_a_value_is_read_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql+psycopg://u:hunter2@db/feeds\n")
    config = Config.from_env({"FEEDSVC_DATABASE_URL_FILE": str(secret)})
    assert config.database_url == "postgresql+psycopg://u:hunter2@db/feeds"
    row = next(row for row in config.table() if row[0] == "FEEDSVC_DATABASE_URL")
    assert "hunter2" not in str(row)
    assert row[2] == f"file {secret}"


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        ("u:p@a:1,b:2/db?target_session_attrs=read-write", ("a:1", "b:2")),
        ("u:p@a,b/db", ("a", "b")),
        ("/db?host=a:1&host=b:2", ("a:1", "b:2")),
    ],
)
def test_several_hosts_of_postgresql(given: str, hosts: tuple[str, ...]) -> None:
    config = Config.from_env({"FEEDSVC_DATABASE_URL": f"postgresql+psycopg://{given}"})
    url = make_url(config.database_url)
    assert url.query["host"] == hosts
    assert ("target_session_attrs" in url.query) is ("target_session_attrs" in given)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("HOST", "a\nb"),
        ("FEEDSVC_DATABASE_URL", "mysql://x"),
        ("FEEDSVC_DATABASE_URL", "nonsense"),
        ("FEEDSVC_DATABASE_URL_FILE", "/nonexistent"),
        ("FEEDSVC_PUBLIC_URL", "ftp://x"),
        ("FEEDSVC_PUBLIC_URL", "https://x/?a=b"),
        ("FEEDSVC_SITE_URL", "portal.example"),
        ("FEEDSVC_SITE_LANGUAGE", "tiếng Việt"),
        ("FEEDSVC_SITE_TIMEZONE", "Hanoi"),
        ("FEEDSVC_SITE_CONTACT", "nobody"),
        ("FEEDSVC_MAX_AGE", "-1"),
        ("FEEDSVC_MAX_BODY", "1e9"),
    ],
)
def test_a_bad_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^{variable} .*\\.$"):
        Config.from_env({variable: value})


def test_a_bad_value_stops_the_start() -> None:
    environ = {**os.environ, "FEEDSVC_MAX_AGE": "soon"}
    done = subprocess.run(
        [sys.executable, "-m", "feedsvc", "settings"],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert (
        done.stderr
        == "Error: FEEDSVC_MAX_AGE must be a whole number from 0 to 86400.\n"
    )
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://u:pw@db/f", "postgresql+psycopg://u:***@db/f"),
        ("postgresql+psycopg://u:p@w@db/f", "postgresql+psycopg://u:***@db/f"),
        ("postgresql+psycopg://u:p/w@db/f", "postgresql+psycopg://u:***@db/f"),
        (
            "postgresql+psycopg://u@db/f?password=pw",
            "postgresql+psycopg://u@db/f?password=***",
        ),
        (
            "postgresql+psycopg://u@db/f?pass%77ord=pw",
            "postgresql+psycopg://u@db/f?pass%77ord=***",
        ),
        (
            "postgresql+psycopg://u@db/f?sslmode=require&sslpassword=pw&oauth_client_secret=pw",
            "postgresql+psycopg://u@db/f?sslmode=require&sslpassword=***&oauth_client_secret=***",
        ),
        (
            "postgresql+psycopg://u:pw@a:1,b:2/f?password=pw",
            "postgresql+psycopg://u:***@/f?host=a:1&host=b:2&password=***",
        ),
        ("sqlite:///var/feedsvc.db", "sqlite:///var/feedsvc.db"),
    ],
)
def test_secrets_in_a_url_are_masked(url: str, shown: str) -> None:
    config = Config.from_env(
        {"FEEDSVC_DATABASE_URL": url, "FEEDSVC_HUBS": "https://u:pw@hub.example/"}
    )
    values = {name: value for name, value, _, _ in config.table()}
    assert values["FEEDSVC_DATABASE_URL"] == shown
    assert values["FEEDSVC_HUBS"] == "https://u:***@hub.example/"
