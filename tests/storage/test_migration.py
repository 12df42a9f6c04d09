"""A database of version 2.0.0 answers after the upgrade as it did before.

`tests/data/version_2` has a database of 2.0.0, and its answers at the time of `Clock`:
entries of every status, series, translations, and renamed categories.

`feedsvc db upgrade` of 2.0.0 had made it of a database of 1.0.1, with an UNTIL in local
time. Then an application of 2.0.0 with `Clock` stored the entries and the category whose
ids begin with `w-` and `to-` by the API, and its test client got the answers.
"""

import gzip
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.models import utcnow
from feedsvc.storage.database import Database
from feedsvc.storage.migrations.runner import HEAD
from feedsvc.storage.tables import Base
from tests.commands import invoke
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.postgres import Cluster
from tests.server import ROOT, Service
from tests.web.feeds import ids, items

pytestmark = pytest.mark.both_databases

DATA = Path(__file__).parent.parent / "data" / "version_2"
ANSWERS: dict[str, Any] = json.loads(
    gzip.decompress((DATA / "answers-2.0.0.json.gz").read_bytes())
)
OLD_DATABASE = gzip.decompress((DATA / "feedsvc-2.0.0.db.gz").read_bytes())
CHANGES = "/api/v1/changes?limit=1000"


@pytest.fixture(scope="module")
def sqlite_upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Upgrade the database, to be copied for each test."""
    path = tmp_path_factory.mktemp("version-2") / "feedsvc.db"
    path.write_bytes(OLD_DATABASE)
    Service(f"sqlite:///{path}").command("db", "upgrade")
    # Its write-ahead log is another file.
    Database(f"sqlite:///{path}", utcnow).close()
    return path


@pytest.fixture(scope="module")
def postgresql_upgraded(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Upgrade a database with the same rows, and return its name."""
    path = tmp_path_factory.mktemp("version-2") / "feedsvc.db"
    path.write_bytes(OLD_DATABASE)
    with cluster.database("template0") as url:
        _load_rows(path, url)
        Service(url).command("db", "upgrade")
        yield url.rpartition("/")[2]


@pytest.fixture
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return the URL of an upgraded database of the test's own."""
    upgraded = request.getfixturevalue(f"{request.param}_upgraded")
    if request.param == "sqlite":
        yield f"sqlite:///{shutil.copy(upgraded, tmp_path)}"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database(upgraded) as url:
        yield url


def _load_rows(path: Path, url: str) -> None:
    """Create the tables of version 2 in PostgreSQL, with the rows of an SQLite file."""
    source = sa.create_engine(f"sqlite:///{path}")
    database = Database(url, utcnow)
    with source.connect() as reading, database.begin_migration() as writing:
        config = AlembicConfig()
        config.set_main_option("script_location", "feedsvc:storage/migrations")
        config.attributes["connection"] = writing
        command.upgrade(config, "0002")
        tables = sa.MetaData()
        tables.reflect(writing)
        for table in reversed(tables.sorted_tables):
            writing.execute(table.delete())
        for table in tables.sorted_tables:
            rows = reading.execute(sa.select(table)).mappings().all()
            if rows:
                writing.execute(table.insert(), [dict(row) for row in rows])
        for name, key in (
            ("entries", "pk"),
            ("categories", "id"),
            ("tokens", "id"),
        ):
            sequence = sa.func.pg_get_serial_sequence(name, key)
            writing.execute(sa.select(sa.func.setval(sequence, 1000)))
    source.dispose()
    database.close()


@pytest.fixture
def editor(app: Flask) -> ApiClient:
    """Return a client with a token of 2.0.0."""
    return ApiClient(app.test_client(), ANSWERS["token"])


def events_of(calendar: str) -> list[list[str]]:
    """Return the lines of each event."""
    unfolded = calendar.replace("\r\n ", "")
    return sorted(
        # Version 3 writes addresses in descriptions, leaves people free, and gives
        # coordinates six decimals.
        sorted(re.sub("(?m)^(DESCRIPTION|GEO|TRANSP).*\n", "", event).splitlines())
        for event in re.findall("(?s)BEGIN:VEVENT.*?END:VEVENT", unfolded)
    )


def comparable(path: str, body: Any) -> Any:
    """Return what must stay of an answer."""
    if ".ics" in path:
        return events_of(body)
    if path.startswith("/feeds/"):
        items = body["items"]
        for item in items:
            # Version 3 added it, and composes texts otherwise from what is stored, which
            # the changes show.
            item.get("_event", {}).pop("occurrence", None)
            for name in ("summary", "content_html", "content_text"):
                item.pop(name, None)
        return items
    # Version 3 lets previews expire.
    body.pop("preview_url", None)
    return without_empty_lists(body)


def without_empty_lists(body: Any) -> Any:
    """Return an answer without those of a member that a later version added."""
    if isinstance(body, list):
        return [without_empty_lists(item) for item in body]
    if isinstance(body, dict):
        return {
            name: without_empty_lists(value)
            for name, value in body.items()
            if value != []
        }
    return body


def test_migrations_make_the_tables_of_the_code(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        differences = compare_metadata(context, Base.metadata)
        oldest = connection.scalar(sa.text("SELECT oldest_schema FROM installation"))
    assert oldest == "0008", "that of 3.1.1, which takes statuses that it does not know"
    assert not differences, "feedsvc/storage/migrations/versions and tables.py"


@pytest.mark.sqlite
def test_alembic_makes_a_migration_of_a_column_and_checks_it(
    database_url: str, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    shutil.copytree(ROOT / "feedsvc", tmp_path / "feedsvc")

    def run(*arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=tmp_path,
            env={**os.environ, "FEEDSVC_DATABASE_URL": database_url},
            check=True,
        )

    run("alembic", "check")
    tables = tmp_path / "feedsvc/storage/tables.py"
    column = "    deleted_at: Mapped[datetime | None]\n"
    added_column = column.replace("deleted_at", "added_at")
    text = tables.read_text("utf-8")
    tables.write_text(text.replace(column, column + added_column), "utf-8")
    run("alembic", "revision", "--autogenerate", "-m", "Add a column")
    versions = tmp_path / "feedsvc/storage/migrations/versions"
    *_, newest, added = sorted(path.name for path in versions.glob("[0-9]*.py"))
    assert added == f"{int(newest[:4]) + 1:04}_add_a_column.py"
    run("feedsvc", "db", "upgrade")
    run("alembic", "check")


def test_answers_of_version_2_stay(editor: ApiClient) -> None:
    differences: list[tuple[str, Any, Any]] = []

    def compare(path: str, old: Any, new: Any) -> None:
        if old != new:
            differences.append((path, old, new))

    for path, old in ANSWERS["requests"].items():
        headers = editor.headers if path.startswith("/api/") else {}
        new = editor.client.get(path, headers=headers)
        compare(path, old["status"], new.status_code)
        for header in old.keys() & {"location", "etag"}:
            compare(path, old[header], new.headers.get(header))
        if "body" in old:
            body = new.text if ".ics" in path else new.get_json(force=True)
            old_body = comparable(path, old["body"])
            compare(path, old_body, comparable(path, body))
    assert not differences, differences[:3]
    revoked = ApiClient(editor.client, ANSWERS["revoked_token"])
    assert revoked.send("GET", "/articles").status_code == 401


def test_deleted_entries_are_restored_under_their_guids(
    editor: ApiClient,
) -> None:
    changes = ANSWERS["requests"][CHANGES]["body"]["changes"]
    guids = {change["id"]: change["guid"] for change in changes}
    for path in ("/articles/deleted", "/events/deleted-event"):
        document = {"title": "Trở lại"}
        if path.startswith("/events"):
            document["start"] = "2140-01-01"
        response = editor.send("PUT", path, document)
        assert response.status_code == 201
        restored = response.get_json()
        assert restored["guid"] == guids[restored["id"]]
        # 1 was the entry, 2 its deletion.
        assert restored["version"] == 3


def test_sequence_of_a_moved_event_rises_again(editor: ApiClient) -> None:
    stored = editor.send("GET", "/events/moved").get_json()
    for document, version, sequence in (
        # It has a member that later versions do not have.
        (stored, 0, 1),
        ({**stored, "title": "Tựa khác"}, 1, 1),
        ({"title": "x", "start": "2140-01-02T19:00:00"}, 2, 2),
    ):
        put = editor.put("/events/moved", document).get_json()
        assert put["version"] == stored["version"] + version
        calendar = editor.client.get("/entries/moved.ics").text
        assert f"\r\nSEQUENCE:{sequence}\r\n" in calendar


def test_rules_end_in_utc(database: Database) -> None:
    """Version 1 stored their ends in local time, and 2.0 kept that."""
    statement = sa.text(
        "SELECT document FROM entry_contents WHERE document LIKE '%UNTIL=%'"
    )
    with database.read() as session:
        documents = map(json.loads, session.scalars(statement))
        rules = {
            document["id"]: document["event"]["recurrence"]["rrule"]
            for document in documents
        }
    assert rules == {
        "past-series": "FREQ=WEEKLY;UNTIL=20260202T120000Z",
        "w-until": "FREQ=WEEKLY;UNTIL=20270403T170000Z",
    }


@pytest.mark.sqlite
def test_events_whose_offers_cost_nothing_are_free(
    tmp_path: Path, make_app: MakeApp
) -> None:
    path = tmp_path / "feedsvc.db"
    path.write_bytes(OLD_DATABASE)
    add_offer = (
        "UPDATE entry_contents SET document = json_set(document, '$.event.offers', "
        "json_array(json_object('currency', 'EUR', 'price', ?))) "
        "WHERE entry_pk = (SELECT pk FROM entries WHERE id = ?)"
    )
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(add_offer, [("0.00", "moved"), ("5", "past-series")])
    Service(f"sqlite:///{path}").command("db", "upgrade")
    client = make_app(database_url=f"sqlite:///{path}", migrate=False).test_client()
    assert ids(client, "/feeds/events.json?free=yes&when=all") == ["moved"]


def test_new_entry_can_be_stored(editor: ApiClient) -> None:
    event = {"title": "Mới", "start": "2140-01-01", "categories": ["am-nhac"]}
    editor.put("/events/new", event)
    assert "new" in ids(editor.client, "/feeds/events/am-nhac.json")


def test_withdrawn_entry_expires_after_30_days(
    client: FlaskClient, clock: Clock, tick: Callable[[], None]
) -> None:
    path = "/feeds/news.json?limit=100"
    title = "Đã gỡ: Rút lại"
    assert title in [item["title"] for item in items(client, path)]
    # Whatever the time of the upgrade was.
    clock.now = clock.now.replace(year=2090)
    tick()
    assert title not in [item["title"] for item in items(client, path)]


@pytest.mark.sqlite
@pytest.mark.parametrize("command", [["db", "upgrade"], ["serve"]])
def test_database_of_version_1_is_refused(
    tmp_path: Path, make_app: MakeApp, command: list[str]
) -> None:
    path = tmp_path / "version-1.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0001')")
    url = f"sqlite:///{path}"
    message = "The database is of version 1: upgrade it with feedsvc 2.0.0 first."
    with pytest.raises(subprocess.CalledProcessError) as raised:
        Service(url).command(*command)
    assert raised.value.stderr == f"Error: {message}\n"
    app = make_app(database_url=url, migrate=False)
    response = app.test_client().get("/readyz")
    assert response.status_code == 503
    assert response.get_json(force=True)["detail"] == message


@pytest.mark.parametrize(("oldest", "status"), [(HEAD, 200), ("9998", 503)])
def test_later_schema_names_the_oldest_code_that_may_use_it(
    app: Flask, database: Database, oldest: str, status: int
) -> None:
    with database.begin_migration() as connection:
        connection.execute(
            sa.text("UPDATE installation SET oldest_schema = :oldest"),
            {"oldest": oldest},
        )
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    done = invoke(app, "db", "upgrade")
    assert app.test_client().get("/readyz").status_code == status
    if status == 200:
        assert done.stdout == (
            "The database has schema 9999, which this version can use.\n"
        )
    else:
        assert done.stderr == (
            "Error: The database is of a newer version: it needs one that knows "
            f"schema 9998, this version knows {HEAD} at most.\n"
        )
