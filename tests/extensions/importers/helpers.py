"""Files to import, and what an import of them stored."""

from pathlib import Path
from typing import Any

from click.testing import Result
from flask import Flask

from feedsvc.services import get_services
from feedsvc.storage.entries import list_entries
from tests.commands import invoke

EXPORTERS = Path(__file__).parent / "exporters"


def import_file(app: Flask, data: bytes, *options: str) -> Result:
    """Run the command, which must succeed."""
    result = invoke(app, "import", "-", *options, input=data)
    assert result.exit_code == 0, result.output
    return result


def import_item(app: Flask, content: str) -> dict[str, Any]:
    """Import a feed with an item of the guid `g`, and return the stored article."""
    import_file(app, rss_feed(f"<item><guid>g</guid>{content}</item>"))
    return stored_entries(app, "news")["g"]


def stored_entries(app: Flask, kind: str) -> dict[str, dict[str, Any]]:
    """Return every entry as the API does, by guid."""
    services = get_services(app)
    with services.database.read() as session:
        rows = list_entries(session, kind, limit=200)
        return {row.guid: services.entry_schemas[kind].dump(row.entry) for row in rows}


def atom_feed(entry: str) -> bytes:
    """Return a feed with one entry."""
    namespace = "http://www.w3.org/2005/Atom"
    content = f"<title>t</title><entry><title>a</title>{entry}</entry>"
    return f'<feed xmlns="{namespace}">{content}</feed>'.encode()


def rss_feed(items: str, before: str = "") -> bytes:
    """Return a feed with items, and a DOCTYPE before them."""
    # The credit is not one of an item.
    head = "<title>t</title><link>https://a.example/tin/</link>"
    channel = f"{head}<media:credit>Đài</media:credit>{items}"
    namespaces = (
        'xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" '
        'xmlns:media="http://search.yahoo.com/mrss/"'
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{before}'
        f'<rss version="2.0" {namespaces}><channel>{channel}</channel></rss>'
    ).encode()
