"""A directory in memory for the files of tests."""

import os
import tempfile
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
_NEEDED_BYTES = 2 * 1024**3


def scratch_directory() -> Path:
    """Return a directory in memory, or that of temporary files.

    Each test creates and removes a database. On a disk, that costs more than the test.
    """
    if not _IN_MEMORY.is_dir():
        return Path(tempfile.gettempdir())
    state = os.statvfs(_IN_MEMORY)
    # A container may allow 64 MiB there, and no programs, such as those of a
    # virtual environment.
    has_space = state.f_bavail * state.f_frsize >= _NEEDED_BYTES
    if has_space and not state.f_flag & os.ST_NOEXEC:
        return _IN_MEMORY
    return Path(tempfile.gettempdir())
