"""The installed distribution, without the checkout and without the extra."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from feedsvc import __version__
from tests.server import ROOT, Service, read_project_file

PROJECT = tomllib.loads(read_project_file("pyproject.toml"))["project"]

BUILD_SDIST = "import setuptools.build_meta as b; print(b.build_sdist('.'))"


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory into which pip has put the distribution, from its sdist."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("deploy/postgres.txt", "tests/requirements.txt"):
        (source / name).parent.mkdir()
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "feedsvc", source / "feedsvc")
    sdist = subprocess.check_output(
        [sys.executable, "-c", BUILD_SDIST], cwd=source, text=True
    ).splitlines()[-1]
    target = tmp_path_factory.mktemp("target")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    options += ["--target", str(target), str(source / sdist)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options], check=True)
    return target


def test_installation_has_a_command_and_the_documented_extras(
    installation: Path, tmp_path: Path
) -> None:
    script = str(installation / "bin" / "feedsvc")
    version = subprocess.check_output(
        [sys.executable, script, "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installation)},
        text=True,
    )
    assert version == f"feedsvc, version {__version__}\n"
    # There is no module beside the package.
    information = f"feedsvc-{__version__}.dist-info"
    names = {path.name for path in installation.iterdir()}
    assert names == {"bin", information, "feedsvc"}
    text = (installation / information / "METADATA").read_text("utf-8")
    extras = re.findall(r"^Provides-Extra: (.*)", text, re.M)
    assert extras == ["postgres", "dev"]
    for name, extra in (("psycopg", "postgres"), ("pytest==", "dev")):
        pattern = rf"^Requires-Dist: {name}.* extra == \"{extra}\""
        assert re.search(pattern, text, re.M)


def test_installation_serves_its_data_beside_other_modules_without_an_extra(
    installation: Path, tmp_path: Path
) -> None:
    for name in ("config.py", "wsgi.py", "psycopg.py"):
        (tmp_path / name).write_text("raise ImportError(__file__)\n")
    database = f"sqlite:///{tmp_path}/feedsvc.db"
    service = Service(database, PYTHONPATH=str(installation))
    service.root = tmp_path
    assert "TOKEN=" in service.command("demo")
    with service:
        service.put("/articles/a", {"title": "Xin chào"})
        paths = "/ /feeds/events.ics /api/docs/ /api/openapi.json /favicon.ico"
        for path in paths.split():
            assert service.request("GET", path).ok, path
        feed = service.request("GET", "/feeds/news.rss")
    assert "<title>Xin chào</title>" in feed.content.decode()


def make_run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run `make run` in a new environment, with a script as its Python."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\nexec {sys.executable} {script}\n")
    python.chmod(0o755)
    command = ["make", "run", f"PYTHON={python}", f"VENV={folder}/venv"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_make_refuses_an_old_python(tmp_path: Path) -> None:
    old = "import sys; sys.version_info = (3, 10, 13); exec(sys.argv[2])"
    done = make_run(tmp_path, f"-c '{old}' \"$@\"")
    message, _ = done.stderr.splitlines()  # the other is make's own
    assert message == (
        f"Python 3.11 or newer is needed, and {tmp_path}/python is 3.10. "
        "Name another: make run PYTHON=python3.11"
    )
    assert not (tmp_path / "venv").exists()


def test_make_clears_the_environment_of_a_failed_attempt(
    tmp_path: Path,
) -> None:
    left = tmp_path / "venv/lib/python3.10/site-packages"
    left.mkdir(parents=True)
    # Without pip, whose installation takes seconds, make fails after it.
    make_run(tmp_path, '"$@" $([ "$1" = -c ] || echo --without-pip)')
    assert (tmp_path / "venv/bin/python").exists()
    assert not left.exists()


def test_requirements_are_pinned_and_explained() -> None:
    documented = read_project_file("docs/dependencies.md").lower()
    lines = read_project_file("requirements.txt").splitlines()
    requirements = [
        line.partition(";")[0].split("==") for line in lines if not line.startswith("#")
    ]
    pins = {canonicalize_name(name): pin for name, pin in requirements}
    extra = read_project_file("deploy/postgres.txt").splitlines()
    for text in PROJECT["dependencies"] + extra[1:]:
        requirement = Requirement(text)
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier
        assert re.search(rf"^- .*\b{requirement.name.lower()}\b.*:", documented, re.M)
