"""Tokens are removed from logs and responses, in each form that they may have there."""

from __future__ import annotations

import pytest

from feedsvc.http.redaction import redact_tokens

TOKEN = "fsv_" + "a1Z" * 12


@pytest.mark.parametrize(
    "token",
    [
        TOKEN,
        "%66" + TOKEN[1:],
        "%2566" + TOKEN[1:],
        TOKEN.replace("_", "%5F"),
        "\\u0066" + TOKEN[1:],
        "\\x66" + TOKEN[1:],
        "".join(f"%{ord(char):02x}" for char in TOKEN),
    ],
)
def test_token_is_removed(token: str) -> None:
    assert redact_tokens(f"a {token} b") == "a fsv_… b"


@pytest.mark.parametrize("text", ["", "50 %", "a\\b", "fsv_short", TOKEN[:-1]])
def test_other_text_stays(text: str) -> None:
    assert redact_tokens(text) == text
