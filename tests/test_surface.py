"""The interface of 3.0.0 stays, as long as 3 is the first number of the version.

`data/surface-3.0.0.json` has what `surface` returned in the tree of 3.0.0.
"""

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
from tests.data import read, read_tables
from tests.full_entries import ARTICLE, EVENT
from tests.server import read_project_file
from tests.settings import read_settings, setting_names

TABLES = read_tables("surface")


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
            for group in GROUPS
            for name, value in settings[group].items()
        ),
        *(
            f"{name} {member}"
            for name, answer in answers.items()
            for member in members(answer.get_json(force=True))
        ),
        *copy_lines(),
    } - {f"default {group}={settings[group]}" for group in GROUPS}


GROUPS = ("site", "pages")
"""Settings of which some are members."""


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
    for url in TABLES["other_urls"]:
        with client.get(url) as answer:
            yield f"{url} {answer.status_code} {answer.mimetype}"
    for feed in TABLES["feeds"]:
        plain = client.get(feed)
        yield f"{feed} {plain.status_code} {plain.mimetype}"
        for name, values in TABLES["parameters"].items():
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
            for media_type in operation.get("requestBody", {}).get("content", {}):
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
    text = read_project_file("docs/replicate.py")
    copy = sqlite3.connect(":memory:")
    copy.executescript(text.split('SCHEMA = """')[1].split('"""')[0])
    for (table,) in copy.execute("SELECT name FROM sqlite_schema WHERE sql > ''"):
        for column in copy.execute(f"PRAGMA table_info({table})"):
            yield f"copy {table} {column[1:6]}"
    copy.close()


def test_interface_of_3_0_0_stays(editor: ApiClient) -> None:
    lines = {
        f"{key} {line}"
        for key, values in read("surface-3.0.0").items()
        for line in values
    }
    assert lines - surface(editor) == set(TABLES["taken_back"])
