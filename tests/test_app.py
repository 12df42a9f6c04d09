"""Importing the application has no side effects."""

import os
import subprocess
import sys
from pathlib import Path

from tests.server import ROOT


def test_wsgi_starts_no_thread_and_creates_no_database(tmp_path: Path) -> None:
    database = {"FEEDSVC_DATABASE_URL": f"sqlite:///{tmp_path}/var/feedsvc.db"}
    script = "import threading, feedsvc.wsgi; print(threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), **database},
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert not list(tmp_path.iterdir())
