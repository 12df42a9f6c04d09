"""Files in whatever encoding, declared rightly or wrongly, as UTF-8."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*encoding=["']([^"']*)["']""")
_UTF16_BOMS = {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
_WINDOWS_1258_TONES = re.compile(rb"[aeiouy\xe2\xe3\xea\xf4\xf5\xfd][\xcc\xd2\xde]")
"""A small vowel and a tone mark in windows-1258; a capital after it in the encodings of the West."""


def decode_to_utf8(data: bytes) -> tuple[bytes, str]:
    """A file in UTF-8, from its first sign on; and what is wrong with it, if anything is.

    What is good UTF-8 is that, whatever it says; and what is nearly so, if it says so. What says so and is
    not, or is Vietnamese and says another encoding of the West, is windows-1258.
    """
    wrong = 0
    if wide := _UTF16_BOMS.get(data[:2]):
        data = data.decode(wide, "ignore").encode()
    try:
        data.decode()
    except UnicodeDecodeError:
        text, wrong = _decoded(data)
        data = text.encode(errors="ignore")
    why = (
        f"The file is broken: what is no UTF-8 in it is left out, in {wrong} places."
        if wrong
        else ""
    )
    return data.removeprefix(codecs.BOM_UTF8).lstrip(), why


def _decoded(data: bytes) -> tuple[str, int]:
    """The text of what is no good UTF-8, and in how many places of it something could not be read."""
    declared = _DECLARED.match(data)
    name = declared[1].decode("latin-1").lower() if declared else "utf-8"
    if name in ("utf-8", "utf8"):
        text = data.decode(errors="replace")
        wrong = text.count("\ufffd")
        if 2 * wrong <= len(re.findall(r"[^\0-\x7f]", text)):
            return text.replace("\ufffd", ""), wrong
    elif not _WINDOWS_1258_TONES.search(data):
        with suppress(
            LookupError, ValueError
        ):  # there is no such encoding, or it is none of files
            return data.decode(name, "ignore"), 0
    return data.decode("windows-1258", "ignore"), 0
