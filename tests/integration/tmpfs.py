"""A disk of a few MiB: a tmpfs in a mount namespace of its own; root or not, where the kernel lets users have one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server import ROOT

MIB = 1 << 20


class Disk:
    """`within` are the words before a command that is to see it at `path`; `seen` is where others do."""

    def __init__(self, path: Path, holder: int, user: list[str]) -> None:
        self.path, self.seen = path, Path(f"/proc/{holder}/root{path}")
        self.within = (
            "nsenter",
            f"--target={holder}",
            f"--wd={ROOT}",
            "--mount",
            *user,
        )
        self._filler = self.seen / "filler"

    def fill(self, room: int) -> None:
        """Leave so many bytes of room."""
        with self._filler.open("ab", buffering=0) as file:
            found = os.statvfs(self.seen)
            os.posix_fallocate(
                file.fileno(),
                0,
                max(1, self._taken() + found.f_bavail * found.f_frsize - room),
            )

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()

    def _taken(self) -> int:
        return self._filler.stat().st_blocks * 512


@contextmanager
def small_disk(path: Path, size: int = 12 * MIB) -> Iterator[Disk]:
    """One at a path, gone afterwards; where none can be made the test is skipped."""
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        pytest.skip(
            "no small disk can be made here: unshare and nsenter are not installed"
        )
    path.mkdir()
    user = [] if os.getuid() == 0 else ["--user"]
    mount = f"mount -t tmpfs -o size={size} tmpfs '{path}' && echo mounted && exec sleep infinity"
    holder = subprocess.Popen(
        [
            "unshare",
            "--mount",
            *(["--user", "--map-root-user"] if user else []),
            "sh",
            "-c",
            mount,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert holder.stdout
    assert holder.stderr
    try:
        if holder.stdout.readline() != b"mounted\n":
            pytest.skip(
                f"no small disk can be made here: {holder.stderr.read().decode().strip()}"
            )
        yield Disk(path, holder.pid, [*user, "--preserve-credentials"] if user else [])
    finally:
        holder.kill()
        holder.communicate()
