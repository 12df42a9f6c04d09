"""WebSub: the hub, the delivery worker, and its HTTP client.

Only the delivery worker imports aiohttp; the extra `websub` installs it.
"""

from __future__ import annotations

from importlib.util import find_spec


def is_hub_available() -> bool:
    """Check for the public suffix list that the hub needs; the extra has it."""
    return find_spec("publicsuffixlist") is not None
