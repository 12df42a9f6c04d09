"""Keep a copy of a portal's entries, of all or of a choice, in an SQLite file.

    python replicate.py https://feeds.example copy.db                      # all entries
    python replicate.py https://feeds.example music.db am-nhac             # of a category
    python replicate.py https://feeds.example events.db --kind events      # of a kind

The first run fetches everything, each later one only what is new, and ends; start it
from cron as often as you like. A run that is killed loses nothing: the next one
continues. The copy begins anew, and the run says so in one line, if the portal asks
for it (410, after a restore or a retired category) or the choice is another one.
Until the new copy is complete, the file has the old one. A file of another portal, or
that another run is using, is refused. The table `entries` has the JSON documents:

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
parser.add_argument("category", nargs="?", help="only entries of this category")
parser.add_argument("--kind", choices=["news", "events"], help="only this kind")
options = parser.parse_args()
url = options.url.rstrip("/")
names = {"kind": options.kind, "category": options.category}
choice = {name: value for name, value in names.items() if value}

SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS new_entries (id TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS state (
    key INTEGER PRIMARY KEY CHECK (key = 1), url TEXT NOT NULL, choice TEXT NOT NULL,
    next INTEGER NOT NULL, anew INTEGER NOT NULL)
"""


def fetch(after):
    """Return a page of changes."""
    query = urlencode({**choice, "after": after, "limit": 1000})
    with urlopen(f"{url}/api/v1/changes?{query}", timeout=60) as answer:  # noqa: S310
        return json.load(answer)


def reason_of(error):
    """Return why the portal refuses."""
    try:
        return json.load(error)["detail"]
    except (ValueError, KeyError):  # of a proxy
        return error


def begin_anew(reason):
    """Start a new copy, which replaces the old one when it is complete."""
    print(f"{options.file} begins anew: {reason}", file=sys.stderr)
    copy.execute("DELETE FROM new_entries")
    copy.execute("REPLACE INTO state VALUES (1, ?, ?, 0, 1)", [url, json.dumps(choice)])


def store(page, anew):
    """Apply a page of changes."""
    table = "new_entries" if anew else "entries"
    for change in page["changes"]:
        del change["seq"]
        if change.pop("action") == "put":
            row = change["id"], json.dumps(change, ensure_ascii=False)
            copy.execute(f"REPLACE INTO {table} VALUES (?, ?)", row)  # noqa: S608
        else:
            copy.execute(f"DELETE FROM {table} WHERE id = ?", [change["id"]])  # noqa: S608
    copy.execute("UPDATE state SET next = ?", [page["next"]])


try:
    # Only one run at a time may use the file.
    lock = sqlite3.connect(f"{options.file}.lock", timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        sys.exit(f"{options.file} is in use by another run, or cannot be locked.")
    copy = sqlite3.connect(options.file)
    copy.executescript(SCHEMA)
    tables = {row[0] for row in copy.execute("SELECT name FROM sqlite_master")}
    if "position" in tables:  # of an earlier version, which stored no choice
        copy.execute("DROP TABLE position")
    state = copy.execute("SELECT url, choice, next, anew FROM state").fetchone()
    with copy:
        if state is None:
            if copy.execute("SELECT 1 FROM entries").fetchone():
                begin_anew("its choice of entries is unknown")
            row = url, json.dumps(choice)
            copy.execute("INSERT OR IGNORE INTO state VALUES (1, ?, ?, 0, 0)", row)
        elif state[0] != url:
            sys.exit(f"{options.file} is a copy of {state[0]}; use another file.")
        elif json.loads(state[1]) != choice:
            begin_anew("another choice of entries")
    while True:
        after, anew = copy.execute("SELECT next, anew FROM state").fetchone()
        try:
            page = fetch(after)
        except HTTPError as error:
            detail = reason_of(error)
            # With after=0 it is the category that is gone, and anew is in vain.
            if error.code != 410 or after == 0:
                sys.exit(f"{url}: {detail}")
            with copy:
                begin_anew(detail)
            continue
        with copy:  # the changes and where to continue, or neither
            store(page, anew)
            if page["next"] == after and anew:
                copy.execute("DELETE FROM entries")
                copy.execute("INSERT INTO entries SELECT * FROM new_entries")
                copy.execute("DELETE FROM new_entries")
                copy.execute("UPDATE state SET anew = 0")
        if page["next"] == after:
            break
except sqlite3.Error as error:
    sys.exit(f"{options.file}: {error}")
except OSError as error:
    sys.exit(f"{url}: {error}")
