"""Apps with sample data or XSS payloads, loaded once and copied for each test."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from feedsvc.app import create_app
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.storage.tokens import create_token
from tests import data
from tests.conftest import ApiClient, CopyDatabase, MakeApp, make_config
from tests.data.xss_payloads import post_batch, post_payloads
from tests.fake_clock import Clock


def load(editor: ApiClient) -> None:
    """Post the sample data, all of which must be accepted."""
    for category in data.categories():
        editor.put(f"/categories/{category['slug']}", category)
    lines = data.batch()
    # Otherwise an entry that is withdrawn never would have been public.
    published = [
        {**line, "status": "published"}
        for line in lines
        if line.get("status") == "withdrawn"
    ]
    assert {result["status"] for result in post(editor, [*published, *lines])} <= {
        200,
        201,
    }


def post(editor: ApiClient, lines: list[Any]) -> list[dict[str, Any]]:
    """Post small batches, which end in time on a busy machine; return the results."""
    return [
        result
        for start in range(0, len(lines), 20)
        for result in post_batch(editor, lines[start : start + 20])
    ]


def build_once(
    factory: pytest.TempPathFactory,
    name: str,
    copy_database: CopyDatabase,
    load: Callable[[ApiClient], None],
    **settings: str,
) -> Path:
    """Fill a database once for all processes of pytest-xdist."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / f"{name}.db"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            url = copy_database()
            with open_app(url, **settings) as app:
                load(make_client(app, name="loader"))
            Path(url.removeprefix("sqlite:///")).rename(path)
    return path


@contextmanager
def open_app(database_url: str, **settings: str) -> Iterator[Flask]:
    """Open an app on a database, at `data.NOW`."""
    app = create_app(make_config(database_url, **settings), Clock(data.NOW))
    yield app
    get_services(app).database.close()


def make_client(
    app: Flask, scopes: Sequence[str] = SCOPES, name: str = ""
) -> ApiClient:
    """Return a client with a new token."""
    database = get_services(app).database
    token = create_token(database, name or " ".join(scopes), scopes)
    return ApiClient(app.test_client(), token)


Wait = Callable[..., None]
"""Lets time pass, as long as a timedelta, and the worker apply what is due."""


@pytest.fixture
def wait(clock: Clock, tick: Callable[[], None]) -> Wait:
    def run(**duration: float) -> None:
        clock.forward(**duration)
        tick()

    return run


@pytest.fixture(scope="session")
def seeded_template(
    copy_database: CopyDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make a database with the sample data."""
    return build_once(tmp_path_factory, "sample", copy_database, load)


MakeCopy = Callable[[Path], Flask]
"""Makes an app of a copy of a database, at `data.NOW`."""


@pytest.fixture
def make_copy(make_app: MakeApp, clock: Clock, tmp_path: Path) -> MakeCopy:
    def make(template: Path) -> Flask:
        clock.now = data.NOW
        path = shutil.copy(template, tmp_path / "copy.db")
        return make_app(database_url=f"sqlite:///{path}")

    return make


@pytest.fixture
def seeded_app(seeded_template: Path, make_copy: MakeCopy) -> Flask:
    """Return an app with the sample data."""
    return make_copy(seeded_template)


@pytest.fixture(scope="session")
def attacked_template(
    copy_database: CopyDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Make a database with every payload in every field that accepts it."""
    return build_once(
        tmp_path_factory,
        "attacked",
        copy_database,
        post_payloads,
        FEEDSVC_RATE_WRITES="1000000/minute",
        # The longest payload, in all fields of an event, is a line of 5 MB.
        FEEDSVC_MAX_BODY="16777216",
    )


@pytest.fixture
def attacked_app(attacked_template: Path, make_copy: MakeCopy) -> Flask:
    """Return an app with every payload."""
    return make_copy(attacked_template)
