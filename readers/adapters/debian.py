"""Programs of Debian."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from itertools import chain
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from readers.adapters.common import Facts, Source, main, pick, shows

HERE = Path(__file__).parent
DEBIAN = Path(os.environ["READERS_DEBIAN"])
ITEMS = "SELECT guid AS id, title AS shown_title, url AS link, pubDate AS date, content AS text, author AS authors, enclosure_url AS enclosures FROM rss_item WHERE NOT deleted"
EPISODES = "SELECT guid AS id, title AS shown_title, link, published AS date, description_html AS text, description AS plain_text, url AS enclosures, url AS picture FROM episode"
ALLIGATOR = ".local/share/KDE/alligator/database.db3"
ENTRIES = "SELECT id, title AS shown_title, link, created AS date, content AS text, (SELECT group_concat(name, ', ') FROM Authors WHERE Authors.id = Entries.id) AS authors, (SELECT group_concat(url, ', ') FROM Enclosures WHERE Enclosures.id = Entries.id) AS enclosures FROM Entries"


@shows("feed reader")
def newsboat(source: Source) -> Iterator[Facts]:
    (source.home / "urls").write_text(source.url)
    (source.home / "config").touch()
    files = ("-u", "urls", "-C", "config", "-c", "cache.db")
    source.run("newsboat", *files, "-x", "reload")
    yield from _select(source.home / "cache.db", ITEMS)


@shows("feed reader")
def sfeed(source: Source) -> Iterator[Facts]:
    (source.home / "sfeedrc").write_text(f"feeds() {{\nfeed feed '{source.url}'\n}}\n")
    source.run("sfeed_update", "sfeedrc")
    for line in (source.home / ".sfeed/feeds/feed").read_text("utf-8").splitlines():
        date, title, link, text, kind, id, author, file, tags = line.split("\t")
        text = text.replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
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


@shows("feed reader")
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
        ids = {feed["feed_url"]: feed["id"] for feed in session.get(api).json()}
        if source.url in ids:
            session.put(f"{api}/{ids[source.url]}/refresh").raise_for_status()
        else:
            feed = {"feed_url": source.url, "category_id": 1}
            ids[source.url] = session.post(api, json=feed).json()["feed_id"]
        found = session.get(f"{api}/{ids[source.url]}/entries?limit=100").json()
    for entry in found["entries"]:
        yield pick(
            entry,
            "shown_title=title link=url date=published_at text=content authors=author enclosures=enclosures.url categories=tags picture=enclosures.url",
        )


@shows("feed reader")
def gpodder(source: Source) -> Iterator[Facts]:
    """Yield entries of pages of ten: it follows their links to the next one."""
    request = requests.Request("GET", source.url, params={"limit": 10})
    packages = f"PYTHONPATH={DEBIAN}/usr/lib/python3/dist-packages"
    for command in (("subscribe", str(request.prepare().url)), ("update",)):
        source.run("env", packages, "gpo", *command)
    yield from _select(source.home / "gPodder/Database", EPISODES)


@shows("feed reader")
def elpa_elfeed(source: Source) -> list[Facts]:
    lisp = next(DEBIAN.glob("usr/share/emacs/*/lisp"))
    elfeed = next(DEBIAN.glob("usr/share/emacs/*/elpa-src/elfeed-*"))
    dump = next(DEBIAN.glob("usr/libexec/emacs/*/*/*.pdmp"))
    return _run_script(
        source,
        "env",
        f"EMACSLOADPATH={lisp}",
        f"EMACSDATA={lisp.parent}/etc",
        "emacs-nox",
        f"--dump-file={dump}",
        "-Q",
        "--batch",
        f"--directory={elfeed}",
        f"--load={HERE}/elfeed.el",
        source.url,
    )


@shows("feed reader")
def alligator(source: Source) -> list[Facts]:
    qt = next(DEBIAN.glob("usr/lib/*/qt6"))
    command = (
        "env",
        f"HOME={source.home}",
        "QT_QPA_PLATFORM=offscreen",
        f"QT_PLUGIN_PATH={qt}/plugins",
        f"QML_IMPORT_PATH={qt}/qml",
        f"LD_LIBRARY_PATH={qt.parent}:{qt.parent}/libproxy",
        "alligator",
        "--addfeed",
        source.url,
    )
    document = source.path.read_text("utf-8")
    number = document.count("</item>") + document.count("</entry>")
    found: list[Facts] = []
    with subprocess.Popen(command) as program:
        # It does not end by itself, and stores an entry before its authors.
        for _ in range(60):
            before = found
            with suppress(sqlite3.Error):
                found = _select(source.home / ALLIGATOR, ENTRIES)
            if len(found) >= number and found == before:
                break
            time.sleep(0.5)
        program.terminate()
    return found


@shows("feed library")
def libxml_feed_perl(source: Source) -> list[Facts]:
    return _run_script(source, "perl", HERE / "perl.pl", "XML::Feed")


@shows("feed library")
def libxml_feedpp_perl(source: Source) -> list[Facts]:
    return _run_script(source, "perl", HERE / "perl.pl", "XML::FeedPP")


@shows("feed library")
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


def _select(path: Path, query: str) -> list[Facts]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        return [*map(dict, database.execute(query))]


def _run_script(source: Source, *command: str | Path) -> list[Facts]:
    shown: list[Facts] = json.loads(source.run(*command, source.path))
    return shown


if __name__ == "__main__":
    main()
