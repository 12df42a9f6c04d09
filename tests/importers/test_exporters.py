"""Files in the forms that other systems write, beside what they mean."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.importers.helpers import import_file, stored_entries

FOLDER = Path(__file__).parent / "exporters"
TRUTHS = tomllib.loads((FOLDER / "truths.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", TRUTHS)
def test_file_is_imported_as_it_is_meant(app: Flask, name: str) -> None:
    truth = dict(TRUTHS[name])
    summary, output = truth.pop("summary"), truth.pop("output")
    data = (FOLDER / name).read_bytes()
    result = import_file(app, data)
    lines = sorted(result.stderr.splitlines())
    for line, beginning in zip(lines, sorted(output), strict=True):
        assert line.startswith(beginning)
    assert result.stdout.strip() == summary
    kind = "events" if name.endswith("ics") else "news"
    entries = stored_entries(app, kind)
    for guid, expected in truth.items():
        members: dict[str, Any] = {
            member: entries[guid].get(member, False) for member in expected
        }
        assert members == expected, guid
    again = import_file(app, data).stdout
    assert again.startswith(f"0 new, 0 changed, {len(entries)} unchanged")
    assert stored_entries(app, kind) == entries


def test_messages_of_one_kind_are_few(app: Flask) -> None:
    items = "".join(
        f"<item><title>{number}</title><link>ftp://a/{number}</link></item>"
        for number in range(9)
    )
    feed = (
        f'<rss version="2.0"><channel><title>t</title>{items}</channel></rss>'
    )
    *shown, rest = import_file(app, feed.encode()).stderr.splitlines()
    assert shown == [
        f"left out: url of “{number}”: Not an absolute http:// or https:// URL. "
        f"(ftp://a/{number})"
        for number in range(3)
    ]
    assert rest == "… and 6 more"
