"""gunicorn's settings for `make run`: those of `make serve`, and one `deliver` beside, from start to end."""

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
    """Start it; it ends by itself where this process is killed."""
    command = [sys.executable, "-m", "feedsvc", "deliver", "--parent", str(os.getpid())]
    _child_processes.append(subprocess.Popen(command))  # noqa: S603 — its words are ours


def on_exit(server: Any) -> None:
    """Stop it, and wait until it has stopped."""
    for process in _child_processes:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()  # which loses nothing
    gunicorn_conf.on_exit(server)
