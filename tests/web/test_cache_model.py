"""Random writes: what two workers have cached equals what a new one would make."""

import gc
import os
import random
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from flask import Flask

from feedsvc.cli.restore import renew_revisions
from feedsvc.feeds.cache import ResponseCache
from feedsvc.formats.fragments import FragmentCache
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.storage.tokens import create_token
from tests.conftest import ApiClient, MakeApp, RecordMeasurement
from tests.data import read_tables
from tests.fake_clock import HANOI, Clock

pytestmark = pytest.mark.bar

WRITES = int(os.environ.get("CACHE_WRITES", "100"))
"""Writes after each of which URLs are compared; `make soak` asks for more."""

FEED = """<rss version="2.0"><channel><title>T</title>
<item><guid>imported-{}</guid><title>{}</title><pubDate>{}</pubDate></item></channel></rss>"""

ALWAYS = ["/feeds.opml", "/feeds/news.json", "/feeds/events.ics"]
OTHERS = 7
ROUND = 5
"""Paths that are compared after each write, and how many of the others for a round of writes."""

COLLECTIONS = {"news": "articles", "events": "events"}
ENTRY_COUNT = 6
"""Ids of each kind."""

SLUGS = "abcd"
"""The categories at the start; d is renamed to z and back, and deleted."""

PATHS: list[str] = read_tables("web")["public_urls"]


class Portal:
    """A database with two workers, and an application that caches nothing.

    The workers cache fragments, and also responses if `has_responses`.
    """

    def __init__(self, make_app: MakeApp, clock: Clock, *, has_responses: bool) -> None:
        self.make_app = make_app
        self.has_responses = has_responses
        self.clock = clock
        # The same at each run.
        self.random = random.Random(0)
        #: For distinct titles.
        self.number = 0
        #: The worker that writes.
        self.writer = 0
        self.apps: list[Flask] = []
        self.bodies: dict[tuple[str, str, str], bytes] = {}
        """The bodies by path, name and value of a validator."""
        self.start("Portal")
        database = get_services(self.apps[0]).database
        self.token = create_token(database, "editor", SCOPES)
        for slug in SLUGS:
            self.send("PUT", f"/categories/{slug}", {"title": slug})

    def start(self, title: str) -> None:
        """Start the applications, instead of those before, with a title of the site."""
        for app in self.apps:
            get_services(app).database.close()
        self.apps = [
            self.make_app(rate_writes="1000000/second", site_title=title)
            for _ in range(3)
        ]
        for app in self.apps[2 if self.has_responses else 0 :]:
            services = get_services(app)
            services.cache = ResponseCache(services.database, max_bytes=0)
        get_services(self.apps[2]).fragments = FragmentCache(max_bytes=0)
        self.clients = [app.test_client() for app in self.apps]
        # The applications before stay until the test's end. A collection would examine
        # them too, for so long that PostgreSQL ends the transaction.
        gc.freeze()
        get_services(self.apps[0]).background.tick()

    def send(self, method: str, path: str, document: Any = None) -> bool:
        """Send a request to the worker that writes; return whether it succeeds."""
        client = self.clients[self.writer]
        response = ApiClient(client, self.token).send(method, path, document)
        assert response.status_code < 500, response.text
        return response.status_code < 300

    def pass_time(self, seconds: float) -> None:
        """Let time pass, one worker apply what is due, and the other one notice it."""
        self.clock.forward(seconds=seconds)
        get_services(self.apps[self.writer]).background.tick()
        # The one that has written must know it without this.
        get_services(self.apps[1 - self.writer]).database.poll()

    def write(self) -> str:
        """Make a random write that succeeds; return its name."""
        weights = {
            self.put: 8,
            self.move: 4,
            self.withdraw: 1,
            self.delete: 3,
            self.wait: 4,
            self.put_category: 3,
            self.rename_category: 3,
            self.delete_category: 3,
            self.import_: 2,
            self.restore: 1,
            self.restart: 1,
        }
        self.writer = self.random.randrange(2)
        while True:
            (action,) = self.random.choices([*weights], weights=[*weights.values()])
            if action():
                return action.__name__

    def put(self) -> bool:
        """Put an entry of any state, which may be new, changed, or deleted before."""
        kind, id = self._any_entry()
        choice = self.random.choice
        self.number += 1
        word = choice(["Một", "Hai"])
        document: dict[str, Any] = {
            "title": f"{word} {self.number}",
            "language": choice(["vi", "en", "en-GB"]),
            "categories": self._any_categories(),
            "status": choice(["published"] * 5 + ["draft"]),
        }
        if self.random.random() < 0.4:
            published = self._near(-30, 6)
            document["date_published"] = published.isoformat()
            if self.random.random() < 0.5:
                expires = published + timedelta(hours=40)
                document["expires"] = expires.isoformat()
        if self.random.random() < 0.5:
            document["translation_key"] = choice(["k", "l"])
        if kind == "events":
            start = self._near(-5, 10)
            document["start"] = start.isoformat()
            document["end"] = (start + timedelta(hours=2)).isoformat()
            document["event_status"] = choice(["confirmed"] * 3 + ["cancelled"])
            if self.random.random() < 0.3:
                document["recurrence"] = {"rrule": "FREQ=DAILY;COUNT=5"}
                if self.random.random() < 0.5:
                    off = {"start": f"{start:%Y-%m-%dT%H:%M:%S}", "notice": word}
                    document["recurrence"]["cancelled"] = [off]
        return self.send("PUT", f"/{COLLECTIONS[kind]}/{id}", document)

    def move(self) -> bool:
        """Change nothing but the categories of an entry."""
        return self._change("PATCH", {"categories": self._any_categories()})

    def withdraw(self) -> bool:
        return self._change("PATCH", {"status": "withdrawn", "notice": "Sai."})

    def delete(self) -> bool:
        return self._change("DELETE")

    def wait(self) -> bool:
        """Let pass so much time that something may be due."""
        self.pass_time(3600 * self.random.choice([0.5, 1, 3, 24]))
        return True

    def put_category(self) -> bool:
        """Change, move or restore a category."""
        self.number += 1
        slug = self.random.choice([*SLUGS, "d", "z"])
        title = f"{slug} {self.number}"
        parent = self.random.choice([None, None, *SLUGS])
        document = {"title": title, "parent": parent}
        return self.send("PUT", f"/categories/{slug}", document)

    def rename_category(self) -> bool:
        slug, new_slug = self.random.choice([("d", "z"), ("z", "d")])
        return self.send("PATCH", f"/categories/{slug}", {"slug": new_slug})

    def delete_category(self) -> bool:
        slug = self.random.choice("dz")
        return self.send("DELETE", f"/categories/{slug}")

    def import_(self) -> bool:
        """Import one article, which may be new, or changed since the last import."""
        self.number += 1
        number = self.random.randrange(3)
        published = format_datetime(self._near(-30, -1))
        data = FEED.format(number, f"Nhập {self.number}", published)
        runner = self.apps[self.writer].test_cli_runner()
        result = runner.invoke(args=["import", "-"], input=data)
        assert result.exit_code == 0, result.output
        return True

    def restore(self) -> bool:
        """Do what `feedsvc db restored` does, and start again."""
        database = get_services(self.apps[self.writer]).database
        with database.write() as transaction:
            renew_revisions(transaction)
        return self.restart()

    def restart(self) -> bool:
        self.number += 1
        self.start(f"Portal {self.number}")
        return True

    def _change(self, method: str, document: Any = None) -> bool:
        kind, id = self._any_entry()
        return self.send(method, f"/{COLLECTIONS[kind]}/{id}", document)

    def _any_entry(self) -> tuple[str, str]:
        """Return the kind and the id of any entry, which may not exist."""
        kind = self.random.choice([*COLLECTIONS])
        return kind, f"{kind}{self.random.randrange(ENTRY_COUNT)}"

    def _any_categories(self) -> list[str]:
        return self.random.sample(SLUGS, self.random.randrange(3))

    def _near(self, first: int, last: int) -> datetime:
        """Return a time between so many hours from now, or within the next minute."""
        duration = timedelta(hours=self.random.randint(first, last))
        if self.random.random() < 0.5:
            duration = timedelta(seconds=self.random.randint(1, 59))
        return self.clock.now.astimezone(HANOI) + duration

    def compare(self, templates: list[str], after: str) -> None:
        """Compare the response of one of the workers for each path with a new one."""
        month = f"{self.clock.now:%Y-%m}"
        *workers, new_client = self.clients
        for template in templates:
            path = template.replace("MONTH", month)
            worker = self.random.randrange(2)
            cached, new = workers[worker].get(path), new_client.get(path)
            where = f"{path} of worker {worker} after {after}"
            assert cached.status == new.status, where
            assert cached.data == new.data, where
            assert [*cached.headers] == [*new.headers], where
            for name in ("ETag", "Last-Modified"):
                if name in new.headers:
                    key = (path, name, new.headers[name])
                    body = self.bodies.setdefault(key, new.data)
                    assert body == new.data, f"{key} after {after}"


@pytest.mark.parametrize("has_responses", [True, False], ids=["all", "fragments"])
@pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.soak)],
    indirect=True,
)
def test_cached_responses_equal_new_ones(
    make_app: MakeApp,
    clock: Clock,
    record_measurement: RecordMeasurement,
    has_responses: bool,
) -> None:
    portal = Portal(make_app, clock, has_responses=has_responses)
    # Fewer are rendered with responses.
    writes = WRITES // 2 if has_responses else WRITES
    for number in range(1, writes + 1):
        if number % ROUND == 1:
            others = portal.random.sample(PATHS, OTHERS)
        name = portal.write()
        # Dates are stated some seconds after a write, and not before.
        portal.pass_time(portal.random.choice([0, 0.3, 10]))
        portal.compare([*ALWAYS, *others], f"write {number}, {name}")
    record_measurement(
        "writes after which a cached response was not a new one",
        f"0 of {writes}, {'responses and fragments' if has_responses else 'fragments'}",
        "0",
    )
