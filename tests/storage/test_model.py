"""Random writes: feeds match a small model, and 304 means unchanged."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.storage.tables import Base
from feedsvc.storage.tokens import create_token
from tests.conftest import ApiClient, MakeApp, RecordMeasurement
from tests.fake_clock import Clock

pytestmark = [pytest.mark.both_databases, pytest.mark.bar]

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "4"))
"""Series of steps; `make soak` asks for more."""

HOUR = timedelta(hours=1)
ENTRY_COUNT = 5
COLLECTIONS = {"news": "articles", "events": "events"}
PARENTS = {"a": {"a"}, "b": {"b"}, "c": {"c", "b"}}
"""The categories that an entry of a category is in: c is below b."""


@dataclass(frozen=True)
class Selector:
    """The categories in a feed's URL."""

    include: str = ""
    exclude: str = ""
    separator: str = ","

    def path(self, slug_of_a: str) -> str:
        """Return the part of the URL, with the current slug of the category a."""
        slugs = [
            sorted(slug_of_a if slug == "a" else slug for slug in part)
            for part in (self.include, self.exclude)
        ]
        terms = [*slugs[0], *(f"-{slug}" for slug in slugs[1])]
        return f"/{self.separator.join(terms)}" if terms else ""

    def matches(self, inside: set[str]) -> bool:
        """Return whether the feed has an entry in these categories."""
        quantifier = all if self.separator == "+" else any
        is_included = quantifier(slug in inside for slug in self.include)
        return (is_included or not self.include) and not inside & set(
            self.exclude
        )


SELECTORS = [
    Selector(),
    Selector("a"),
    Selector("b"),
    Selector("c"),
    Selector("ab"),
    Selector("ab", separator="+"),
    Selector("a", "b"),
    Selector("", "a"),
    Selector("ab", "c", "+"),
]
PARAMETERS: list[dict[str, Any]] = [{}, {"limit": 2}, {"limit": 2, "page": 2}]
EVENT_PARAMETERS: list[dict[str, Any]] = [
    {"when": "all", "limit": 3},
    {"when": "past"},
    {"order": "start"},
]


@dataclass
class ModelEntry:
    """An entry of the model."""

    guid: str
    inside: set[str]
    is_draft: bool
    published: datetime
    expires: datetime | None
    start: datetime
    end: datetime

    def is_public(self, now: datetime) -> bool:
        is_expired = self.expires is not None and self.expires <= now
        return not self.is_draft and self.published <= now and not is_expired


@dataclass
class Model:
    """The entries that two apps of one database should show."""

    clock: Clock
    apps: tuple[Flask, Flask]
    editor: ApiClient
    entries: dict[tuple[str, int], ModelEntry] = field(default_factory=dict)
    slug_of_a: str = "a"
    responses: dict[str, TestResponse] = field(default_factory=dict)
    bodies: dict[tuple[str, str | None], bytes] = field(default_factory=dict)
    """The bodies by path and Last-Modified."""

    def put(
        self,
        kind: str,
        number: int,
        slugs: set[str],
        hours_ahead: int,
        lasts: int | None,
        is_draft: bool,
    ) -> None:
        now = self.clock.now
        published = now + hours_ahead * HOUR
        start = now + 2 * hours_ahead * HOUR
        expires = published + lasts * HOUR if lasts else None
        document: dict[str, Any] = {
            "title": f"{number} {now}",
            "categories": [
                self.slug_of_a if slug == "a" else slug for slug in slugs
            ],
            "status": "draft" if is_draft else "published",
            "date_published": published.isoformat(),
        }
        if expires:
            document["expires"] = expires.isoformat()
        if kind == "events":
            document["start"] = start.isoformat()
            document["end"] = (start + HOUR).isoformat()
        answer = self.editor.put(self._path(kind, number), document).get_json()
        inside = set().union(*(PARENTS[slug] for slug in slugs))
        entry = ModelEntry(
            answer["guid"],
            inside,
            is_draft,
            published,
            expires,
            start,
            start + HOUR,
        )
        assert answer["public"] == entry.is_public(now)
        self.entries[kind, number] = entry

    def delete(self, kind: str, number: int) -> None:
        if self.entries.pop((kind, number), None):
            response = self.editor.send("DELETE", self._path(kind, number))
            assert response.status_code == 204

    def _path(self, kind: str, number: int) -> str:
        return f"/{COLLECTIONS[kind]}/{kind}{number}"

    def rename(self) -> None:
        slug = {"a": "z", "z": "a"}[self.slug_of_a]
        path = f"/categories/{self.slug_of_a}"
        assert (
            self.editor.send("PATCH", path, {"slug": slug}).status_code == 200
        )
        self.slug_of_a = slug

    def forward(self, hours: float) -> None:
        self.clock.forward(hours=hours)
        get_services(self.apps[1]).background.tick()

    def expected_guids(
        self, kind: str, selector: Selector, parameters: dict[str, Any]
    ) -> list[str]:
        now = self.clock.now
        entries = [
            entry
            for (entry_kind, _), entry in self.entries.items()
            if entry_kind == kind
            and entry.is_public(now)
            and selector.matches(entry.inside)
        ]
        when = parameters.get("when", "upcoming")
        if kind == "events" and when != "all":
            is_past = when == "past"
            entries = [
                entry for entry in entries if (entry.end <= now) == is_past
            ]
        if "order" in parameters:
            entries.sort(key=lambda entry: (entry.start, entry.guid))
        else:
            entries.sort(
                key=lambda entry: (entry.published, entry.guid), reverse=True
            )
        limit = parameters.get("limit", 50)
        first = (parameters.get("page", 1) - 1) * limit
        return [entry.guid for entry in entries[first : first + limit]]

    def fetch(
        self, kind: str, selector: Selector, parameters: dict[str, Any]
    ) -> None:
        query = "&".join(
            f"{name}={value}" for name, value in parameters.items()
        )
        path = f"/feeds/{kind}{selector.path(self.slug_of_a)}.json?{query}"
        guids = self.expected_guids(kind, selector, parameters)
        # The other process has not written what this one has.
        get_services(self.apps[1]).database.poll()
        response, other = (app.test_client().get(path) for app in self.apps)
        if "page" in parameters and not guids:
            assert (response.status_code, other.status_code) == (404, 404)
            return
        assert response.status_code == 200, response.text
        items = response.get_json(force=True)["items"]
        assert [item["id"] for item in items] == guids
        assert (response.data, response.headers["ETag"]) == (
            other.data,
            other.headers["ETag"],
        )
        self._check_conditions(path, response)

    def _check_conditions(self, path: str, response: TestResponse) -> None:
        """Send the validators of the last response to this path."""
        modified = response.headers.get("Last-Modified")
        if modified:
            body = self.bodies.setdefault((path, modified), response.data)
            assert body == response.data, "two bodies of one date"
        old = self.responses.get(path)
        self.responses[path] = response
        if old is None:
            return
        client = self.apps[0].test_client()
        conditional = client.get(
            path, headers={"If-None-Match": old.headers["ETag"]}
        )
        assert (conditional.status_code == 304) == (response.data == old.data)
        date = old.headers.get("Last-Modified")
        if date:
            conditional = client.get(path, headers={"If-Modified-Since": date})
            assert (conditional.status_code == 304) == (date == modified)


kinds = st.sampled_from(["news", "events"])
numbers = st.integers(0, ENTRY_COUNT - 1)
steps = st.one_of(
    st.tuples(
        st.just("put"),
        kinds,
        numbers,
        st.sets(st.sampled_from("abc"), max_size=2),
        st.integers(-3, 3),
        st.none() | st.integers(1, 5),
        st.booleans(),
    ),
    st.tuples(st.just("delete"), kinds, numbers),
    st.tuples(st.just("rename")),
    st.tuples(
        st.just("forward"),
        st.sampled_from([1, 2, 24, 0.3 / 3600, 0.7 / 3600, 7 / 3600]),
    ),
    st.tuples(
        st.just("fetch"),
        st.just("news"),
        st.sampled_from(SELECTORS),
        st.sampled_from(PARAMETERS),
    ),
    st.tuples(
        st.just("fetch"),
        st.just("events"),
        st.sampled_from(SELECTORS),
        st.sampled_from(PARAMETERS + EVENT_PARAMETERS),
    ),
)


@pytest.fixture
def apps(make_app: MakeApp) -> tuple[Flask, Flask]:
    limits = {"rate_writes": "1000000/second"}
    return make_app(**limits), make_app(**limits)


def test_feeds_match_the_model(
    apps: tuple[Flask, Flask],
    clock: Clock,
    record_measurement: RecordMeasurement,
) -> None:
    @settings(max_examples=EXAMPLES)
    @given(series=st.lists(steps, min_size=15, max_size=30))
    def run(series: list[tuple[Any, ...]]) -> None:
        model = Model(clock, apps, make_editor(apps[0]))
        for name, *arguments in series:
            getattr(model, name)(*arguments)
        for selector in SELECTORS:
            model.fetch("news", selector, {})
            model.fetch("events", selector, {"when": "all"})

    run()
    record_measurement(
        "series of steps after which a feed was not the model's",
        f"0 of {EXAMPLES}",
        "0",
    )


def make_editor(app: Flask) -> ApiClient:
    """Empty the database, and store three categories."""
    database = get_services(app).database
    with database.write() as transaction:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name not in ("revisions", "installation"):
                transaction.session.execute(sa.delete(table))
        transaction.next_revision("news", "events")
    token = create_token(database, "editor", SCOPES)
    editor = ApiClient(app.test_client(), token)
    for slug in "abc":
        parent = {"parent": "b"} if slug == "c" else {}
        editor.put(f"/categories/{slug}", {"title": slug, **parent})
    return editor
