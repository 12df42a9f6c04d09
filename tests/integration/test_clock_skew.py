"""Last-Modified with wrong clocks: no 304 for a changed body, and no date for two bodies."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from feedsvc.models import EPOCH, SCOPES
from feedsvc.services import get_services
from tests.conftest import ApiClient, MakeApp
from tests.fake_clock import Clock
from tests.storage.test_changes import START, reset

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
        get_services(self.app).cache.sync()


@dataclass
class History:
    """Instances on one database, and the body that was sent with each date."""

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
        response = client.get(FEED)
        modified = response.headers.get("Last-Modified")
        if modified:
            assert self.bodies.setdefault(modified, response.data) == response.data, (
                f"two bodies of {modified}"
            )
        for date, body in self.bodies.items():
            again: TestResponse = client.get(FEED, headers={"If-Modified-Since": date})
            assert (again.status_code == 304) == (date == modified)
            assert again.status_code == 200 or body == response.data
        self.elapse(0.003)


@pytest.fixture
def instances(make_app: MakeApp) -> list[Instance]:
    """Two instances on one database."""
    instances = []
    for _ in range(2):
        clock = Clock(START)
        app = make_app(own_clock=clock, rate_writes="1000000/second")
        instances.append(Instance(app, clock, ApiClient(app.test_client(), "")))
    token = get_services(instances[0].app).storage.tokens.create("editor", SCOPES)
    for instance in instances:
        instance.editor = ApiClient(instance.client, token)
    return instances


steps = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 1)),
    st.tuples(st.just("write"), st.integers(0, 1)),
    st.tuples(st.just("fetch"), st.integers(0, 1)),
    st.tuples(st.just("fetch"), st.integers(0, 1)),
    st.tuples(st.just("elapse"), st.sampled_from([0.05, 0.3, 0.7, 1.2, 1.6, 3.0])),
    st.tuples(st.just("set_back"), st.sampled_from([0.2, 0.9, 2.5, 7.1])),
)


def check_series(instances: list[Instance], max_examples: int) -> None:
    """Check series of writes, requests and changes of the clocks that hypothesis makes."""

    @settings(
        max_examples=max_examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(
        offset=st.sampled_from([0, 0.3, 1.1, 12.34]),
        actions=st.lists(steps, min_size=10, max_size=40),
    )
    def run(offset: float, actions: list[tuple[Any, ...]]) -> None:
        reset(get_services(instances[0].app).storage)
        for instance, ahead in zip(instances, (offset, 0), strict=True):
            instance.clock.now = START + timedelta(seconds=ahead)
        history = History(instances)
        history.elapse(0.5)
        for name, argument in actions:
            getattr(history, name)(argument)
        for number in range(2):
            history.fetch(number)

    run()


@pytest.mark.parametrize(
    "max_examples", [15, pytest.param(1000, marks=pytest.mark.soak)]
)
def test_no_304_for_a_changed_body_whatever_the_clocks(
    instances: list[Instance], max_examples: int
) -> None:
    check_series(instances, max_examples)


@pytest.mark.postgresql
def test_no_304_for_a_changed_body_on_postgresql(instances: list[Instance]) -> None:
    check_series(instances, 4)


KNOWN_CASES = {
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
ACTIONS = {"w": "write", "e": "elapse", "f": "fetch", "b": "set_back"}


@pytest.mark.both_databases
@pytest.mark.parametrize("case", KNOWN_CASES)
def test_known_cases_of_wrong_clocks(instances: list[Instance], case: str) -> None:
    offset, actions = KNOWN_CASES[case]
    instances[0].clock.forward(seconds=offset)
    history = History(instances)
    history.elapse(0.5)
    for step in actions.split():
        number = float(step[1:]) if step[0] in "eb" else int(step[1:])
        getattr(history, ACTIONS[step[0]])(number)
    history.elapse(30)
    history.fetch(0)
    assert len(history.bodies) > 1, "dates were stated"
    assert list(history.bodies.values())[-1] == instances[0].client.get(FEED).data


def test_change_log_never_runs_far_ahead_of_a_clock_that_is_set_back(
    instances: list[Instance],
) -> None:
    history = History(instances)
    history.write(0)
    history.elapse(5)
    before = instances[0].clock.now
    history.set_back(12)
    for _ in range(20):
        history.write(0)
    storage = get_services(instances[0].app).storage
    (_, time, _), _ = storage.changes_since((0, EPOCH, EPOCH))
    assert timedelta(seconds=-6) < time - before < timedelta(seconds=1)
