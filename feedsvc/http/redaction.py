"""Remove API tokens from logs and responses."""

from __future__ import annotations

import re

# A character may be itself, percent-encoded (%66, encoded again %2566), or an escape of
# JSON or Python (\u0066, \x66): match a token in all of these, in any mixture. The
# repetitions are bounded, or long runs would take quadratic time.
_ESCAPE = r"(?:%(?:25){0,4}|\\{1,8}(?:u00|x))"
_PREFIX = "".join(f"(?:{char}|{_ESCAPE}{ord(char):x})" for char in "fsv_")
_ALPHANUMERIC = f"(?:[0-9A-Za-z]|{_ESCAPE}(?:3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]))"
_TOKEN = re.compile(f"{_PREFIX.replace('5f', '5[fF]')}{_ALPHANUMERIC}{{36}}")


def redact_tokens(text: str) -> str:
    """Return a text without the tokens in it, also if they are escaped."""
    # Nearly all lines of a log end here, at a fraction of the search's cost.
    if "fsv_" not in text and "%" not in text and "\\" not in text:
        return text
    return _TOKEN.sub("fsv_…", text)
