"""gunicorn's settings for `make run`: the usual ones, and `deliver` beside."""

import os
import subprocess
import sys
from typing import Any

from feedsvc.server import gunicorn_conf

globals().update(
    {name: value for name, value in vars(gunicorn_conf).items() if name[0] != "_"}
)

_child_processes: list["subprocess.Popen[bytes]"] = []


def when_ready(server: Any) -> None:
    """Start `deliver`, which ends by itself if this process is killed."""
    command = [sys.executable, "-m", "feedsvc", "deliver", "--parent", str(os.getpid())]
    _child_processes.append(subprocess.Popen(command))  # noqa: S603 — fixed words


def on_exit(server: Any) -> None:
    """Stop `deliver`, and wait until it has stopped."""
    for process in _child_processes:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()  # nothing is lost: the database has what hubs were told
