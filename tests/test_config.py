"""Settings: their defaults, and errors that name them."""

import os
import runpy
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
from sqlalchemy.engine import make_url

from feedsvc.config import SettingError
from feedsvc.text.languages import UI_LANGUAGES
from tests.data import read
from tests.fork_server import run_module
from tests.settings import read_settings, setting_names


def test_default_follows_other_settings() -> None:
    config = read_settings({"PORT": "9000"})
    assert config.site.public_url == "http://localhost:9000"
    assert config.site.url == config.site.public_url
    assert config.site.timezone.key == "Asia/Ho_Chi_Minh"


def test_texts_of_the_portal_may_be_in_further_languages() -> None:
    names = {name.removeprefix("FEEDSVC_SITE_") for name in setting_names()}
    names -= setting_names() | {*read("settings")["one_language"]}
    for name in sorted(names):
        environ = {f"FEEDSVC_SITE_{name}_EN": "English"}
        site = read_settings(environ).site
        assert getattr(site, f"{name.lower()}_in")("en") == "English", (
            f"{name}: `_read_site` in feedsvc/config.py, `Site` in "
            "feedsvc/models.py, “one_language” in tests/data/settings.json"
        )


def test_empty_value_is_absent() -> None:
    names = (
        "PORT",
        "FEEDSVC_POLL_MINUTES",
        "FEEDSVC_SITE_URL",
        "FEEDSVC_HUBS_FILE",
    )
    assert read_settings(dict.fromkeys(names, "")) == read_settings({})


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
    assert config.pages.color == "#1d4f91"
    assert config.site.description == "$one  ${two}"
    assert config.site.icon == ""
    assert config.database_url == "sqlite:////x.db"


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


# The executable is a file that is not UTF-8.
INVALID = [*read("settings")["invalid"], ("FEEDSVC_SETTINGS", sys.executable)]


@pytest.mark.parametrize(("variable", "value"), INVALID)
def test_invalid_value_is_named(variable: str, value: str) -> None:
    with pytest.raises(SettingError, match=rf"\A(The value of )?{variable}\b[^\n]+\Z"):
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


def warnings(folder: Path, environ: dict[str, str]) -> list[str]:
    """Return what a command warns of, before the error that there is no database."""
    done = run_module(["feedsvc", "token", "list"], folder, environ)
    assert not list(folder.glob("*.db"))
    return done.stderr.splitlines()[:-1]


def test_variable_that_is_no_setting_is_a_warning(tmp_path: Path) -> None:
    file, rate = tmp_path / "feedsvc.env", tmp_path / "rate"
    file.write_text("FEEDSVC_SITE_TITEL=Ví Dụ\n")
    rate.write_text("600/minute\n")
    environ = {
        "FEEDSVC_DATABASE_URL": f"sqlite:///{tmp_path}/feedsvc.db",
        "FEEDSVC_SETTINGS": str(file),
        "FEEDSVC_RATE_WRITES_FILE": str(rate),
        "FEEDSVC_PORT": "9000",
        "FEEDSVC_QQQ": "1",
        "FEEDSVC_EMPTY": "",
        "FEEDSVC_SITE_LANGUAGE": "de-AT",
    }
    expected = [
        "Warning: FEEDSVC_PORT is not a setting. Did you mean PORT?",
        "Warning: FEEDSVC_QQQ is not a setting.",
        "Warning: FEEDSVC_SITE_TITEL is not a setting. Did you mean FEEDSVC_SITE_TITLE?",
    ]
    assert warnings(tmp_path, environ) == expected
    environ["FEEDSVC_SITE_LANGUAGE"] = "is"
    assert warnings(tmp_path, environ) == [
        *expected,
        f"Warning: No words in “is”; pages and feeds use English. There are words in: {', '.join(UI_LANGUAGES)}.",
    ]


@pytest.mark.parametrize("command", ["token list", "serve"])
def test_invalid_value_stops_the_start(tmp_path: Path, command: str) -> None:
    environ = {"FEEDSVC_MAX_BODY": "soon"}
    done = run_module(["feedsvc", *command.split()], tmp_path, environ)
    assert (done.returncode, done.stdout) == (2, "")
    error = "Error: FEEDSVC_MAX_BODY: Not a valid integer.\n"
    assert done.stderr.endswith(error)
    assert "Traceback" not in done.stderr


def test_gunicorn_has_the_default_address_of_the_settings() -> None:
    with patch.dict(os.environ, clear=True):
        bind = runpy.run_module("feedsvc.serving.gunicorn_conf")["bind"]
    settings = read_settings({})
    assert bind == f"{settings.host}:{settings.port}"
