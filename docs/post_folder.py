"""Post a folder: Markdown files as articles, rows of tables as events.

    pip install markdown-it-py
    export FEEDS=https://feeds.example TOKEN=fsv_…
    python post_folder.py town-hall

All is rehearsed first; if something is refused, nothing is posted. Run it again after
each change: what is the same is not written.

A file *.md is an article. It begins with its title; lines such as `categories: van-hoa,
the-thao` may follow, then an empty line and the text. A file *.csv (UTF-8, as a
spreadsheet saves it) is a table of events. Its first line has the names of the columns:
`id`, `title`, `start`, and others such as `end`, `location.name`, `categories`. Times
are 2026-12-24 19:00, 24.12.2026 19:00 or 24/12/2026 19:00 (the day first), or dates
alone; the year may have two digits. An `end` without a time is the day after the last
one. Do not rename folder, file or `id`, or entries come twice.
"""

import argparse
import csv
import io
import json
import os
import re
import sys
import uuid
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from markdown_it import MarkdownIt

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
)
parser.add_argument("folder", help="the folder; its name is part of all ids")
options = parser.parse_args()
if not os.environ.get("FEEDS", "").startswith("http") or "TOKEN" not in os.environ:
    sys.exit("First: export FEEDS=https://feeds.example TOKEN=fsv_…")

LISTS = ("categories", "authors")
DATES = ("start", "end", "date_published", "expires")
DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%d.%m.%y", "%d/%m/%y")
TIMES = [f"{day} {time}" for day in DAYS for time in ("%H:%M", "%H:%M:%S")]


def read_value(name, text):
    """Return the API's form of a text."""
    if name in LISTS:
        return [part.strip() for part in text.split(",")]
    if name not in DATES:
        return text
    for form in (*TIMES, *DAYS):
        with suppress(ValueError):
            moment = datetime.strptime(text, form)  # noqa: DTZ007
            return moment.isoformat() if form in TIMES else f"{moment:%Y-%m-%d}"
    return text


def make_entry(kind, source, fields):
    """Return an item of a batch; its id is always the same for its source."""
    id = uuid.uuid5(uuid.NAMESPACE_URL, source).hex
    entry = {}
    for name, text in fields.items():
        # Rows may have more or fewer cells than the first one.
        if not (name and text):
            continue
        if any(other.startswith(f"{name}.") for other in filter(None, fields)):
            raise ValueError(f"Write `{name}.name` in place of `{name}`.")
        *path, member = name.strip().split(".")
        target = entry
        for part in path:
            target = target.setdefault(part, {})
        target[member] = read_value(member, text.strip())
    return {**entry, "action": "put", "kind": kind, "id": id}


def read_text(path):
    """Return the text of a file."""
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("Save it in UTF-8, a table as “CSV UTF-8”.") from None


def read_article(path):
    """Return the title, members and body of a Markdown file."""
    head, _, body = read_text(path).strip().partition("\n\n")
    title, *lines = head.splitlines()
    if not all(":" in line for line in lines):
        raise ValueError("An empty line must be between title and text.")
    fields = dict(line.split(":", 1) for line in lines)
    html = MarkdownIt().enable("table").render(body)
    return {"title": title.lstrip("# "), **fields, "content_html": html}


def read_table(path):
    """Return the rows of a table by their ids."""
    text = read_text(path)
    separator = ";" if ";" in text.partition("\n")[0] else ","
    rows = [*csv.DictReader(io.StringIO(text), delimiter=separator)]
    # Spreadsheets save empty rows too.
    rows = [row for row in rows if any(row.values())]
    if not all(row.get("id") for row in rows):
        raise ValueError("The first line needs a column `id`, and each row an `id`.")
    by_id = {row.pop("id"): row for row in rows}
    if len({id.strip() for id in by_id}) < len(rows):
        raise ValueError("Each row needs an `id` of its own.")
    return by_id


def read_folder(folder):
    """Return the items of a batch, by the file or row from which they come."""
    items = {}
    for path in sorted(folder.iterdir()):
        source = f"{folder.name}/{path.name}"
        try:
            if path.suffix == ".md":
                items[source] = make_entry("news", source, read_article(path))
            if path.suffix == ".csv":
                for id, row in read_table(path).items():
                    source_of_row = f"{source}, id {id}"
                    items[source_of_row] = make_entry("events", source_of_row, row)
        except (ValueError, OSError, csv.Error) as error:
            sys.exit(f"{source}: {error}")
    return items


def find_repeated(items):
    """Return errors by file or row, for guids and translations that another one has."""
    with urlopen(f"{os.environ['FEEDS']}/feeds/news.json?limit=1", timeout=90) as feed:  # noqa: S310
        site_language = json.load(feed)["language"]
    sources, errors = {}, []
    for source, entry in items.items():
        # As the API compares them.
        guid = re.sub("(?i)^urn:uuid:", "", str(entry.get("guid", "")))
        key = entry.get("translation_key")
        language = str(entry.get("language", site_language)).replace("_", "-").lower()
        translation = key and f"{entry['kind']} {key} {language}"
        for name, value in (("guid", guid), ("translation_key", translation)):
            other = sources.setdefault((name, value), source)
            if value and other != source:
                errors.append(f"{source}: #/{name} {other} has the same.")
    return errors


def send(items, query):
    """Send a batch; return the errors by file or row."""
    url = f"{os.environ['FEEDS']}/api/v1/batch{query}"
    headers = {
        "Authorization": f"Bearer {os.environ['TOKEN']}",
        "Content-Type": "application/json",
    }
    request = Request(url, json.dumps([*items.values()]).encode(), headers)  # noqa: S310
    with urlopen(request, timeout=90) as response:  # noqa: S310
        results = json.load(response)["results"]
    return [
        f"{source}: {error.get('pointer', '')} {error['detail']}"
        for source, result in zip(items, results, strict=True)
        for error in result.get("errors", [])
    ]


folder = Path(options.folder).resolve()
if not folder.is_dir():
    sys.exit(f"{folder}: There is no such folder.")
entries = read_folder(folder)
try:
    # A rehearsed batch compares only the entries of a hundred.
    refusals = (
        find_repeated(entries) or send(entries, "?dry_run=true") or send(entries, "")
    )
except HTTPError as error:
    sys.exit(error.read().decode())
except OSError as error:
    sys.exit(f"{os.environ['FEEDS']}: {error}")
if refusals:
    sys.exit("\n".join(refusals))
print(f"{len(entries)} entries are posted.")
