"""A disk of a few MiB: a tmpfs in a mount namespace.

Users other than root need a kernel that lets them create namespaces.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fork_server import END_WITH_PARENT
from tests.server import ROOT
from tests.waiting import wait_until

SIZE = 12 << 20
"""The bytes of the disk."""


class Disk:
    """A mounted disk that can be filled.

    Commands that begin with the words `within` see it at `path`, other processes at
    `seen`.
    """

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
        """Leave a number of bytes free."""
        with self._filler.open("ab", buffering=0) as file:
            state = os.statvfs(self.seen)
            taken = self._filler.stat().st_blocks * 512
            size = taken + state.f_bavail * state.f_frsize - room
            os.posix_fallocate(file.fileno(), 0, max(1, size))

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()

    def mount(self, option: str) -> None:
        """Mount it again, with the option `ro` or `rw`."""
        remount = ["mount", "-o", f"remount,{option}", str(self.path)]
        # Files of a process that was killed are open for a moment.
        wait_until(lambda: not subprocess.call([*self.within, *remount]))


@contextmanager
def small_disk(path: Path) -> Iterator[Disk]:
    """Mount a disk at a path; skip the test where that is not possible."""
    if not shutil.which("unshare") or not shutil.which("nsenter"):
        pytest.skip(
            "no small disk can be made here: unshare and nsenter are not installed"
        )
    path.mkdir()
    user = [] if os.getuid() == 0 else ["--user"]
    mount = f"mount -t tmpfs -o size={SIZE} tmpfs '{path}' && echo mounted && exec sleep infinity"
    as_root = [*user, "--map-root-user"] if user else []
    holder = subprocess.Popen(
        [*END_WITH_PARENT, "unshare", "--mount", *as_root, "sh", "-c", mount],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert holder.stdout
    try:
        line = holder.stdout.readline()
        if line != "mounted\n":
            pytest.skip(f"no small disk can be made here: {line.strip()}")
        same_user = [*user, "--preserve-credentials"] if user else []
        yield Disk(path, holder.pid, same_user)
    finally:
        holder.kill()
        holder.communicate()
