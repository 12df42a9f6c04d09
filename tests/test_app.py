"""Importing the application, and commands, have no side effects."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fork_server import run_module
from tests.server import ROOT


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the setting of a database that does not exist."""
    return {"FEEDSVC_DATABASE_URL": f"sqlite:///{tmp_path}/var/feedsvc.db"}


def test_wsgi_starts_no_thread_and_creates_no_database(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    script = "import threading, feedsvc.wsgi; print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert not list(tmp_path.iterdir())


def test_command_creates_no_database(tmp_path: Path, environ: dict[str, str]) -> None:
    done = run_module(["feedsvc", "token", "list"], tmp_path, environ)
    assert done.returncode == 1
    assert re.fullmatch("Error: .*\n", done.stderr)
    assert not list(tmp_path.iterdir())
