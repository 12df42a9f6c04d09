"""Every setting and every command has an effect that others notice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.cli.commands import commands
from feedsvc.services import get_services
from tests.commands import invoke, run
from tests.conftest import ApiClient, MakeApp
from tests.data.fixtures import make_client, open_app
from tests.server import Service
from tests.settings import setting_names

View = Callable[[FlaskClient], Any]


def get(path: str) -> View:
    return lambda client: client.get(path).text


def put(client: FlaskClient) -> list[int]:
    """Return the statuses of writes, the second of them longer."""
    editor = make_client(client.application)
    documents = ({"title": "x"}, {"title": "x", "summary": "x" * 1100})
    return [
        editor.send("PUT", "/articles/a", document).status_code
        for document in documents
    ]


def preview(client: FlaskClient) -> Any:
    """Return the link to a preview."""
    draft = {"title": "x", "status": "draft"}
    editor = make_client(client.application)
    return editor.put("/articles/a", draft).get_json()["preview_url"]


def log_in(client: FlaskClient) -> list[int]:
    """Return the statuses of failed logins from two addresses behind a proxy."""
    addresses = ["203.0.113.1"] * 5 + ["203.0.113.2"]
    return [
        client.get(
            "/api/v1/articles",
            headers={
                "Authorization": "Bearer fsv_x",
                "X-Forwarded-For": address,
            },
        ).status_code
        for address in addresses
    ]


#: A value of each setting, and what it changes.
SETTINGS: dict[str, tuple[str, View]] = {
    "FEEDSVC_PUBLIC_URL": ("https://a.example", get("/feeds/news.rss")),
    "FEEDSVC_SITE_URL": ("https://b.example", get("/feeds/news.rss")),
    "FEEDSVC_SITE_TITLE": ("Stadt", get("/feeds/news.rss")),
    "FEEDSVC_SITE_DESCRIPTION": ("Neues", get("/feeds/news.rss")),
    "FEEDSVC_SITE_LANGUAGE": ("en", get("/feeds/news.rss")),
    "FEEDSVC_SITE_LANGUAGES": ("vi,en", get("/")),
    "FEEDSVC_SITE_TITLE_EN": ("City", get("/feeds/news.rss?lang=en")),
    "FEEDSVC_SITE_DESCRIPTION_EN": ("All", get("/feeds/news.rss?lang=en")),
    "FEEDSVC_SITE_TIMEZONE": ("Europe/Berlin", get("/feeds/events.ics")),
    "FEEDSVC_SITE_ICON": ("https://a.example/i.png", get("/feeds/news.atom")),
    "FEEDSVC_SITE_LOGO": ("https://a.example/l.png", get("/")),
    "FEEDSVC_SITE_COLOR": ("#00ff00", get("/static/site.css")),
    "FEEDSVC_SITE_RIGHTS": ("CC0", get("/feeds/news.rss")),
    "FEEDSVC_SITE_CONTACT": ("a@a.example", get("/feeds/news.rss")),
    "FEEDSVC_SITE_IMPRINT": ("https://a.example/i?a=1", get("/")),
    "FEEDSVC_SITE_PRIVACY": ("https://a.example/p", get("/")),
    "FEEDSVC_SITE_ACCESSIBILITY": ("https://a.example/a", get("/")),
    "FEEDSVC_POLL_MINUTES": ("30", get("/feeds/news.rss")),
    "FEEDSVC_HUBS": ("https://hub.example/", get("/feeds/news.rss")),
    "FEEDSVC_MAX_BODY": ("1024", put),
    "FEEDSVC_RATE_WRITES": ("1/minute", put),
    "FEEDSVC_SECRET_KEY": ("a secret", preview),
    "FEEDSVC_TRUSTED_PROXIES": ("1", log_in),
}
PROCESS_SETTINGS = {
    "HOST",
    "PORT",
    "FEEDSVC_DATABASE_URL",
    "FEEDSVC_LOG_FORMAT",
}


def test_every_setting_is_in_this_file() -> None:
    # Of the texts by language, one stands for all.
    texts = {"FEEDSVC_SITE_TITLE_EN", "FEEDSVC_SITE_DESCRIPTION_EN"}
    assert setting_names() | texts == SETTINGS.keys() | PROCESS_SETTINGS


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_has_an_effect(
    name: str, sqlite_template: Path, tmp_path: Path
) -> None:
    value, view = SETTINGS[name]
    seen = []
    for number, settings in enumerate(({}, {}, {name: value})):
        path = tmp_path / f"{number}.db"
        path.write_bytes(sqlite_template.read_bytes())
        with open_app(path, **settings) as app:
            seen.append(view(app.test_client()))
    assert seen[0] == seen[1], "nothing else changes it"
    assert seen[0] != seen[2]


def test_settings_of_the_process_have_effects(tmp_path: Path) -> None:
    path = tmp_path / "here.db"
    service = Service(
        f"sqlite:///{path}", HOST="127.0.0.2", FEEDSVC_LOG_FORMAT="json"
    )
    service.url = f"http://127.0.0.2:{service.port}"
    log = tmp_path / "log"
    service.start(log)
    service.stop()
    assert path.exists()
    lines = log.read_text().splitlines()
    assert all(json.loads(line)["level"] for line in lines)


def names_of(group: click.Group, *parents: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from names_of(command, *parents, name)
        else:
            yield " ".join((*parents, name))


def test_every_command_has_an_effect(
    app: Flask, editor: ApiClient, make_app: MakeApp, tmp_path: Path
) -> None:
    # Other files have `serve`.
    commands_to_run = set(names_of(commands)) - {"serve"}
    calendar = tmp_path / "calendar.ics"
    calendar.write_bytes(editor.client.get("/feeds/events.ics").data)
    new = make_app(database_url=f"sqlite:///{tmp_path}/new.db", migrate=False)

    def runs(*arguments: str, on: Flask = app) -> str:
        commands_to_run.discard(" ".join(arguments[:1]))
        commands_to_run.discard(" ".join(arguments[:2]))
        return run(on, *arguments)

    editor.put("/articles/a", {"title": "Một"})
    cursor = editor.client.get("/api/v1/changes").get_json()["next"]
    token = runs("token", "create", "lan").strip()
    assert ApiClient(app.test_client(), token).send("GET", "/articles")
    assert "lan" in runs("token", "list")
    runs("token", "revoke", "lan")
    refused = ApiClient(app.test_client(), token).send("GET", "/articles")
    assert refused.status_code == 401
    runs("db", "restored")
    changes = editor.client.get(f"/api/v1/changes?after={cursor}")
    assert changes.status_code == 410
    runs("db", "copy", get_services(app).config.database_url, on=new)
    assert "Một" in new.test_client().get("/feeds/news.rss").text
    assert "0 new" in runs("import", str(calendar))
    other = make_app(
        database_url=f"sqlite:///{tmp_path}/other.db", migrate=False
    )
    assert other.test_client().get("/readyz").status_code == 503
    runs("db", "upgrade", on=other)
    assert other.test_client().get("/readyz").status_code == 200
    runs("demo", on=other)
    assert "<item>" in other.test_client().get("/feeds/news.rss").text
    assert not commands_to_run, "this test runs every command"
    assert invoke(app, "nothing").exit_code == 2
