"""Print each Python that the service supports and this machine has.

A line has the version and the path: the newest patch of each minor version, oldest
first. `make test-all` reads it.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

OLDEST = (3, 11)
"""As `requires-python` in pyproject.toml."""

_VERSION = (
    # Debian's Python has no ensurepip without its package python3-venv.
    "import ensurepip, sys; print(*sys.version_info[:3], sep='.')"
)


def find_pythons() -> dict[tuple[int, int], str]:
    """Return the path by minor version."""
    newest: dict[tuple[int, int], tuple[int, str]] = {}
    for path in _candidates():
        done = subprocess.run([path, "-c", _VERSION], capture_output=True, text=True)
        # A shim of pyenv fails if its version is not the chosen one.
        if done.returncode == 0:
            major, minor, patch = map(int, done.stdout.split("."))
            best = newest.get((major, minor), (-1, ""))
            newest[major, minor] = max(best, (patch, path))
    return {version: path for version, (_, path) in sorted(newest.items())}


def _candidates() -> list[str]:
    folders = [Path(folder) for folder in os.environ["PATH"].split(os.pathsep)]
    folders += Path.home().glob(".pyenv/versions/*/bin")
    folders.append(Path("/usr/bin"))
    paths = []
    for folder in folders:
        for path in sorted(folder.glob("python3.*")):
            match = re.fullmatch(r"python3\.([0-9]+)", path.name)
            if match and (3, int(match[1])) >= OLDEST:
                paths.append(str(path))
    return list(dict.fromkeys(paths))


if __name__ == "__main__":
    for version, path in find_pythons().items():
        print(".".join(map(str, version)), path)
