"""Programs of Debian."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import chain
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from readers.adapters.common import Facts, Source, main, pick, shows

HERE = Path(__file__).parent
DEBIAN = Path(os.environ["READERS_DEBIAN"])
ITEMS = "SELECT guid AS id, title AS shown_title, url AS link, pubDate AS date, content AS text, author AS authors, enclosure_url AS enclosures FROM rss_item WHERE NOT deleted"


@shows("memory")
def newsboat(source: Source) -> Iterator[Facts]:
    (source.home / "urls").write_text(source.url)
    (source.home / "config").touch()
    files = ("-u", "urls", "-C", "config", "-c", "cache.db")
    source.run("newsboat", *files, "-x", "reload")
    with closing(sqlite3.connect(source.home / "cache.db")) as cache:
        cache.row_factory = sqlite3.Row
        yield from map(dict, cache.execute(ITEMS))


@shows("memory")
def sfeed(source: Source) -> Iterator[Facts]:
    (source.home / "sfeedrc").write_text(
        f"feeds() {{\nfeed feed '{source.url}'\n}}\n"
    )
    source.run("sfeed_update", "sfeedrc")
    for line in (
        (source.home / ".sfeed/feeds/feed").read_text("utf-8").splitlines()
    ):
        date, title, link, text, kind, id, author, file, tags = line.split(
            "\t"
        )
        text = (
            text.replace("\\n", "\n")
            .replace("\\t", "\t")
            .replace("\\\\", "\\")
        )
        yield {
            "id": id,
            "shown_title": title,
            "link": link,
            "date": int(date),
            "text" if kind == "html" else "plain_text": text,
            "authors": author,
            "enclosures": file,
            "categories": tags.split("|") if tags else [],
        }


@shows("memory")
def miniflux(source: Source) -> Iterator[Facts]:
    # The runner's environment has its settings and its database.
    server = subprocess.Popen(["miniflux"], stdout=subprocess.DEVNULL)
    api = f"http://{os.environ['LISTEN_ADDR']}/v1/feeds"
    with requests.Session() as session, ExitStack() as stack:
        stack.callback(server.wait)
        stack.callback(server.terminate)
        session.auth = (
            os.environ["ADMIN_USERNAME"],
            os.environ["ADMIN_PASSWORD"],
        )
        until_started = Retry(connect=20, backoff_factor=0.05)
        session.mount("http://", HTTPAdapter(max_retries=until_started))
        ids = {
            feed["feed_url"]: feed["id"] for feed in session.get(api).json()
        }
        if source.url in ids:
            session.put(f"{api}/{ids[source.url]}/refresh").raise_for_status()
        else:
            feed = {"feed_url": source.url, "category_id": 1}
            ids[source.url] = session.post(api, json=feed).json()["feed_id"]
        found = session.get(
            f"{api}/{ids[source.url]}/entries?limit=100"
        ).json()
    for entry in found["entries"]:
        yield pick(
            entry,
            "shown_title=title link=url date=published_at text=content authors=author enclosures=enclosures.url categories=tags",
        )


@shows("feeds")
def raptor2_utils(source: Source) -> Iterator[Facts]:
    """Yield items of RSS 1.0, as which Raptor reads RSS and Atom."""
    command = ("rapper", "-q", "-i", "rss-tag-soup", "-o", "json")
    subjects = json.loads(source.run(*command, source.path, source.url))
    for subject in subjects.values():
        values = {
            name.removeprefix("http://purl.org/rss/1.0/"): values[0]["value"]
            for name, values in subject.items()
        }
        if "link" in values and "items" not in values:
            yield pick(
                values, "title link text=modules/content/encoded|description"
            )


@shows("feeds")
def libxml_feed_perl(source: Source) -> list[Facts]:
    return _run_script(source, "perl", HERE / "perl.pl", "XML::Feed")


@shows("feeds")
def libxml_feedpp_perl(source: Source) -> list[Facts]:
    return _run_script(source, "perl", HERE / "perl.pl", "XML::FeedPP")


@shows("feeds")
def libxml_rss_perl(source: Source) -> list[Facts]:
    return _run_script(source, "perl", HERE / "perl.pl", "XML::RSS")


@shows("feeds")
def libphp_simplepie(source: Source) -> list[Facts]:
    # Without the machine's configuration, which may load the same extensions.
    options = [
        "-n",
        "-ddisplay_errors=0",
        f"-dinclude_path={DEBIAN}/usr/share/php",
    ]
    for name in ("dom", "iconv", "xml"):
        module = f"usr/lib/php/2*/{name}.so"
        path = next(chain(DEBIAN.glob(module), Path("/").glob(module)))
        options.append(f"-dextension={path}")
    return _run_script(source, "php", *options, HERE / "simplepie.php")


def _run_script(source: Source, *command: str | Path) -> list[Facts]:
    shown: list[Facts] = json.loads(source.run(*command, source.path))
    return shown


if __name__ == "__main__":
    main()
