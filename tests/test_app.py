"""Importing the application, and commands, have no side effects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fork_server import run_module
from tests.server import ROOT


def environ(tmp_path: Path) -> dict[str, str]:
    """Return the settings of a database that does not exist."""
    database = f"sqlite:///{tmp_path}/var/feedsvc.db"
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "FEEDSVC_DATABASE_URL": database,
    }


def test_wsgi_starts_no_thread_and_creates_no_database(tmp_path: Path) -> None:
    script = "import threading, feedsvc.wsgi; print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environ(tmp_path),
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["--version", "token list"])
def test_command_creates_no_database(tmp_path: Path, command: str) -> None:
    done = run_module(
        ["feedsvc", *command.split()], tmp_path, environ(tmp_path)
    )
    if command != "--version":
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
        assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())
