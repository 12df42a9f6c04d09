"""Keep a copy of a portal's public entries in an SQLite file.

    python replicate.py https://feeds.example copy.db
    python replicate.py https://feeds.example events.db --kind events

The first run fetches everything, each later one only what is new, and ends; start it
from cron as often as you like, but one run at a time. A run that is killed loses
nothing: the next one continues. If the portal answers 410, after it was restored from
a backup, the copy begins anew; until the new one is complete, the file has the old one.
The table `entries` has the JSON documents:

    sqlite3 copy.db "SELECT document ->> 'title' FROM entries"
"""

import argparse
import json
import sqlite3
import sys
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import urlopen

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("url", help="the portal, such as https://feeds.example")
parser.add_argument("file", help="the SQLite file; it is created")
parser.add_argument("--kind", choices=["news", "events"], help="only this kind")
options = parser.parse_args()

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS new_entries (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (next INTEGER NOT NULL, is_new INTEGER NOT NULL);
INSERT INTO state SELECT 0, 0 WHERE NOT EXISTS (SELECT * FROM state);
"""


def fetch(after):
    """Return a page of changes."""
    query = {"after": after, "limit": 1000}
    if options.kind:
        query["kind"] = options.kind
    url = f"{options.url.rstrip('/')}/api/v1/changes?{urlencode(query)}"
    with urlopen(url, timeout=60) as response:  # noqa: S310
        return json.load(response)


def store(page, table):
    """Apply a page of changes."""
    for change in page["changes"]:
        del change["seq"]
        if change.pop("action") == "put":
            row = change["id"], json.dumps(change, ensure_ascii=False)
            copy.execute(f"REPLACE INTO {table} VALUES (?, ?)", row)  # noqa: S608
        else:
            copy.execute(f"DELETE FROM {table} WHERE id = ?", [change["id"]])  # noqa: S608
    copy.execute("UPDATE state SET next = ?", [page["next"]])


copy = sqlite3.connect(options.file)
copy.executescript(SCHEMA)
while True:
    after, is_new = copy.execute("SELECT next, is_new FROM state").fetchone()
    try:
        page = fetch(after)
    except HTTPError as error:
        if error.code != 410:
            sys.exit(f"{options.url}: {error}")
        with copy:
            copy.execute("DELETE FROM new_entries")
            copy.execute("UPDATE state SET next = 0, is_new = 1")
        continue
    except OSError as error:
        sys.exit(f"{options.url}: {error}")
    # In one transaction: the changes and where to continue, or neither.
    with copy:
        store(page, "new_entries" if is_new else "entries")
        if is_new and page["next"] == after:
            copy.execute("DELETE FROM entries")
            copy.execute("INSERT INTO entries SELECT * FROM new_entries")
            copy.execute("UPDATE state SET is_new = 0")
    if page["next"] == after:
        break
