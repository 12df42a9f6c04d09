"""The history that what is kept is never wrong: two workers, the real clock, and whatever is done.

Every answer is one that was true within the last second, at once where the worker itself took the write; and
a 304 is for a copy of which that can be said.
"""

from __future__ import annotations

import gzip
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import sleep
from types import SimpleNamespace
from typing import Any

import brotli
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.integration.test_model import Model, ModelEntry, kinds, numbers, slugs
from tests.integration.worker_process import (
    WorkerConnection,
    WorkerResponse,
    connect_workers,
)
from tests.server import Service

STALE = timedelta(seconds=1)
PARAMETERS: dict[str, list[dict[str, Any]]] = {
    "news": [{}, {}, {"limit": 1}],
    "events": [{}, {}, {"when": "past"}],
}
"""Few feeds, so that most are kept when something happens."""

UNPACK = {"": bytes, "gzip": gzip.decompress, "br": brotli.decompress}
MOMENTS = timedelta(seconds=0.3)
"""The real time that stands for an hour of the model."""


class Now:
    """The real clock, as the model reads it."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Epoch:
    """The model's entries from the sending of a write until the next one's answer."""

    entries: dict[tuple[str, str], ModelEntry]
    begun: datetime
    ended: datetime = datetime.max.replace(tzinfo=UTC)


@dataclass
class History:
    """The model, its history, and what each worker has been asked to do."""

    workers: list[WorkerConnection]
    epochs: list[Epoch] = field(default_factory=list)
    written: dict[int, int] = field(default_factory=dict)
    copies: dict[str, WorkerResponse] = field(default_factory=dict)
    at: int = 0
    sent: int = 0
    fetched: int = 0

    def __post_init__(self) -> None:
        self.model = Model(Now(), self, unit=MOMENTS)
        self.epochs = [Epoch({}, self.model.clock.now - STALE)]

    def send(self, method: str, path: str, document: Any = None) -> Any:
        """For the model: a write, through the worker whose turn it is."""
        self.sent += 1
        answer = self.workers[self.at].request(method, f"/api/v1{path}", document or {})
        return SimpleNamespace(
            status_code=answer.status, get_json=lambda: json.loads(answer.body)
        )

    def put(self, path: str, document: Any) -> Any:
        answer = self.send("PUT", path, document)
        assert answer.status_code in (200, 201)
        return answer

    def write(self, worker: int, name: str, *arguments: Any) -> None:
        """Do a write of the model, through a worker."""
        self.at, begun, sent = worker, self.model.clock.now, self.sent
        getattr(self.model, name)(*arguments)
        self.epochs[-1].ended = self.model.clock.now
        self.epochs.append(Epoch(dict(self.model.entries), begun))
        if self.sent > sent:  # the model deletes nothing that is not there
            self.written[worker] = len(self.epochs) - 1

    def wait(self, seconds: float) -> None:
        sleep(seconds)

    def fetch(
        self,
        worker: int,
        kind: str,
        selector: str,
        asked: dict[str, Any],
        condition: str,
        coding: str,
    ) -> None:
        query = FeedQuery(
            kind,
            "json",
            CategoryFilter.parse(selector) if selector else CategoryFilter(),
            **asked,
        )
        path = replace(
            query,
            category_filter=query.category_filter.with_current_slugs(
                {"a": self.model.slug_of_a}
            ),
        ).path
        headers, old = {"Accept_Encoding": coding}, self.copies.get(path)
        if old and condition in ("etag", "both"):
            headers["If_None_Match"] = old.headers["etag"]
        if old and condition in ("since", "both") and "last-modified" in old.headers:
            headers["If_Modified_Since"] = old.headers["last-modified"]
        begun = self.model.clock.now
        answer = self.workers[worker].request("GET", path, **headers)
        window = begun - STALE, self.model.clock.now
        assert answer.status in (200, 304), answer
        if answer.status == 304:
            assert old
            answer = old
        body = UNPACK[answer.headers.get("content-encoding", "")](answer.body)
        found = [(item["id"], item["title"]) for item in json.loads(body)["items"]]
        possible = list(self.possible_feeds(query, worker, *window))
        assert found in possible, (answer.headers, condition, window, possible[-1])
        self.copies[path] = answer
        self.fetched += 1

    def possible_feeds(
        self, query: FeedQuery, worker: int, since: datetime, until: datetime
    ) -> Iterator[list[tuple[str, str]]]:
        """Yield each list of entries that a feed may have had in a period."""
        for number, epoch in enumerate(self.epochs):
            if (
                number < self.written.get(worker, 0)
                or epoch.ended < since
                or epoch.begun > until
            ):
                continue
            rows = epoch.entries.values()
            turns = [
                {
                    since,
                    until,
                    *(turn for turn in moments if turn and since < turn <= until),
                }
                for moments in (
                    [one.ends for one in rows],
                    [m for one in rows for m in _scheduled_changes(one)],
                )
            ]
            model = Model(None, None, entries=epoch.entries)
            for now, settled in itertools.product(*turns):
                yield [
                    (one.guid, one.title) for one in model.expected(query, now, settled)
                ]


def _scheduled_changes(one: ModelEntry) -> tuple[datetime | None, ...]:
    return one.published, one.expires


workers = st.integers(0, 1)
steps = st.one_of(
    st.tuples(
        st.just("write"),
        workers,
        st.just("put"),
        kinds,
        numbers,
        slugs,
        st.integers(-3, 3),
        st.none() | st.integers(1, 5),
        st.booleans(),
    ),
    st.tuples(st.just("write"), workers, st.just("delete"), kinds, numbers),
    st.tuples(st.just("write"), workers, st.just("rename")),
    st.tuples(st.just("wait"), st.sampled_from([0.02, 0.1, 0.3, 1.2])),
    *[
        st.tuples(
            st.just("fetch"),
            workers,
            st.just(kind),
            st.sampled_from(["", "", "a", "b", "a,-b"]),
            st.sampled_from(asked),
            st.sampled_from(["none", "etag", "since", "both"]),
            st.sampled_from(["identity", "gzip", "br"]),
        )
        for kind, asked in PARAMETERS.items()
        for _ in range(4)
    ],
)


def check_random_steps(service: Service, examples: int) -> int:
    """Do so many series of steps on one service, on which the model goes on from one to the next.

    Returns how many answers were held against it.
    """
    service.make_token(*SCOPES)
    with connect_workers(service) as found:
        history = History(found)
        for slug, document in {"a": {}, "b": {}, "c": {"parent": "b"}}.items():
            history.put(f"/categories/{slug}", {"title": slug.upper(), **document})
        sleep(1)

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(sequence=st.lists(steps, min_size=20, max_size=40))
        def series(sequence: list[tuple[Any, ...]]) -> None:
            for name, *arguments in sequence:
                getattr(history, name)(*arguments)
            history.epochs = history.epochs[-60:]
            history.written = {}

        series()
    return history.fetched


def test_cached_responses_are_at_most_a_second_old(service: Service) -> None:
    check_random_steps(service, 3)


@pytest.mark.both_databases
@pytest.mark.soak
def test_cached_responses_are_at_most_a_second_old_for_long(
    service: Service, record_measurement: RecordMeasurement
) -> None:
    examples = int(os.environ.get("PROOF_EXAMPLES", "30"))
    fetched = check_random_steps(service, examples)
    record_measurement(
        "answers of workers that were not true within the last second",
        f"0 of {fetched}",
        "0",
    )
