"""Programs of others that tests start, such as nginx."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.fork_server import END_WITH_PARENT
from tests.waiting import wait_until


@contextmanager
def running(
    command: list[Any], log: Path, is_ready: Callable[[], bool], **environ: str
) -> Iterator[None]:
    """Run a command, with its output in a file, from when it is ready."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*END_WITH_PARENT, *command],
            env={"PATH": "/usr/bin:/bin", **environ},
            stdout=output,
            stderr=output,
        )

    def check() -> bool:
        assert process.poll() is None, log.read_text()
        return is_ready()

    try:
        wait_until(check)
        yield
    finally:
        process.terminate()
        process.wait(60)


def answers(url: str) -> bool:
    """Tell if a server answers."""
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
