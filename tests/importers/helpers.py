"""Files to import, and what an import of them stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from click.testing import Result
from flask import Flask

from feedsvc.services import get_services
from feedsvc.storage.entries import list_entries
from tests.commands import invoke

FIXTURES = Path(__file__).parent / "fixtures"
FILES = {
    "wordpress.rss": (2, "https://vensong.example/?p=812"),
    "drupal.rss": (1, "4711 at https://so-van-hoa.example"),
    "bao.rss": (2, "https://bao.example/mua-lon-4820001.html"),
    "bare.rss": (2, "http://phuongdong.example/tin.asp?id=8"),
    "xhtml.atom": (2, "tag:thu-vien.example,2026:sach-moi"),
    "google.ics": (4, "5k1q0p2v8d3@google.com"),
}
"""For each file the number of imported entries, and the guid of one."""


def import_file(app: Flask, data: bytes, *options: str) -> Result:
    """Run the command, which must succeed."""
    result = invoke(app, "import", "-", *options, input=data)
    assert result.exit_code == 0, result.output
    return result


def import_fixture(app: Flask, name: str) -> dict[str, dict[str, Any]]:
    """Import a file, and return the articles then stored."""
    import_file(app, (FIXTURES / name).read_bytes())
    return stored_entries(app, "news")


def import_item(app: Flask, content: str) -> dict[str, Any]:
    """Import a feed with an item of the guid `g`, and return the stored article."""
    import_file(app, rss_feed(f"<item><guid>g</guid>{content}</item>"))
    return stored_entries(app, "news")["g"]


def stored_entries(app: Flask, kind: str) -> dict[str, dict[str, Any]]:
    """Return every entry as the API does, by guid."""
    services = get_services(app)
    with services.database.read() as session:
        rows = list_entries(session, kind, limit=200)
        return {
            row.guid: services.entry_schemas[kind].dump(row.entry)
            for row in rows
        }


def atom_feed(entry: str) -> bytes:
    """Return a feed with one entry."""
    namespace = "http://www.w3.org/2005/Atom"
    content = f"<title>t</title><entry><title>a</title>{entry}</entry>"
    return f'<feed xmlns="{namespace}">{content}</feed>'.encode()


def rss_feed(items: str, before: str = "") -> bytes:
    """Return a feed with items, and a DOCTYPE before them."""
    channel = f"<title>t</title><link>https://a.example/tin/</link>{items}"
    namespaces = (
        'xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
        'xmlns:media="http://search.yahoo.com/mrss/"'
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        f'<rss version="2.0" {namespaces}><channel>{channel}</channel></rss>'
    ).encode()
