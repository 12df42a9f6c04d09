"""Start Python programs by forking a process that has imported their libraries.

The import takes half a second of CPU time, most of the start of a service or command.
"""

import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing import forkserver
from pathlib import Path
from unittest.mock import patch

ROOT = Path(__file__).parent.parent

END_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM")
"""Words before a command: it is terminated when the process that starts it dies."""


def end_with_parent() -> None:
    """Terminate this process when its parent dies, even by `kill -9`."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


_CONTEXT = multiprocessing.get_context("forkserver")
# No module that reads the environment while it is imported.
_CONTEXT.set_forkserver_preload(
    ["feedsvc.app", "gunicorn.app.wsgiapp", "sqlalchemy.dialects.sqlite"]
)


def _ensure_server() -> None:
    """Start the server if need be; it imports this copy of the code from any directory."""
    path = f"{ROOT}:{os.environ.get('PYTHONPATH', '')}".rstrip(":")
    with patch.dict(os.environ, PYTHONPATH=path):
        forkserver.ensure_running()


class ForkedProcess:
    """A program in a session of its own, with the interface of `subprocess.Popen`."""

    def __init__(
        self,
        command: list[str],
        cwd: Path,
        env: Mapping[str, str],
        output: Path,
        errors: Path,
    ) -> None:
        """Start it.

        :param command: a module to run, as after `python -m`, and its arguments.
        :param output: the file that its output is appended to.
        :param errors: the same for its errors.
        """
        self.args = command
        self._process = _CONTEXT.Process(
            target=_run,
            args=(command, cwd, dict(env), output, errors),
            daemon=True,
        )
        _ensure_server()
        self._process.start()
        assert self._process.pid
        self.pid = self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def _run(
    command: list[str],
    cwd: Path,
    env: dict[str, str],
    output: Path,
    errors: Path,
) -> None:
    os.setsid()
    # The server ends when the last process closes a pipe, which this one inherits.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    end_with_parent()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for descriptor, path in ((1, output), (2, errors)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(file, descriptor)
        os.close(file)
    sys.path.insert(0, str(cwd))
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def run_module(
    command: list[str], cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a module to its end, and return its status and output."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        errors = Path(folder) / "errors"
        status = ForkedProcess(command, cwd, env, output, errors).wait()
        return subprocess.CompletedProcess(
            command, status, output.read_text(), errors.read_text()
        )
