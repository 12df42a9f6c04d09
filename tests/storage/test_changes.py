"""A partner that follows `/api/v1/changes` has an exact copy, whatever is written."""

import multiprocessing
import os
import random
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from feedsvc.app import create_app
from feedsvc.models import utcnow
from feedsvc.services import get_services
from tests.conftest import ApiClient, make_config
from tests.server import Service
from tests.waiting import wait_until

pytestmark = pytest.mark.both_databases

SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS", "60"))

COLLECTIONS = {"news": "articles", "events": "events"}
CLOCK_OFFSETS = (-1.0, 1.0, 0.0, 0.4)
"""Seconds by which the clocks of the writers differ from the service's."""

ROUND_SECONDS = 1.5
STATUSES = ["published"] * 4 + ["withdrawn", "draft"]
NEVER_PUBLIC = "never-public"
FEEDS = (
    "/feeds/news.json?limit=100",
    "/feeds/events.json?limit=100&when=all",
    "/feeds/news.rss",
    "/feeds/events.atom?order=start",
)


def write(url: str, token: str, seed: int, offset: float) -> None:
    """Write random entries, and apply what is due, with a clock that is wrong."""

    def clock() -> datetime:
        return utcnow() + timedelta(seconds=offset)

    config = replace(make_config(url), rate_writes="1000000/second")
    app = create_app(config, clock)
    services = get_services(app)
    api = ApiClient(app.test_client(), token)
    chance = random.Random(seed)
    end = time.monotonic() + ROUND_SECONDS
    while time.monotonic() < end:
        kind = chance.choice([*COLLECTIONS])
        path = f"/{COLLECTIONS[kind]}/{kind}-{chance.randrange(25)}"
        document = random_document(chance, kind, clock())
        choice = chance.random()
        if choice < 0.2:
            response = api.send("DELETE", path)
        elif choice < 0.3:
            items = [
                {"action": "put", "kind": kind, "id": f"{kind}-{number}"}
                | random_document(chance, kind, clock())
                for number in chance.sample(range(25), 5)
            ]
            response = api.send("POST", "/batch", items)
        elif choice < 0.4:
            hidden = chance.choice(
                [{"status": "draft"}, {"date_published": "2150-01-01"}]
            )
            document |= {"expires": None, **hidden}
            response = api.send("PUT", f"{path}-{NEVER_PUBLIC}", document)
        else:
            response = api.send("PUT", path, document)
        assert response.status_code in (200, 201, 204, 404, 410, 503)
        if chance.random() < 0.2:
            services.background.tick()
    services.database.close()


def random_document(chance: random.Random, kind: str, now: datetime) -> dict[str, Any]:
    """Return an entry that is a draft, public, or appears or expires soon."""
    published = now + timedelta(seconds=chance.choice([-60, -1, 0, 0.3, 0.9, 1.5]))
    document: dict[str, Any] = {
        "title": f"Bài {chance.randrange(10**9)}",
        "date_published": published.isoformat(),
        "status": chance.choice(STATUSES),
    }
    if chance.random() < 0.4:
        expires = published + timedelta(seconds=chance.uniform(0.1, 2))
        document["expires"] = expires.isoformat()
    if kind == "events":
        start = now + timedelta(seconds=chance.randrange(9))
        document["start"] = start.isoformat()
    return document


class Partner:
    """A copy of the public entries, and the bodies of feeds by their validators."""

    def __init__(self, service: Service, seed: int) -> None:
        self.service = service
        self.chance = random.Random(seed)
        self.after = 0
        self.copy: dict[str, int] = {}
        self.change_count = 0
        self.bodies: dict[tuple[str, str, str], bytes] = {}

    def follow(self) -> int:
        """Read one page of changes; return their number."""
        limit = self.chance.choice([1, 2, 5, 20, 50])
        path = f"/api/v1/changes?after={self.after}&limit={limit}"
        page = self.service.request("GET", path).json()
        for change in page["changes"]:
            assert NEVER_PUBLIC not in change["id"]
            assert change["seq"] > self.after
            self.after = change["seq"]
            if change["action"] == "put":
                self.copy[change["id"]] = change["version"]
            else:
                self.copy.pop(change["id"], None)
        assert page["next"] == self.after
        self.change_count += len(page["changes"])
        return len(page["changes"])

    def poll_feeds(self) -> None:
        """Read feeds; neither an ETag nor a date may be that of two bodies."""
        for path in FEEDS:
            response = requests.get(self.service.url + path, timeout=60)
            assert response.status_code == 200
            for name in ("ETag", "Last-Modified"):
                value = response.headers.get(name)
                if value:
                    key = (path, name, value)
                    body = self.bodies.setdefault(key, response.content)
                    assert body == response.content, key

    def has_exact_copy(self) -> bool:
        """Compare with the public entries; return false if they changed meanwhile."""
        while self.follow():
            pass
        public = {}
        for collection in COLLECTIONS.values():
            path = f"/api/v1/{collection}?limit=200"
            page = self.service.request("GET", path).json()
            assert page["next_page"] is None
            for item in page["items"]:
                if item["public"]:
                    public[item["id"]] = item["version"]
        copy = dict(self.copy)
        has_changed = self.follow() > 0
        assert has_changed or copy == public
        return not has_changed

    def feeds_show_the_copy(self) -> bool:
        """Return whether the feeds of both kinds have the entries of the copy."""
        # Entries may still appear and expire.
        while self.follow():
            pass
        ids = set()
        for path in FEEDS[:2]:
            feed = requests.get(self.service.url + path, timeout=60).json()
            ids |= {item["_entry"]["id"] for item in feed["items"]}
        return ids == set(self.copy)


def run_round(partner: Partner, seed: int, count: int) -> None:
    """Let the partner follow writers, and compare after they have ended."""
    service = partner.service
    url = service.environ["FEEDSVC_DATABASE_URL"]
    context = multiprocessing.get_context("forkserver")
    processes = [
        context.Process(
            target=write,
            args=(url, service.token, seed + number, offset),
        )
        for number, offset in enumerate(CLOCK_OFFSETS[:count])
    ]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        partner.follow()
        if partner.chance.random() < 0.3:
            partner.poll_feeds()
    assert [process.exitcode for process in processes] == [0] * count
    wait_until(partner.has_exact_copy)
    wait_until(partner.feeds_show_the_copy)


def test_partner_has_an_exact_copy(service: Service) -> None:
    partner = Partner(service, 1)
    while partner.change_count <= 10:
        run_round(partner, 10, 2)


@pytest.mark.soak
def test_partner_has_an_exact_copy_after_every_round(service: Service) -> None:
    seed = int(time.time())
    print(f"seed {seed}")
    partner = Partner(service, seed)
    end = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < end:
        run_round(partner, seed, len(CLOCK_OFFSETS))
        seed += len(CLOCK_OFFSETS)
