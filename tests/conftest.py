"""Shared fixtures: a database for each test, a movable clock, the app, a real service."""

import gc
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from werkzeug.test import TestResponse

from feedsvc.app import create_app
from feedsvc.config import Config
from feedsvc.models import SCOPES, utcnow
from feedsvc.services import EXTENSION, Services, get_services
from feedsvc.storage.database import Database
from feedsvc.storage.migrations.runner import upgrade
from feedsvc.storage.tokens import create_token
from tests.fake_clock import Clock
from tests.fork_server import end_with_parent
from tests.postgres import Cluster, throw_away
from tests.scratch import scratch_directory
from tests.server import Service
from tests.settings import read_settings, with_changes

pytest_plugins = "tests.data.fixtures"

DATABASES = ("sqlite", "postgresql")

# Where pytest puts the directories `tmp_path`.
os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch_directory()))

SLOW_FOLDERS = ("tests/integration/", "tests/browser/")


def pytest_configure(config: pytest.Config) -> None:
    """Let the processes of pytest-xdist end with the one that has started them.

    Only `make soak` draws new examples: elsewhere a failing test must be due to a change.
    """
    settings.register_profile(
        "feedsvc", derandomize=not _is_soak(config), deadline=None
    )
    settings.load_profile("feedsvc")
    if hasattr(config, "workerinput"):
        end_with_parent()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run slow tests first, so that no process ends long after the others."""
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW_FOLDERS))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on the databases that its marker names; without one, on SQLite."""
    marker = metafunc.definition.get_closest_marker
    names = [name for name in DATABASES if marker(name)]
    if not names and marker("both_databases"):
        names = list(DATABASES)
    if names and "database_url" in metafunc.fixturenames:
        metafunc.parametrize("database_url", names, indirect=True)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Run one PostgreSQL for all tests; one that stops it starts it again."""
    with throw_away() as running:
        yield running


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty database at the newest schema, to be copied for each test."""
    path = tmp_path_factory.mktemp("template") / "feedsvc.db"
    database = Database(f"sqlite:///{path}", utcnow)
    upgrade(database)
    database.close()
    return path


CopyDatabase = Callable[..., str]
"""Copies a database file, by default an empty one; returns the URL of the copy."""


@pytest.fixture(scope="session")
def copy_database(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> CopyDatabase:
    def copy(template: Path = sqlite_template) -> str:
        path = tmp_path_factory.mktemp("copy") / "feedsvc.db"
        return f"sqlite:///{shutil.copy(template, path)}"

    return copy


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'feedsvc.db')}"


@pytest.fixture
def postgresql_url(cluster: Cluster) -> Iterator[str]:
    with cluster.database() as url:
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """Return the URL of an empty database of the test's own."""
    name = getattr(request, "param", "sqlite")
    url: str = request.getfixturevalue(f"{name}_url")
    return url


def make_config(database_url: str, **environ: str) -> Config:
    return read_settings(
        {
            "FEEDSVC_DATABASE_URL": database_url,
            "FEEDSVC_PUBLIC_URL": "https://feeds.example",
            "FEEDSVC_SITE_URL": "https://portal.example",
            **environ,
        }
    )


@pytest.fixture
def config(database_url: str) -> Config:
    return make_config(database_url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


_FREE_APPS: list[tuple[Config, Flask]] = []
"""Apps that a test has used, with their settings but for the database."""

_MAX_FREE_APPS = 8


def _common_settings(config: Config) -> Config:
    backend = config.database_url.partition(":")[0]
    return replace(config, database_url=backend)


def _take_app(config: Config, clock: Clock) -> Flask:
    """Return an app of a database, with none of the state of another test.

    To create an app takes longer than most tests: routes and SQLAlchemy's compiled
    statements do not depend on the database.
    """
    common = _common_settings(config)
    free = next((each for each in _FREE_APPS if each[0] == common), None)
    if free is None:
        app = create_app(config, clock)
        _let_url_change(get_services(app).database.engine)
        return app
    _FREE_APPS.remove(free)
    app = free[1]
    used, services = get_services(app).database, Services(config, clock)
    used.engine.url = services.database.engine.url
    for name in ("engine", "_read_engine", "_write_engine"):
        setattr(services.database, name, getattr(used, name))
    app.extensions[EXTENSION] = services
    return app


def _let_url_change(engine: sa.Engine) -> None:
    """Let an engine connect to the database of its URL at the time."""

    @sa.event.listens_for(engine, "do_connect")
    def connect(dialect: sa.Dialect, *_: object) -> Any:
        arguments, parameters = dialect.create_connect_args(engine.url)
        return dialect.connect(*arguments, **parameters)


def _give_back(*apps: Flask) -> None:
    """Close the databases of apps, and keep the apps for other tests."""
    for app in apps:
        services = get_services(app)
        services.database.close()
        _FREE_APPS.insert(0, (_common_settings(services.config), app))
    del _FREE_APPS[_MAX_FREE_APPS:]


MakeApp = Callable[..., Flask]
"""Makes an app of the test's database, with changes to its settings."""


@pytest.fixture
def make_app(config: Config, clock: Clock) -> Iterator[MakeApp]:
    apps: list[Flask] = []

    def make(
        *, own_clock: Clock | None = None, migrate: bool = True, **changes: Any
    ) -> Flask:
        apps.append(_take_app(with_changes(config, **changes), own_clock or clock))
        if migrate:
            upgrade(get_services(apps[-1]).database)
        return apps[-1]

    yield make
    _give_back(*apps)


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app()


@pytest.fixture
def database(app: Flask) -> Database:
    return get_services(app).database


@pytest.fixture
def tick(app: Flask) -> Callable[[], None]:
    """Return the function that a worker calls once a second."""
    return get_services(app).background.tick


RecordMeasurement = Callable[[str, str, str], None]
"""Record a quantity, its measured value and its limit."""

_MEASUREMENTS: list[tuple[str, str, str]] = []


@pytest.fixture
def record_measurement(request: pytest.FixtureRequest) -> RecordMeasurement:
    """Record a measurement for the table that `make soak` prints at its end."""
    parameters = request.node.name.removeprefix(request.node.originalname)
    return lambda quantity, value, limit: _MEASUREMENTS.append(
        (f"{quantity} {parameters}".strip(), value, limit)
    )


@pytest.fixture
def time_factor(request: pytest.FixtureRequest) -> int:
    """Return how many times longer than its limit something may take.

    `make soak` measures, with the machine to itself. In other runs, the machine may be
    slow and busy: they only find what hangs.
    """
    return 1 if _is_soak(request.config) else 10


CheckLimit = Callable[..., None]
"""Record a quantity with its value, limit and unit; fail if it is over the limit."""


@pytest.fixture
def check_limit(record_measurement: RecordMeasurement, time_factor: int) -> CheckLimit:
    def check(quantity: str, value: float, limit: float, unit: str = "s") -> None:
        record_measurement(quantity, f"{value:.3g} {unit}", f"{limit:g} {unit}")
        factor = time_factor if unit == "s" else 1
        assert value < limit * factor, quantity

    return check


def _is_soak(config: pytest.Config) -> bool:
    return bool(config.option.markexpr.startswith("soak"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Iterator[None]:
    """Write, after all else, the measurements and what to install for skipped tests."""
    yield
    if _is_soak(config):
        for row in (("quantity", "measured", "limit"), *_MEASUREMENTS):
            terminalreporter.write_line(f"{row[0]:<80} {row[1]:>24}   {row[2]}")
    missing = [
        name
        for report in terminalreporter.getreports("skipped")
        for name in re.findall(r"(\S+) is not installed", report.longrepr[2])
    ]
    if missing:
        names = ", ".join(sorted(set(missing)))
        terminalreporter.write_line(
            f"Skipped: {len(missing)} tests; install {names} to run them."
        )


class ApiClient:
    """An HTTP client of the API whose requests carry a token."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self.client, self.token = client, token
        self.headers = {"Authorization": f"Bearer {token}"}

    def send(
        self, method: str, path: str, document: Any = None, **kwargs: Any
    ) -> TestResponse:
        """Send a document to a path below /api/v1."""
        headers = {**self.headers, **kwargs.pop("headers", {})}
        if document is not None:
            kwargs["json"] = document
        return self.client.open(
            f"/api/v1{path}", method=method, headers=headers, **kwargs
        )

    def put(self, path: str, document: Any) -> TestResponse:
        """PUT that must succeed."""
        response = self.send("PUT", path, document)
        assert response.status_code in (200, 201), response.text
        return response


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def editor(app: Flask) -> ApiClient:
    """Return a client with all scopes; two categories exist."""
    return _make_editor(app)


@pytest.fixture(scope="module")
def shared_clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def shared_editor(
    copy_database: CopyDatabase, shared_clock: Clock
) -> Iterator[ApiClient]:
    """Return an `editor` of one app for the tests of a module.

    It is for many similar tests: creating the app takes longer than a request. Each
    must pass whatever the others store, in any order.
    """
    config = make_config(copy_database(), FEEDSVC_RATE_WRITES="1000000/second")
    app = _take_app(config, shared_clock)
    yield _make_editor(app)
    _give_back(app)


def _make_editor(app: Flask) -> ApiClient:
    token = create_token(get_services(app).database, "editor", SCOPES)
    api_client = ApiClient(app.test_client(), token)
    api_client.put("/categories/giao-thong", {"title": "Giao thông"})
    api_client.put("/categories/van-hoa", {"title": "Văn hoá"})
    return api_client


@pytest.fixture
def service(database_url: str) -> Iterator[Service]:
    """Start gunicorn with two workers, as `make serve` does."""
    with Service(database_url) as running:
        yield running


@pytest.fixture(scope="module")
def shared_service(copy_database: CopyDatabase) -> Iterator[Service]:
    """Start a service for all tests of a module, which need no empty database."""
    with Service(copy_database(), WEB_CONCURRENCY="1") as running:
        yield running


def pytest_collection_finish() -> None:
    """Exempt the collected tests from garbage collection: they make it slow.

    A full collection also examines the libraries imported later, for a tenth of a second.
    By default, it would take a seventh of the tests' time.
    """
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, 100)
