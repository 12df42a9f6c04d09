"""README's quick start, as it is written, ends in newsboat with one's own entries."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import ROOT, free_port
from tests.waiting import wait_until


def quick_start() -> list[str]:
    """Return the commands of the section, in order."""
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.partition("## Quick start\n")[2].partition("\n## ")[0]
    return re.findall(r"^ {4}(\S.*)$", section, re.MULTILINE)


@contextmanager
def make_run(command: str, folder: Path, port: int) -> Iterator[str]:
    """Run `make run` in the checkout, with a database in a folder; yield its output."""
    # In place of the virtual environment that it would make, the one of the tests.
    programs = folder / "venv/bin"
    programs.mkdir(parents=True)
    for name in ("feedsvc", "gunicorn"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m {name} "$@"\n')
        program.chmod(0o755)
    command = command.replace(
        "make ", f"make -o {programs}/feedsvc VENV={folder}/venv "
    )
    with (folder / "make.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=ROOT,
            env={
                **os.environ,
                "PORT": str(port),
                "FEEDSVC_DATABASE_URL": f"sqlite:///{folder}/feedsvc.db",
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        path = folder / "make.log"
        wait_until(lambda: "Listening at" in path.read_text(), 30)
        yield path.read_text()
    finally:
        os.killpg(process.pid, signal.SIGINT)  # Ctrl-C
        process.wait(30)


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_quick_start_shows_own_entries(tmp_path: Path) -> None:
    clone, run, export, *commands, newsboat = quick_start()
    assert clone.startswith("git clone ")
    assert run.startswith("make run ")
    assert newsboat.startswith("newsboat ")
    port = free_port()
    with make_run(run, tmp_path, port) as output:
        token = re.search(r"fsv_\w+", output)
        assert token
        script = "\n".join([export.replace("fsv_…", token[0]), *commands])
        done = subprocess.run(
            ["bash", "-ec", script.replace("localhost:8000", f"localhost:{port}")],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert '"title":"Xin chào"' in done.stdout
        assert '"title":"Hội sách"' in done.stdout
        assert "<title>Xin chào</title>" in done.stdout
        if not shutil.which("newsboat"):
            pytest.skip("newsboat is not installed")
        subprocess.run(
            ["bash", "-ec", f"{newsboat} -x reload"],  # without its screen
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            check=True,
        )
        (cache,) = tmp_path.rglob("cache.db")
        assert "Xin chào".encode() in cache.read_bytes()
        assert "Hội sách".encode() in cache.read_bytes()
