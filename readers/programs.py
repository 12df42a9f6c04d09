"""The programs, as `install.sh` leaves them in .readers/."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from readers.compare import Facts

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / ".readers"
DEBIAN = FOLDER / "debian"
ADAPTERS: dict[str, tuple[str | Path, ...]] = {
    "PyPI": (FOLDER / "venv/bin/python", "-m", "readers.adapters.pypi"),
    "Debian": (sys.executable, "-m", "readers.adapters.debian"),
    "npm": ("node", FOLDER / "npm/npm.mjs"),
}
VERSIONS = {
    "PyPI": "venv/lib/*/site-packages/{0}-*.dist-info",
    "Debian": "debian/archives/{1}_*_*.deb",
    "npm": "npm/node_modules/{1}/package.json",
}


@dataclass(frozen=True)
class Program:
    """A program; its group is the first column of its table."""

    name: str
    registry: str
    group: str
    version: str

    @property
    def label(self) -> str:
        """Return its name in the tables."""
        return f"{self.name} ({self.registry})"

    def show(self, url: str, document: Path, home: Path) -> list[Facts] | None:
        """Return what it shows of a feed; None if it cannot read it."""
        home.mkdir(parents=True, exist_ok=True)
        arguments = [*ADAPTERS[self.registry], self.name, url, document, home]
        with (home / "errors").open("a") as errors:
            process = subprocess.run(
                arguments,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=120,
            )
        shown = json.loads(process.stdout) if process.returncode == 0 else []
        return shown or None


def find_programs() -> Iterator[Program]:
    """Yield the installed programs."""
    os.environ |= _environment()
    shutil.copy(ROOT / "readers/adapters/npm.mjs", FOLDER / "npm")
    for registry, command in ADAPTERS.items():
        try:
            groups = json.loads(subprocess.check_output(command, cwd=ROOT))
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"No programs of {registry}: {error}")
            continue
        for group, names in groups.items():
            for name in names:
                if version := _version(registry, name):
                    yield Program(name, registry, group, version)


def _environment() -> dict[str, str]:
    """Return the variables by which programs of Debian find what is theirs."""
    paths = {
        "PATH": [FOLDER / "venv/bin", DEBIAN / "usr/bin"],
        "LD_LIBRARY_PATH": DEBIAN.glob("usr/lib/*-linux-gnu"),
        "PERL5LIB": chain(
            DEBIAN.glob("usr/lib/*/perl5/*"), [DEBIAN / "usr/share/perl5"]
        ),
    }
    variables = {
        name: ":".join([*map(str, added), os.environ.get(name, "")])
        for name, added in paths.items()
    }
    # The city's people are there.
    return {
        **variables,
        "READERS_DEBIAN": str(DEBIAN),
        "TZ": "Asia/Ho_Chi_Minh",
    }


def _version(registry: str, name: str) -> str | None:
    pattern = VERSIONS[registry].format(name.replace("-", "_"), name)
    path = next(FOLDER.glob(pattern), None)
    if path is None:
        return None
    if registry == "npm":
        return str(json.loads(path.read_text("utf-8"))["version"])
    return path.name.removesuffix(".dist-info").split(
        "-" if registry == "PyPI" else "_"
    )[1]
