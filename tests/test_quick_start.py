"""README's commands run as they are written, and print what it shows."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from feedsvc import __version__
from tests.programs import running
from tests.server import free_port, read_project_file

README = read_project_file("README.md")
COMMANDS = re.findall(r"^ {4}(\S.*)$", README, re.MULTILINE)
(OUTPUT,) = re.findall(r"```xml\n(.*?)```", README, re.DOTALL)


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
    log = folder / "make.log"
    with running(
        ["bash", "-c", f"exec {command}"],
        log,
        lambda: "Listening at" in log.read_text(),
        PORT=str(port),
        FEEDSVC_DATABASE_URL=f"sqlite:///{folder}/feedsvc.db",
    ):
        yield log.read_text()


def are_installed(command: str) -> bool:
    """Tell if the programs of a command are here; no test has Docker."""
    words = set(command.split())
    if words & {"docker", "image"}:
        return False
    return all(shutil.which(name) for name in words & {"newsboat", "khal"})


def without_guid_and_date(item: str) -> str:
    return re.sub("urn:uuid:[^<]*|<pubDate>[^<]*", "", item)


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_commands_of_readme_run(tmp_path: Path) -> None:
    clone, start, check, install, serve, export, *commands = COMMANDS
    assert clone.startswith("git clone ")
    assert start.startswith("make run ")
    assert check.startswith("make test ")
    # tests/test_packaging.py installs and serves.
    assert install == f"pip install dist/feedsvc-{__version__}-py3-none-any.whl"
    assert serve == "feedsvc serve --demo"
    port = free_port()
    khal = tmp_path / ".config/khal/config"
    khal.parent.mkdir(parents=True)
    khal.write_text("[calendars]\n[[own]]\npath = ~/calendar\n")
    with make_run(start, tmp_path, port) as output:
        token = re.search(r"fsv_\w+", output)
        assert token
        lines = [export.replace("fsv_…", token[0])]
        lines += [command for command in commands if are_installed(command)]
        script = "\n".join(lines).replace("localhost:8000", f"localhost:{port}")
        # Without its screen.
        script = script.replace("newsboat -r", "newsboat -x reload")
        done = subprocess.run(
            ["bash", "-ec", script],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    printed = done.stdout.replace(f"localhost:{port}", "localhost:8000")
    assert without_guid_and_date(OUTPUT) in without_guid_and_date(printed)
    assert '"title":"Hội sách"' in printed
    if shutil.which("khal"):
        assert " Hội sách :: " in printed
    if shutil.which("newsboat"):
        (cache,) = tmp_path.rglob("cache.db")
        assert "Xin chào".encode() in cache.read_bytes()
        assert "Hội sách".encode() in cache.read_bytes()
