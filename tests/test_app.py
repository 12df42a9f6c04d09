"""Importing the application, and commands, have no side effects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fork_server import run_module
from tests.server import ROOT

OPTIONAL = ("psycopg",)
"""Libraries that a service without PostgreSQL does not need."""


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in an empty directory, with a database that does not exist."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tmp_path,
        env=_environ(tmp_path),
        capture_output=True,
        text=True,
    )


def run_command(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of feedsvc's commands, likewise."""
    return run_module(["feedsvc", *arguments], tmp_path, _environ(tmp_path))


def _environ(tmp_path: Path) -> dict[str, str]:
    database = f"sqlite:///{tmp_path}/var/feedsvc.db"
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FEEDSVC_DATABASE_URL": database,
    }


def test_wsgi_imports_no_optional_library(tmp_path: Path) -> None:
    script = f"import sys, wsgi; print(sorted({{*{OPTIONAL}}} & {{*sys.modules}}))"
    done = run(tmp_path, "-c", script)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_wsgi_starts_no_thread_and_creates_no_database(tmp_path: Path) -> None:
    script = "import threading, wsgi; print(threading.active_count())"
    done = run(tmp_path, "-c", script)
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["--version", "token list", "export -"])
def test_command_creates_no_database(tmp_path: Path, command: str) -> None:
    done = run_command(tmp_path, *command.split())
    if command != "--version":
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_upgrade_creates_the_database(tmp_path: Path) -> None:
    assert run_command(tmp_path, "db", "upgrade").returncode == 0
    file = tmp_path / "var" / "feedsvc.db"
    assert file.stat().st_mode & 0o777 == 0o600
    done = run_command(tmp_path, "token", "list")
    assert (done.returncode, done.stdout) == (0, "")
