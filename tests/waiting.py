"""Wait for a condition instead of a time."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], timeout: float = 60) -> None:
    """Poll a condition until it holds; fail after a timeout in seconds."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.05)
