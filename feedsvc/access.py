"""Who may write, and who wrote: what the store knows of tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

_TOKEN = re.compile("fsv_[0-9A-Za-z]{36}")


def masked(text: str) -> str:
    """A text that may be seen by others, without tokens."""
    return _TOKEN.sub("fsv_…", text)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One write: when, in the name of which token, what was done to which version of what."""

    seq: int
    time: datetime
    token: str
    action: str
    kind: str
    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token as stored: never the token itself. Until `former_until` the one before it works too."""

    name: str
    scopes: frozenset[str]
    created: datetime
    last_used: datetime | None = None
    revoked: datetime | None = None
    expires: datetime | None = None
    former_until: datetime | None = None
