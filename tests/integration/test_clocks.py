"""Last-Modified with clocks that are wrong: no 304 for bytes that have changed, and no date for two bodies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.storage.tables import change_sequence
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.storage.test_changes import START, reset

pytestmark = pytest.mark.both_databases

FEED = "/feeds/news.json"
POLL = 0.4


@dataclass
class Instance:
    """An instance of the service with its own clock."""

    app: Flask
    clock: Clock
    editor: ApiClient

    @property
    def client(self) -> FlaskClient:
        return self.editor.client

    def poll(self) -> None:
        """Check the change log, as a thread does every 0.4 s."""
        self.app.wsgi_app.cache.sync()  # type: ignore[attr-defined]


@dataclass
class World:
    """Instances on one database, and every body that was sent with a date."""

    instances: list[Instance]
    bodies: dict[str, bytes] = field(default_factory=dict)
    writes: int = 0

    def elapse(self, seconds: float) -> None:
        """Let time pass for all clocks, while every instance polls."""
        while seconds > 0:
            step = min(seconds, POLL)
            for instance in self.instances:
                instance.clock.forward(seconds=step)
            for instance in self.instances:
                instance.poll()
            seconds -= step

    def set_back(self, seconds: float) -> None:
        """Set all clocks back."""
        for instance in self.instances:
            instance.clock.forward(seconds=-seconds)
        self.elapse(0.003)

    def write(self, number: int) -> None:
        self.writes += 1
        self.instances[number].editor.put(
            "/articles/a", {"title": f"Lần {self.writes}"}
        )
        self.elapse(0.003)

    def fetch(self, number: int) -> None:
        """Fetch the feed, and ask again with every date that was ever stated."""
        client = self.instances[number].client
        whole = client.get(FEED)
        modified = whole.headers.get("Last-Modified")
        if modified:
            assert self.bodies.setdefault(modified, whole.data) == whole.data, (
                f"two bodies of {modified}"
            )
        for date, body in self.bodies.items():
            answer: TestResponse = client.get(FEED, headers={"If-Modified-Since": date})
            assert (answer.status_code == 304) == (date == modified)
            assert answer.status_code == 200 or body == whole.data
        self.elapse(0.003)


@pytest.fixture
def instances(make_app: MakeApp) -> list[Instance]:
    """Two instances on one database."""
    made = []
    for _ in range(2):
        clock = Clock(START)
        app = make_app(own_clock=clock, rate_writes="1000000/second")
        made.append(Instance(app, clock, ApiClient(app.test_client(), "")))
    token = get_services(made[0].app).storage.tokens.create("editor", SCOPES)
    for instance in made:
        instance.editor = ApiClient(instance.client, token)
    return made


steps = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 1)),
    st.tuples(st.just("write"), st.integers(0, 1)),
    st.tuples(st.just("fetch"), st.integers(0, 1)),
    st.tuples(st.just("fetch"), st.integers(0, 1)),
    st.tuples(st.just("elapse"), st.sampled_from([0.05, 0.3, 0.7, 1.2, 1.6, 3.0])),
    st.tuples(st.just("set_back"), st.sampled_from([0.2, 0.9, 2.5, 7.1])),
)


@pytest.mark.parametrize("offset", [0, 0.3, 1.1, 12.34])
def test_no_304_for_changed_bytes_whatever_the_clocks(
    instances: list[Instance], offset: float
) -> None:
    @settings(max_examples=25, deadline=None)
    @given(taken=st.lists(steps, min_size=10, max_size=40))
    def series(taken: list[tuple[Any, ...]]) -> None:
        reset(get_services(instances[0].app).storage)
        for instance, ahead in zip(instances, (offset, 0), strict=True):
            instance.clock.now = START + timedelta(seconds=ahead)
        world = World(instances)
        world.elapse(0.5)
        for name, argument in taken:
            getattr(world, name)(argument)
        for number in range(2):
            world.fetch(number)

    series()


TABLE = {
    "one clock, set back between two writes": (
        0,
        "w0 e2.0 f0 b12.0 w0 f0 e0.3 w0 f0 e2.0 f0 e14.0 f0 w0 f0",
    ),
    "the writer is behind, the reader ahead": (
        12.34,
        "w1 e0.3 f0 w1 f0 e0.2 w1 f0 e2.0 f0 w1 f0 e14.0 f0",
    ),
    "both write, one of them behind": (
        12.34,
        "w0 e2.0 f0 w1 f0 e0.3 f0 w1 f0 e1.6 f0 w1 f0 e9.0 f0 w1 f0",
    ),
    "both write in turn": (
        1.1,
        "w0 e3.0 f0 w0 w1 e0.1 w0 w1 f0 e0.3 w0 w1 f1 e1.6 f0 f1 w1 f0 f1 e1.6 f0 f1",
    ),
}
NAMES = {"w": "write", "e": "elapse", "f": "fetch", "b": "set_back"}


@pytest.mark.parametrize("case", TABLE)
def test_wrong_clocks_that_are_known(instances: list[Instance], case: str) -> None:
    offset, taken = TABLE[case]
    instances[0].clock.forward(seconds=offset)
    world = World(instances)
    world.elapse(0.5)
    for step in taken.split():
        number = float(step[1:]) if step[0] in "eb" else int(step[1:])
        getattr(world, NAMES[step[0]])(number)
    world.elapse(30)
    world.fetch(0)
    assert len(world.bodies) > 1, "dates were stated"
    assert list(world.bodies.values())[-1] == instances[0].client.get(FEED).data


def test_many_writes_behind_the_clock_advance_the_change_log_by_one_second(
    instances: list[Instance],
) -> None:
    world = World(instances)
    world.write(0)
    world.elapse(5)
    before = instances[0].clock.now
    world.set_back(12)
    for _ in range(20):
        world.write(0)
    with get_services(instances[0].app).storage._database.read() as connection:
        time = connection.scalar(sa.select(change_sequence.c.time))
    assert time is not None
    assert timedelta(seconds=-6) < time - before < timedelta(seconds=1)
