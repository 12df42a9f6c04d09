"""Files in the forms that other systems write, and parts of such files, beside what they mean."""

from typing import Any

import pytest
from flask import Flask

from feedsvc.storage.database import Database
from tests.data import read_tables
from tests.extensions.importers.helpers import (
    EXPORTERS,
    atom_feed,
    import_file,
    rss_feed,
    stored_entries,
)
from tests.fake_clock import Clock

TRUTHS = read_tables("import_truths")
SNIPPETS = read_tables("import_snippets")


def file_with(snippet: dict[str, Any]) -> tuple[bytes, str]:
    """Return a file with a snippet, and the kind of its entries."""
    if "atom" in snippet:
        return atom_feed(snippet.pop("atom")), "news"
    if "rss" in snippet:
        items = snippet.pop("rss")
        if "<item>" not in items:
            items = f"<item><guid>g</guid>{items}</item>"
        return rss_feed(items), "news"
    events = snippet.pop("ics").strip().split("\n\n")
    blocks = "".join(
        f"BEGIN:VEVENT\nDTSTAMP:20261101T000000Z\n{event}\nEND:VEVENT\n"
        for event in events
    )
    text = f"BEGIN:VCALENDAR\n{blocks}END:VCALENDAR\n".replace("\n", "\r\n")
    return text.encode(), "events"


@pytest.mark.parametrize("name", [*TRUTHS, *SNIPPETS])
def test_file_is_imported_as_it_is_meant(
    app: Flask, database: Database, clock: Clock, name: str
) -> None:
    truth = dict(TRUTHS.get(name) or SNIPPETS[name])
    if name in TRUTHS:
        data = (EXPORTERS / name).read_bytes()
        kind = "events" if name.endswith("ics") else "news"
    else:
        data, kind = file_with(truth)
    summary, output = truth.pop("summary", ""), truth.pop("output")
    result = import_file(app, data)
    lines = sorted(result.stderr.splitlines())
    for line, beginning in zip(lines, sorted(output), strict=True):
        assert line.startswith(beginning)
    entries = stored_entries(app, kind)
    assert result.stdout.startswith(summary or f"{len(truth)} new, ")
    for guid, expected in truth.items():
        members: dict[str, Any] = {
            member: entries[guid].get(member, False) for member in expected
        }
        assert members == expected, guid
    revisions = database.revisions
    clock.forward(hours=1)
    again = import_file(app, data).stdout
    assert again.startswith(f"0 new, 0 changed, {len(entries)} unchanged")
    assert stored_entries(app, kind) == entries
    assert database.revisions == revisions, "an unchanged entry writes nothing"
