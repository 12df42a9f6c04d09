"""Files in many encodings, declared rightly and wrongly."""

from __future__ import annotations

import codecs
import unicodedata
from typing import Any

import pytest
from flask import Flask

from tests.importers.helpers import (
    FIXTURES,
    import_file,
    read_entries,
    rss_feed,
    stored_entries,
)

TONES = "\u0300\u0301\u0303\u0309\u0323"


def encode_windows_1258(text: str) -> bytes:
    """Encode text with its tone marks behind the letters, as that encoding has them."""
    apart = []
    for char in unicodedata.normalize("NFC", text):
        marks = unicodedata.normalize("NFD", char)
        tones = "".join(mark for mark in marks if mark in TONES)
        bare = unicodedata.normalize(
            "NFC", "".join(mark for mark in marks if mark not in TONES)
        )
        apart.append(bare + tones)
    return "".join(apart).encode("windows-1258")


@pytest.mark.parametrize(
    ("declared", "encode"),
    [
        ("windows-1258", encode_windows_1258),
        ("UTF-8", encode_windows_1258),
        ("ISO-8859-1", encode_windows_1258),
        ("x-vietnamese", encode_windows_1258),
        ("ISO-8859-1", str.encode),
        ("windows-1258", str.encode),
        ("UTF-16", lambda text: text.encode("utf-16")),
        ("UTF-16", lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be")),
        ("UTF-8", lambda text: codecs.BOM_UTF8 + b"\r\n " + text.encode()),
    ],
)
def test_xml_is_decoded_despite_a_wrong_declaration(declared: str, encode: Any) -> None:
    text = (FIXTURES / "bare.rss").read_text("utf-8").replace("UTF-8", declared)
    entries, warnings = read_entries(encode(text))
    titles = {unicodedata.normalize("NFC", entry.fields["title"]) for entry in entries}
    assert titles == {"Họp tổ dân phố số 7: bàn về vệ sinh ngõ xóm", "Đổi giờ tiếp dân"}
    assert warnings == []


@pytest.mark.parametrize("name", ["feed.json", "google.ics"])
@pytest.mark.parametrize(
    "encode",
    [lambda text: text.encode("utf-16"), lambda text: text.encode("utf-8-sig")],
)
def test_json_and_calendars_are_decoded(name: str, encode: Any) -> None:
    data = (FIXTURES / name).read_bytes()
    expected, _ = read_entries(data)
    entries, warnings = read_entries(encode(data.decode()))
    assert entries == expected
    assert warnings == []


def test_single_invalid_bytes_are_left_out_with_warning(app: Flask) -> None:
    """As where a program has cut a text in the middle of a character."""
    data = rss_feed(
        "<item><guid>g</guid><title>Hội chợ ở phố sách Lê Lợi</title></item>"
    )
    result = import_file(app, data.replace("ợi<".encode(), "ợ".encode()[:-1] + b"<"))
    assert stored_entries(app, "news")["g"]["title"] == "Hội chợ ở phố sách Lê L"
    assert (
        "The file is damaged. Bytes that are not UTF-8 are left out in 1 places."
        in result.stderr
    )


@pytest.mark.parametrize(
    "declared", ["idna", "undefined", "raw_unicode_escape", "utf-7", "a\0b"]
)
def test_codec_that_is_no_text_encoding_is_ignored(declared: str) -> None:
    item = "<item><guid>g</guid><title>caf\xe9 \\ud800 +2AA-</title></item>"
    declaration = f'<?xml version="1.0" encoding="{declared}"?>'
    data = f'{declaration}<rss version="2.0"><channel>{item}</channel></rss>'
    entries, _ = read_entries(data.encode("latin-1"))
    assert [entry.guid for entry in entries] == ["g"]
