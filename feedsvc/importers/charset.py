"""Decode files whose encoding is declared rightly, wrongly or not at all."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress

_DECLARED_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*encoding=["']([^"']*)["']""")
_UTF16_STARTS = {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
# windows-1258 writes tone marks behind their vowel. In Western encodings the same
# bytes are a capital (Ì, Ò, Þ) behind a small vowel, which no language has.
# (charset-normalizer does not recognise it where ISO-8859-1 is declared.)
_WINDOWS_1258_TONES = re.compile(rb"[aeiouy\xe2\xe3\xea\xf4\xf5\xfd][\xcc\xd2\xde]")


def decode_to_utf8(data: bytes) -> tuple[bytes, str]:
    """Return a file in UTF-8 without BOM and leading space, and a warning or "".

    The bytes decide before the declaration: valid UTF-8 is read as UTF-8, and
    Vietnamese text that is declared as a Western encoding as windows-1258.
    """
    invalid_places = 0
    utf16 = _UTF16_STARTS.get(data[:2])
    if utf16:
        data = data.decode(utf16, "ignore").encode()
    try:
        data.decode()
    except UnicodeDecodeError:
        text, invalid_places = _decode_invalid_utf8(data)
        data = text.encode(errors="ignore")
    warning = ""
    if invalid_places:
        warning = (
            "The file is damaged. Bytes that are not UTF-8 are left out "
            f"in {invalid_places} places."
        )
    return data.removeprefix(codecs.BOM_UTF8).lstrip(), warning


def _decode_invalid_utf8(data: bytes) -> tuple[str, int]:
    """Return the text of a file that is not valid UTF-8, and the number of losses."""
    declaration = _DECLARED_ENCODING.match(data)
    encoding = declaration[1].decode("latin-1").lower() if declaration else "utf-8"
    if encoding in ("utf-8", "utf8"):
        # Programs that cut texts by bytes damage single characters of UTF-8. In other
        # encodings most characters beyond ASCII would be invalid.
        text = data.decode(errors="replace")
        losses = text.count("\ufffd")
        if 2 * losses <= len(re.findall(r"[^\0-\x7f]", text)):
            return text.replace("\ufffd", ""), losses
    elif not _WINDOWS_1258_TONES.search(data):
        # LookupError: an unknown encoding. ValueError: no text encoding ("idna").
        with suppress(LookupError, ValueError):
            return data.decode(encoding, "ignore"), 0
    return data.decode("windows-1258", "ignore"), 0
