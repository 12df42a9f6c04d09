"""Keeps a copy of a portal's entries, of all or of one category, in an SQLite file.

    python replicate.py https://feeds.example copy.db             # all entries
    python replicate.py https://feeds.example music.db am-nhac    # those of one category

The first run fetches everything, every later one only what is new, and ends; let cron start it as often as
you like. A run that is cut off, even by kill -9, loses nothing: the next one goes on where it stood. A file
is for one portal and one choice of entries. Its table `entries` has each entry's JSON document under its id:

    sqlite3 copy.db "SELECT document ->> 'title' FROM entries"
"""

import json
import sqlite3
import sys
from urllib.parse import urlencode
from urllib.request import urlopen

url, file, *category = sys.argv[1:]
copy = sqlite3.connect(file)
copy.execute(
    "CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, document TEXT NOT NULL)"
)
copy.execute(
    "CREATE TABLE IF NOT EXISTS position (key INTEGER PRIMARY KEY, next INTEGER NOT NULL)"
)
after = copy.execute("SELECT coalesce(max(next), 0) FROM position").fetchone()[0]
while True:
    query = urlencode(
        {"after": after, **({"category": category[0]} if category else {})}
    )
    with urlopen(f"{url}/api/v1/changes?{query}", timeout=60) as answer:  # noqa: S310
        page = json.load(answer)
    if page["next"] == after:
        break
    with copy:  # the changes and where to go on are stored together, or not at all
        for change in page["changes"]:
            del change["seq"]
            if change.pop("action") == "put":
                row = change["id"], json.dumps(change, ensure_ascii=False)
                copy.execute("INSERT OR REPLACE INTO entries VALUES (?, ?)", row)
            else:
                copy.execute("DELETE FROM entries WHERE id = ?", [change["id"]])
        copy.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", [page["next"]])
    after = page["next"]
