"""Commands: each example of the help runs, and each error is one sentence."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from flask import Flask
from flask.cli import ScriptInfo

from feedsvc.cli.commands import commands
from feedsvc.models import Category
from feedsvc.services import get_services
from feedsvc.storage.categories import put_category
from tests.conftest import MakeApp
from tests.server import ROOT, Service

FEED = """<rss version="2.0"><channel><title>t</title><link>https://old.example/</link><description>d</description>
<item><title>Tin</title><link>https://old.example/1</link><guid>https://old.example/1</guid>
<pubDate>Mon, 02 Nov 2026 08:00:00 +0700</pubDate><description>x</description></item></channel></rss>"""


def every(group: click.Group) -> Iterator[click.Command]:
    """Yield a group, and all groups and commands in it."""
    yield group
    for command in group.commands.values():
        if isinstance(command, click.Group):
            yield from every(command)
        else:
            yield command


def examples(command: click.Command) -> list[str]:
    return re.findall(
        r"^  \.venv/bin/feedsvc (.*)$", command.epilog or "", re.MULTILINE
    )


def test_every_command_has_examples() -> None:
    without = {command.name for command in every(commands) if not examples(command)}
    assert without == {"db", "token"}, "groups"


def test_every_example_runs(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old-feed.xml").write_text(FEED)
    lines = dict.fromkeys(
        line for command in every(commands) for line in examples(command)
    )
    for line in lines:
        done = CliRunner().invoke(
            commands,
            shlex.split(line),
            obj=ScriptInfo(create_app=lambda: app),
        )
        assert done.exit_code == 0, (line, done.output)
        if "--json" in line:
            assert all(
                isinstance(json.loads(document), dict)
                for document in done.output.splitlines()
            )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ("nonsense", 2),
        ("token create", 2),
        ("token create a --scope all", 2),
        ("token revoke nobody", 1),
        ("import /nowhere.xml", 2),
    ],
)
def test_wrong_usage_is_one_sentence(app: Flask, arguments: str, status: int) -> None:
    done = CliRunner().invoke(
        commands, arguments.split(), obj=ScriptInfo(create_app=lambda: app)
    )
    assert done.exit_code == status
    assert re.search(r"^Error: [^\n]+", done.output, re.MULTILINE)
    assert "Traceback" not in done.output


def test_lists_are_tables_on_a_terminal(database_url: str) -> None:
    service = Service(database_url)
    service.make_token("news:write", "events:write")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "feedsvc", "token", "list"]
    subprocess.run(command, cwd=ROOT, env=service.environ, stdout=theirs, check=True)
    os.close(theirs)
    head, line = os.read(ours, 10_000).decode().splitlines()[:2]
    os.close(ours)
    assert head.startswith("\x1b[1mname  scopes")
    assert line.startswith("test  events:write news:write  20")
    assert "\x1b" not in service.command("token", "list")


def test_token_of_the_settings_file_works_against_its_service(tmp_path: Path) -> None:
    """As documented: the service and commands read the same file."""
    file = tmp_path / "feedsvc.env"
    template = (ROOT / "deploy/feedsvc.env").read_text("utf-8")
    file.write_text(template.replace("/var/lib/feedsvc/", f"{tmp_path}/lib/"))
    service = Service("", FEEDSVC_SETTINGS=str(file))
    service.start()
    try:
        del service.environ["FEEDSVC_SETTINGS"]
        create = ("token", "create", "cms", "--scope", "news:write")
        service.token = service.command("--settings", str(file), *create).strip()
        assert service.request("GET", "/api/v1/articles").status_code == 200
    finally:
        service.stop()


def test_demo_names_another_port_before_urls(tmp_path: Path) -> None:
    service = Service(f"sqlite:///{tmp_path}/feedsvc.db")
    with socket.socket() as other:
        other.bind(("127.0.0.1", service.port))
        other.listen()
        with pytest.raises(subprocess.CalledProcessError) as raised:
            service.command("demo", "--check-port")
    error = raised.value
    assert error.stdout == ""
    sentence = rf"Error: Port {service.port} is in use\. .*: PORT=(\d+) make run\n"
    match = re.fullmatch(sentence, error.stderr)
    assert match
    assert int(match[1]) > service.port
    assert not list(tmp_path.iterdir())
    assert "export TOKEN=" in service.command("demo", "--check-port")


@pytest.mark.parametrize("has_wal", [True, False])
def test_files_with_data_are_readable_by_their_owner_alone(
    make_app: MakeApp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_wal: bool,
) -> None:
    monkeypatch.setattr("feedsvc.storage.database.is_safe_for_wal", lambda: has_wal)
    folder = tmp_path / "data"
    url = f"sqlite:///{folder}/feedsvc.db"
    old_umask = os.umask(0)
    try:
        app = make_app(database_url=url)

        def run(*arguments: str) -> None:
            obj = ScriptInfo(create_app=lambda: app)
            done = CliRunner().invoke(commands, arguments, obj=obj)
            assert done.exit_code == 0, done.output

        run("export", f"{folder}/all.ndjson")
        with get_services(app).database.write() as transaction:
            put_category(transaction, Category("a", "A"))
            transaction.session.flush()
            modes = {
                path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()
            }
    finally:
        os.umask(old_umask)
    assert set(modes.values()) == {0o600}
    names = {"feedsvc.db", "all.ndjson"}
    assert modes.keys() > names
    assert ("feedsvc.db-wal" if has_wal else "feedsvc.db-journal") in modes
