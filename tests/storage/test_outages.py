"""Why a database cannot be used: for the operator, not for clients, and not too often."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from feedsvc.errors import Unavailable
from feedsvc.storage import Storage
from feedsvc.storage.database import Database
from feedsvc.storage.outages import OutageLog, mask_secrets, translate
from tests.conftest import MakeApp
from tests.postgres import Cluster

UNAVAILABLE = "The database cannot be used at the moment."


@pytest.mark.parametrize(
    ("pattern", "replacement", "reason"),
    [
        (r":\w+@", ":hunter2@", r'wrong password \(.*for user "tests"\)'),
        (r"/template$", "/nodb", r'no such database \(.*"nodb" does not exist\)'),
        (r"@[^/]+", "@db.invalid", r"unknown host \(.*'db\.invalid'.*\)"),
        (r":\d+/", ":1/", r"connection refused \(.*port 1 failed.*\)"),
        (r"$", "?sslmode=require", r"no encrypted connection \(.*SSL.*\)"),
        (
            r"$",
            "?sslmode=verify-full&sslrootcert=/none.pem",
            r"no encrypted connection|certificate not accepted",
        ),
        (r":\w+@", ":hunter2@part@", r"unknown host \(.*'\*\*\*127\.0\.0\.1'.*\)"),
    ],
)
def test_reason_of_postgresql_is_told(
    cluster: Cluster, pattern: str, replacement: str, reason: str
) -> None:
    url = re.sub(pattern, replacement, cluster.url("template"), count=1)
    database = Database(url)
    with pytest.raises(Unavailable) as raised, database.read():
        raise AssertionError("connected")
    database.close()
    assert str(raised.value) == UNAVAILABLE
    text = raised.value.for_operator()
    assert re.fullmatch(f"The database cannot be used: ({reason})", text) or (
        "sslrootcert" in replacement and re.search(reason, text)
    )
    assert "\n" not in text
    assert "hunter2" not in text
    assert "part@" not in text


def test_rejected_certificate_is_told() -> None:
    cause = Exception("SSL error: certificate verify failed")
    error = sa.exc.OperationalError("", {}, cause)
    unavailable = translate(error, sa.make_url("postgresql+psycopg://db/f"))
    assert unavailable
    assert "certificate not accepted (SSL error" in unavailable.for_operator()


def test_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    path = tmp_path / "feeds.db"
    path.mkdir()  # root may open any file
    database = Database(f"sqlite:///{path}")
    with pytest.raises(Unavailable) as raised, database.read():
        raise AssertionError("connected")
    assert raised.value.for_operator() == (
        f"The database cannot be used: no access to {path} "
        "(unable to open database file)"
    )


def test_secrets_are_masked() -> None:
    url = sa.make_url("postgresql+psycopg://u:pw1@db/f?sslpassword=pw2&host=a")
    assert mask_secrets("pw1 pw2 a", url) == "*** *** a"


def test_reason_is_logged_once_and_then_once_a_minute(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 0.0
    log = OutageLog(lambda: now)
    log.report(Unavailable("x", "silent, as in a command"))
    log.is_enabled = True
    for second in range(150):
        now = 1000.0 + second
        log.begin_outage()
        log.report(Unavailable("x", "refused"))
        if second == 30:
            log.report(Unavailable("x", "wrong password"))
    log.end_outage()
    assert [record.getMessage() for record in caplog.records] == [
        "refused",
        "wrong password",
        "refused (60 times in 60 s)",
        "refused (60 times in 60 s)",
        "The database can be used again after 149 s",
    ]


def test_short_outage_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    log = OutageLog(lambda: now)
    log.is_enabled = True
    for seconds in (1, 1.5):
        log.begin_outage()
        now += seconds
        log.end_outage()
    (record,) = caplog.records
    assert record.getMessage() == "The database can be used again after 1 s"


def test_many_reasons_do_not_flood_the_log(caplog: pytest.LogCaptureFixture) -> None:
    log = OutageLog(lambda: 0.0)
    log.is_enabled = True
    for number in range(1000):
        log.report(Unavailable("x", f"reason {number}"))
    assert len(caplog.records) == 20


def test_readyz_logs_the_reason_and_answers_without_it(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(database_url="sqlite:////nonexistent/f.db", migrate=False)
    app.extensions["feedsvc"].storage.outage_log.is_enabled = True
    client: FlaskClient = app.test_client()
    caplog.set_level(logging.WARNING)
    answers = [client.get("/readyz") for _ in range(3)]
    assert {answer.status_code for answer in answers} == {503}
    assert "nonexistent" not in answers[0].text
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith("There is no database /nonexistent/f.db")
    assert lines[1] == f"/readyz answers 503: {lines[0]}"


def test_command_prints_the_reason(storage: Storage) -> None:
    with storage.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE tokens")
    with pytest.raises(Unavailable) as raised:
        storage.tokens.list()
    assert "no such table: tokens" in raised.value.for_operator()
    assert "tokens" not in str(raised.value)
