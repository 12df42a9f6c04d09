"""The interface of 3.0.0 stays, as long as 3 is the first number of the version.

`data/surface-3.0.0.json` has what `surface` returned in the tree of 3.0.0.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click
from flask.testing import FlaskClient
from lxml import etree

from feedsvc.cli.commands import commands
from tests.conftest import ApiClient
from tests.full_entries import ARTICLE, EVENT
from tests.server import ROOT
from tests.settings import read_settings, setting_names

DATA = ROOT / "tests/data/surface-3.0.0.json"

TAKEN_BACK = {
    # A calendar may have more events, and has them without a limit.
    "/feeds/events.ics limit=500 200 default",
    "/feeds/events.ics limit=501 301",
    "/feeds/events.ics limit=2000 301",
    # An unknown name before, now a parameter of events.
    *(
        f"/feeds/events.{suffix} period=week 200 default"
        for suffix in ("rss", "atom", "json", "html", "ics")
    ),
    "/?lang=x_ 200 text/html",
}
"""Lines that 3.1 no longer has, since they were wrong or cost too much."""

FEEDS = [
    f"/feeds/{name}"
    for name in "news.rss news.atom news.json news.html events.rss events.atom "
    "events.json events.html events.ics".split()
]

OTHER_URLS = """
/ /?ui=en /?lang=x_ /feeds.opml /feeds.opml?ui=en /robots.txt /favicon.ico /healthz /readyz
/entries/full /entries/full?ui=en /entries/event.ics /entries/deleted /entries/x
/feeds/news/giao-thong,van-hoa.rss /feeds/news/giao-thong+van-hoa.rss
/feeds/news/-van-hoa.rss /feeds/news/van-hoa,-giao-thong.rss /feeds/news/x.rss
/feeds/news/VAN-HOA.rss /feeds/news.ics /api/docs/ /api/openapi.json
/api/v1/categories /api/v1/categories/van-hoa /api/v1/articles
/api/v1/changes /api/v1/changes?after=x /api/v1/changes?kind=news&limit=1000
/api/v1/changes?limit=1001
""".split()

PARAMETERS = {
    "limit": "0 1 20 50 100 101 500 501 2000 2001 x",
    "page": "0 1 2 1000 1001",
    "content": "full summary x",
    "lang": "vi en-GB x_",
    "q": "a a+b",
    "period": "week",
    "when": "upcoming past all x",
    "from": "2026-11-25 2016-11-25 2016-11-24 2031-11-25 2031-11-26 x",
    "to": "2026-11-25 2016-11-25 2016-11-24 2031-11-25 2031-11-26 x",
    "order": "published start x",
    "date": "published start x",
    "cancelled": "mark hide x",
    "ui": "vi en x",
    "category": "x",
    "tag": "x",
    "since": "2026-11-25",
    "utm_source": "x",
}
"""Values of parameters of feeds, also some that are refused."""


def surface(editor: ApiClient) -> set[str]:
    """Return a line for each thing that readers, editors and operators rely on."""
    editor.put("/articles/deleted", ARTICLE)
    editor.send("DELETE", "/articles/deleted")
    editor.put("/articles/withdrawn", {"title": "x"})
    withdrawal = {"status": "withdrawn", "notice": "x"}
    editor.send("PATCH", "/articles/withdrawn", withdrawal)
    batch = [{"action": "put", "kind": "news", "id": "b"}]
    answers = {
        "article": editor.put("/articles/full", ARTICLE),
        "event": editor.put("/events/event", EVENT),
        "batch": editor.send("POST", "/batch", batch),
        "problem": editor.send("PUT", "/articles/b", {}),
        "articles": editor.send("GET", "/articles"),
        "categories": editor.send("GET", "/categories"),
        "changes": editor.send("GET", "/changes"),
        "news.json": editor.client.get("/feeds/news.json"),
        "page": editor.client.get("/feeds/news.json?limit=1"),
        "events.json": editor.client.get("/feeds/events.json"),
    }
    settings = asdict(read_settings({}))
    return {
        *feed_lines(editor.client),
        *openapi_lines(editor.client.get("/api/openapi.json").json),
        *command_lines(commands),
        *(f"setting {name}" for name in setting_names()),
        *(f"default {name}={value}" for name, value in settings.items()),
        *(
            f"default {name}={value}"
            for name, value in settings["site"].items()
        ),
        *(
            f"{name} {member}"
            for name, answer in answers.items()
            for member in members(answer.get_json(force=True))
        ),
        *copy_lines(),
    } - {f"default site={settings['site']}"}


def members(value: Any, path: str = "") -> Iterator[str]:
    """Return the paths of a document's members."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield f"{path}/{name}"
            yield from members(member, f"{path}/{name}")
    if isinstance(value, list):
        for item in value:
            yield from members(item, path)


def feed_lines(client: FlaskClient) -> Iterator[str]:
    """Return status and media type of URLs, and what feeds consist of."""
    for url in OTHER_URLS:
        with client.get(url) as answer:
            yield f"{url} {answer.status_code} {answer.mimetype}"
    for feed in FEEDS:
        plain = client.get(feed)
        yield f"{feed} {plain.status_code} {plain.mimetype}"
        for name, values in PARAMETERS.items():
            for value in values.split():
                answer = client.get(f"{feed}?{name}={value}")
                is_default = answer.get_etag() == plain.get_etag()
                default = " default" if is_default else ""
                yield f"{feed} {name}={value} {answer.status_code}{default}"
        if feed.endswith(("rss", "atom")):
            for element in etree.fromstring(plain.data).iter(etree.Element):
                yield f"{feed} {element.tag!s}"
                for attribute in element.attrib:
                    yield f"{feed} {element.tag!s} {attribute!s}"
    calendar = client.get("/feeds/events.ics").text.replace("\r\n ", "")
    for name in re.findall("^[A-Z-]+", calendar, re.MULTILINE):
        yield f"calendar {name}"


def openapi_lines(document: Any) -> Iterator[str]:
    for path, item in document["paths"].items():
        shared = item.get("parameters", [])
        for method in item.keys() - {"parameters"}:
            operation = item[method]
            line = f"{method.upper()} {path}"
            for status in operation["responses"]:
                yield f"{line} {status}"
            for media_type in operation.get("requestBody", {}).get(
                "content", {}
            ):
                yield f"{line} {media_type}"
            for parameter in operation.get("parameters", []) + shared:
                yield f"{line} {parameter.get('name', parameter)}"
    for name, schema in document["components"]["schemas"].items():
        for member in schema.get("properties", {}):
            yield f"schema {name} {member}"


def command_lines(command: click.Command, path: str = "") -> Iterator[str]:
    for parameter in command.params:
        for spelling in parameter.opts:
            yield f"command {path}{spelling}"
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield f"command {path}{name}"
            yield from command_lines(child, f"{path}{name} ")


def copy_lines() -> Iterator[str]:
    """Return the columns of the copy that docs/replicate.py makes."""
    text = (ROOT / "docs/replicate.py").read_text("utf-8")
    copy = sqlite3.connect(":memory:")
    copy.executescript(text.split('SCHEMA = """')[1].split('"""')[0])
    for (table,) in copy.execute(
        "SELECT name FROM sqlite_schema WHERE sql > ''"
    ):
        for column in copy.execute(f"PRAGMA table_info({table})"):
            yield f"copy {table} {column[1:6]}"
    copy.close()


def test_interface_of_3_0_0_stays(editor: ApiClient) -> None:
    data = json.loads(DATA.read_text("utf-8"))
    lines = {f"{key} {line}" for key, value in data.items() for line in value}
    missing = lines - surface(editor)
    assert missing == TAKEN_BACK
