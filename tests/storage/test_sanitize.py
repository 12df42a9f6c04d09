"""Stored HTML is sanitized again when the rules change: everywhere, once, and visibly to all who follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from feedsvc.api.sanitize import fingerprint
from feedsvc.cli.sanitizing import Resanitizer
from feedsvc.models import Site
from feedsvc.services import get_services
from feedsvc.storage import Storage, stored_html
from feedsvc.storage.tables import entries
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.server import Service

pytestmark = pytest.mark.both_databases

UNSAFE = '<p>Chào</p><img src="https://a.example/x.png" onerror="alert(1)"><script>alert(2)</script>'
SAFE = '<p>Chào</p><img src="https://a.example/x.png">'
TOO_DEEP = "<div>" * 300 + "Sâu &lt;b&gt;" + "</div>" * 300 + "<p>Hết</p>"
DUE = "Sanitizer rules changed: run `.venv/bin/feedsvc db sanitize`"


def smuggle(storage: Storage, id: str, markup: str) -> None:
    """Store HTML under an entry's id as a sanitizer with other rules has left it."""
    with storage.database.write() as connection:
        connection.execute(
            entries.update().where(entries.c.id == id).values(content_html=markup)
        )


def run_sanitize(app: Flask) -> Result:
    result = app.test_cli_runner().invoke(args=["db", "sanitize"])
    assert result.exit_code == 0, result.output
    return result


def put(editor: ApiClient, id: str, **members: Any) -> Any:
    return editor.put(
        f"/articles/{id}", {"title": id, "content_html": "<p>Chào</p>", **members}
    ).get_json()


def test_sanitize_applies_current_rules_to_stored_html(
    app: Flask, storage: Storage, editor: ApiClient
) -> None:
    put(editor, "a")
    put(editor, "b")
    smuggle(storage, "a", UNSAFE)
    assert "1 changed" in run_sanitize(app).stdout
    assert editor.send("GET", "/articles/a").get_json()["content_html"] == SAFE
    assert editor.send("GET", "/articles/b").get_json()["version"] == 1


def test_sanitized_entry_reaches_feeds_and_followers(
    app: Flask, storage: Storage, editor: ApiClient, clock: Clock
) -> None:
    put(editor, "a")
    smuggle(storage, "a", UNSAFE)
    cursor = editor.client.get("/api/v1/changes").get_json()["next"]
    before = editor.client.get("/feeds/news.atom")
    clock.forward(minutes=1)
    run_sanitize(app)
    (change,) = editor.client.get(f"/api/v1/changes?after={cursor}").get_json()[
        "changes"
    ]
    assert (change["id"], change["version"], change["content_html"]) == ("a", 2, SAFE)
    after = editor.client.get("/feeds/news.atom")
    assert "onerror" in before.text
    assert "onerror" not in after.text
    assert after.headers["ETag"] != before.headers["ETag"]
    log = (
        app.test_cli_runner()
        .invoke(args=["log", "--token", "sanitize", "--json"])
        .stdout
    )
    assert log.count('"news/a"') == 1


def test_sanitize_is_safe_to_repeat(
    app: Flask, storage: Storage, editor: ApiClient
) -> None:
    put(editor, "a")
    smuggle(storage, "a", UNSAFE)
    run_sanitize(app)
    assert "1 checked, 0 changed" in run_sanitize(app).stdout
    assert editor.send("GET", "/articles/a").get_json()["version"] == 2


def test_refused_html_becomes_plain_text_and_is_reported(
    app: Flask, storage: Storage, editor: ApiClient
) -> None:
    put(editor, "a")
    smuggle(storage, "a", TOO_DEEP)
    result = run_sanitize(app)
    assert result.stderr.splitlines()[-1] == (
        "refused: news/a: Tags are nested more than 256 deep. Its body is plain text now."
    )
    assert "1 changed, 1 of them refused" in result.stdout
    entry = editor.send("GET", "/articles/a").get_json()
    assert entry["content_text"] == "Sâu <b>\n\nHết"
    assert "content_html" not in entry
    assert (
        "Sâu &lt;b&gt;"
        in editor.client.get("/feeds/news.json").get_json()["items"][0]["content_html"]
    )


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "markup",
    [
        TOO_DEEP,
        "<" * 500_000,
        "<script" * 100_000,
        "a" + "&#x301;&#x316;" * 50_000,
        "<div>" * 9999,
    ],
)
def test_refused_html_does_not_stop_sanitize(
    app: Flask, storage: Storage, editor: ApiClient, markup: str
) -> None:
    put(editor, "a")
    smuggle(storage, "a", markup)
    assert "1 changed" in run_sanitize(app).stdout
    entry = editor.send("GET", "/articles/a").get_json()
    assert editor.put("/articles/a", entry).get_json()["version"] == 2, (
        "what is left can be put"
    )


def test_sanitize_changes_drafts_and_withdrawn_entries_and_keeps_their_state(
    app: Flask, storage: Storage, editor: ApiClient
) -> None:
    put(editor, "a", status="draft")
    put(editor, "b", status="withdrawn", notice="Nhầm", categories=["van-hoa"])
    put(
        editor,
        "c",
        summary="Riêng",
        expires="2090-01-01T00:00:00Z",
        date_published="2080-01-01T00:00:00Z",
    )
    before = {id: editor.send("GET", f"/articles/{id}").get_json() for id in "abc"}
    for id in "abc":
        smuggle(storage, id, UNSAFE)
    assert "3 checked, 3 changed" in run_sanitize(app).stdout
    for id, entry in before.items():
        after = editor.send("GET", f"/articles/{id}").get_json()
        assert after.pop("content_html") == SAFE
        own = ("content_html", "version", "date_modified")
        assert (
            after.items()
            >= {key: value for key, value in entry.items() if key not in own}.items()
        )


def test_derived_summary_follows_the_sanitized_body(
    app: Flask, storage: Storage, editor: ApiClient
) -> None:
    put(editor, "a")
    smuggle(storage, "a", "<p>Chào<script>alert(1)</script></p>")
    run_sanitize(app)
    assert editor.send("GET", "/articles/a").get_json()["summary"] == "Chào"


def test_batches_are_bounded_in_entries_and_characters(
    storage: Storage, editor: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_html, "_MAX_ENTRIES", 3)
    monkeypatch.setattr(stored_html, "_MAX_CHARACTERS", 250)
    for number in range(8):
        put(
            editor,
            f"{number}",
            content_html=f"<p>{'x' * (300 if number == 3 else 10)}</p>",
        )
    sizes = []
    batch = storage.stored_html.batch(0)
    while batch.size:
        sizes.append([entry.id for entry in batch.entries])
        batch = storage.stored_html.batch(batch.cursor)
    assert sizes == [["0", "1", "2"], ["3"], ["4", "5", "6"], ["7"]]


def test_write_during_sanitize_is_not_lost(
    app: Flask, storage: Storage, site: Site, editor: ApiClient
) -> None:
    put(editor, "a")
    put(editor, "b")
    smuggle(storage, "a", UNSAFE)
    smuggle(storage, "b", UNSAFE)
    markup = Resanitizer(storage, site)
    original = storage.writer

    def write(token: str) -> Any:
        storage.writer = original  # type: ignore[method-assign]
        put(editor, "a", content_html="<p>Mới</p>")
        assert editor.send("DELETE", "/articles/b").status_code == 204
        return original(token)

    storage.writer = write  # type: ignore[method-assign]
    assert sum(markup.run()) == 2
    assert editor.send("GET", "/articles/a").get_json()["content_html"] == "<p>Mới</p>"
    assert editor.send("GET", "/articles/b").status_code == 410
    assert markup.changed == 0


def test_new_database_is_never_due(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    storage = get_services(make_app()).storage
    assert not storage.stored_html.is_outdated(fingerprint())
    assert DUE not in caplog.text


def test_other_rules_are_due_until_sanitize_has_run(
    app: Flask, storage: Storage, editor: ApiClient
) -> None:
    put(editor, "a")
    storage.stored_html.note("other")
    assert storage.stored_html.is_outdated(fingerprint())
    run_sanitize(app)
    assert not storage.stored_html.is_outdated(fingerprint())


def test_interrupted_run_stays_due(
    storage: Storage, site: Site, editor: ApiClient
) -> None:
    put(editor, "a")
    storage.stored_html.note("other")
    next(Resanitizer(storage, site).run())
    assert storage.stored_html.is_outdated(fingerprint())


def test_export_has_its_rules(
    storage: Storage, editor: ApiClient, tmp_path: Path, site: Site
) -> None:
    put(editor, "a")
    storage.stored_html.note("other")
    target = Storage(f"sqlite:///{tmp_path}/new.db", storage._clock, site.timezone)
    target.upgrade()
    assert not target.stored_html.is_outdated(fingerprint())
    target.load_dump(line.encode() for line in storage.dump())
    assert target.stored_html.is_outdated(fingerprint())
    target.close()


@pytest.mark.sqlite
def test_start_logs_once_that_sanitize_is_due(service: Service, tmp_path: Path) -> None:
    service.make_token("news:write", "news:publish")
    service.request(
        "PUT", "/api/v1/articles/a", {"title": "x", "content_html": "<p>x</p>"}
    )
    service.stop()
    engine = sa.create_engine(service.environ["FEEDSVC_DATABASE_URL"])
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE sanitizer SET fingerprint = 'other'"))
    engine.dispose()
    log = tmp_path / "log"
    service.start(log)
    service.stop()
    assert log.read_text().count(DUE) == 1
    service.command("db", "sanitize")
    log.write_text("")
    service.start(log)
    service.stop()
    assert DUE not in log.read_text()


def test_damaged_entries_are_listed_and_stay_due(
    app: Flask, storage: Storage, editor: ApiClient
) -> None:
    event = {"title": "x", "start": "2030-01-01T10:00:00", "content_html": "<p>x</p>"}
    editor.put("/events/e", event)
    put(editor, "a")
    smuggle(storage, "a", UNSAFE)
    with storage.database.write() as connection:
        damaged = sa.func.replace(entries.c.document, '"timezone":"', '"timezone":"No')
        connection.execute(
            entries.update().where(entries.c.kind == "events").values(document=damaged)
        )
    result = run_sanitize(app)
    assert "damaged: events/e: It is unreadable" in result.stderr
    assert "1 checked, 1 changed" in result.stdout
    assert storage.stored_html.is_outdated("other")
    editor.put("/events/e", event)
    run_sanitize(app)
    assert not storage.stored_html.is_outdated(fingerprint())
