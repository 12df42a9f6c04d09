"""Who may write, and who wrote: what the store knows of tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Network, ip_address

# A character may be written as such, percent-encoded (%66, encoded again %2566), or as an escape of JSON or
# Python (\u0066, \x66), so a token is matched in all of these, in any mixture.
_ESCAPE = r"(?:%(?:25){0,4}|\\{1,8}(?:u00|x))"  # bounded, or long runs would take quadratic time
_PREFIX = "".join(f"(?:{char}|{_ESCAPE}{ord(char):x})" for char in "fsv_")
_ALPHANUMERIC = f"(?:[0-9A-Za-z]|{_ESCAPE}(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]))"
_TOKEN = re.compile(f"{_PREFIX.replace('5f', '5[fF]')}{_ALPHANUMERIC}{{36}}")


def redact_tokens(text: str) -> str:
    """Return a text without the tokens in it, in whatever spelling of a URL or of a JSON string."""
    return _TOKEN.sub("fsv_…", text)


def network_of(address: str) -> str:
    """Return what rates count a client by: its IPv4 address, or the /64 of its IPv6 address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Network((int(parsed) >> 64 << 64, 64)))


@dataclass(frozen=True, slots=True)
class AuditRecord:
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
    """A bearer token as stored: never the token itself.

    Until `previous_valid_until` the token before it works too.
    """

    name: str
    scopes: frozenset[str]
    created: datetime
    last_used: datetime | None = None
    revoked: datetime | None = None
    expires: datetime | None = None
    previous_valid_until: datetime | None = None
