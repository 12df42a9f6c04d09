"""Random writes and reads: feeds match a small model, and 304 means unchanged."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.http import http_date
from werkzeug.test import TestResponse

from feedsvc.feed_query import CategoryFilter, FeedQuery
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from tests.conftest import ApiClient, MakeApp, RecordMeasurement
from tests.fake_clock import HANOI, Clock
from tests.storage.test_changes import START, reset

pytestmark = pytest.mark.both_databases

HOUR = timedelta(hours=1)
PARENTS = {"c": {"c", "b"}}
"""Category c is below b."""

SELECTORS = ["", "a", "b", "c", "a,b", "a+b", "a,-b", "-a", "a+b+-c", "-a,-c"]
NEWS_PARAMETERS: list[dict[str, Any]] = [
    {},
    {"limit": 2},
    {"content": "summary", "limit": 1},
    {"archive": "2026-11"},
    {"archive": "2026-12"},
]
EVENT_PARAMETERS: list[dict[str, Any]] = [
    {},
    {"when": "all", "limit": 3},
    {"when": "past"},
    {"order": "start"},
    {"when": "recent"},
]


@dataclass
class ModelEntry:
    """An entry of the model."""

    guid: str
    title: str
    slugs: set[str]
    published: datetime
    expires: datetime | None
    is_draft: bool
    start: datetime | None
    ends: datetime


@dataclass
class Model:
    """The entries that the service should show, and requests that compare."""

    clock: Any
    editor: Any
    settle: Any = None
    unit: timedelta = HOUR
    entries: dict[tuple[str, str], ModelEntry] = field(default_factory=dict)
    slug_of_a: str = "a"
    kept: dict[str, Any] = field(default_factory=dict)
    dated: dict[tuple[str, str], bytes] = field(default_factory=dict)
    """Body by path and Last-Modified."""

    def expected(
        self, query: FeedQuery, now: datetime, settled: datetime
    ) -> list[ModelEntry]:
        """Return the entries of a feed.

        :param settled: time up to which scheduled changes are applied.
        """
        wanted, unwanted = query.category_filter.include, query.category_filter.exclude
        rows = []
        for (kind, _), one in self.entries.items():
            inside = set().union(*(PARENTS.get(slug, {slug}) for slug in one.slugs))
            fits = (all if query.category_filter.match_all else any)(
                slug in inside for slug in wanted
            ) or not wanted
            public = not one.is_draft and one.published <= settled
            public = public and (one.expires is None or settled < one.expires)
            if kind == query.kind and fits and public and not inside & set(unwanted):
                rows.append(one)
        if query.archive:
            rows = [
                one
                for one in rows
                if f"{one.published.astimezone(HANOI):%Y-%m}" == query.archive
            ]
        elif query.kind == "events":
            limits = {
                "upcoming": now,
                "recent": now - timedelta(days=30),
                "all": START - timedelta(days=999),
            }
            past = query.effective_period == "past"
            rows = [
                one
                for one in rows
                if (
                    one.ends <= now
                    if past
                    else one.ends > limits[query.effective_period]
                )
            ]
        rows.sort(key=lambda one: one.guid)
        rows.sort(
            key=lambda one: one.start or now if query.order else one.published,
            reverse=not query.order,
        )
        return rows[: None if query.archive else query.effective_limit]

    def put(
        self,
        kind: str,
        number: int,
        slugs: set[str],
        ahead: int,
        lasts: int | None,
        is_draft: bool,
    ) -> None:
        path = f"/{'articles' if kind == 'news' else 'events'}/{kind}{number}"
        now = self.clock.now
        published, start = now + ahead * self.unit, now + 2 * ahead * self.unit
        expires, ends = (
            published + lasts * self.unit if lasts else None,
            start + self.unit,
        )
        document: dict[str, Any] = {
            "title": f"{number} {now}",
            "categories": sorted(
                self.slug_of_a if slug == "a" else slug for slug in slugs
            ),
            "status": "draft" if is_draft else "published",
            "date_published": published.isoformat(),
        }
        document |= {"expires": expires.isoformat()} if expires else {}
        document |= (
            {"start": start.isoformat(), "end": ends.isoformat()}
            if kind == "events"
            else {}
        )
        answer = self.editor.put(path, document).get_json()
        start_of = start if kind == "events" else None
        self.entries[kind, path] = ModelEntry(
            answer["guid"],
            answer["title"],
            slugs,
            published,
            expires,
            is_draft,
            start_of,
            ends,
        )

    def delete(self, kind: str, number: int) -> None:
        path = f"/{'articles' if kind == 'news' else 'events'}/{kind}{number}"
        if self.entries.pop((kind, path), None):
            assert self.editor.send("DELETE", path).status_code == 204

    def rename(self) -> None:
        new = {"a": "z", "z": "a"}[self.slug_of_a]
        assert (
            self.editor.send(
                "PATCH", f"/categories/{self.slug_of_a}", {"slug": new}
            ).status_code
            == 200
        )
        self.slug_of_a = new

    def forward(self, hours: float) -> None:
        self.clock.forward(hours=hours)
        while self.settle():
            pass

    def fetch(
        self,
        kind: str,
        format: str,
        selector: str,
        asked: dict[str, Any],
        condition: str,
    ) -> None:
        query = FeedQuery(
            kind,
            format,
            CategoryFilter.parse(selector) if selector else CategoryFilter(),
            **asked,
        )
        named = replace(
            query,
            category_filter=query.category_filter.with_current_slugs(
                {"a": self.slug_of_a}
            ),
        )
        client: FlaskClient = self.editor.client
        headers, old = {}, self.kept.get(named.path)
        if old and condition in ("etag", "both"):
            headers["If-None-Match"] = old.headers["ETag"]
        if old and condition in ("since", "both") and old.last_modified:
            headers["If-Modified-Since"] = old.headers["Last-Modified"]
        answer, whole = client.get(named.path, headers=headers), client.get(named.path)
        assert whole.status_code == 200, whole.text
        self.check_dates(client, named.path, whole)
        if answer.status_code == 304:
            assert old
            assert whole.data == old.data, "304 for bytes that have changed"
        else:
            assert answer.data == whole.data
        if old and condition in ("etag", "both"):
            assert (answer.status_code == 304) == (whole.data == old.data)
        if old and condition == "since":
            same = (
                old.last_modified is not None
                and whole.last_modified == old.last_modified
            )
            assert (answer.status_code == 304) == same
        self.kept[named.path] = whole
        if format == "json":
            found = [item["id"] for item in whole.get_json(force=True)["items"]]
            now = self.clock.now
            assert found == [one.guid for one in self.expected(query, now, now)]

    def check_dates(self, client: FlaskClient, path: str, whole: TestResponse) -> None:
        """Check that a date belongs to one body, and that no other date is answered 304."""
        modified = whole.headers.get("Last-Modified")
        if modified:
            assert self.dated.setdefault((path, modified), whole.data) == whole.data, (
                "two bodies of one date"
            )
        known = [date for at, date in self.dated if at == path][-3:]
        now = self.clock.now
        near = [
            http_date(now + timedelta(seconds=seconds))
            for seconds in (-2, -1, 0, 1, 86400)
        ]
        for date in {*known, *near}:
            answer = client.get(path, headers={"If-Modified-Since": date})
            assert (answer.status_code == 304) == (date == modified)


kinds, numbers = st.sampled_from(["news", "events"]), st.integers(0, 4)
slugs = st.sets(st.sampled_from("abc"), max_size=2)
conditions = st.sampled_from(["none", "etag", "since", "both"])
steps = st.one_of(
    st.tuples(
        st.just("put"),
        kinds,
        numbers,
        slugs,
        st.integers(-3, 3),
        st.none() | st.integers(1, 5),
        st.booleans(),
    ),
    st.tuples(st.just("delete"), kinds, numbers),
    st.tuples(st.just("rename")),
    st.tuples(st.just("forward"), st.sampled_from([1, 2, 24, 24 * 15])),
    st.tuples(
        st.just("forward"), st.sampled_from([0.3 / 3600, 0.7 / 3600, 1.6 / 3600])
    ),
    *[
        st.tuples(
            st.just("fetch"),
            st.just(kind),
            st.sampled_from(["json", "json", "atom", "rss"]),
            st.sampled_from(SELECTORS),
            st.sampled_from(asked),
            conditions,
        )
        for kind, asked in (
            ("news", NEWS_PARAMETERS),
            ("events", NEWS_PARAMETERS + EVENT_PARAMETERS),
            ("news", NEWS_PARAMETERS),
        )
    ],
)


EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "4"))
"""Series of steps; `make soak` asks for more."""

FINAL_SELECTORS = SELECTORS if EXAMPLES > 10 else ["", "a", "a,-b", "b"]


@pytest.mark.bar
def test_feeds_match_the_model(
    make_app: MakeApp, clock: Clock, record_measurement: RecordMeasurement
) -> None:
    @settings(max_examples=EXAMPLES, deadline=None)
    @given(taken=st.lists(steps, min_size=15, max_size=30))
    def series(taken: list[tuple[Any, ...]]) -> None:
        clock.now = START
        app = make_app(rate_writes="1000000/second")
        storage = get_services(app).storage
        reset(storage)
        try:
            token = storage.tokens.create("editor", SCOPES)
            model = Model(
                clock,
                ApiClient(app.test_client(), token),
                storage.apply_scheduled_changes,
            )
            for slug, document in {"a": {}, "b": {}, "c": {"parent": "b"}}.items():
                model.editor.put(
                    f"/categories/{slug}", {"title": slug.upper(), **document}
                )
            for name, *arguments in taken:
                getattr(model, name)(*arguments)
            for kind, asked in (
                ("news", NEWS_PARAMETERS[3]),
                ("events", EVENT_PARAMETERS[1]),
            ):
                for selector in FINAL_SELECTORS:
                    model.fetch(kind, "json", selector, {}, "since")
                    model.fetch(kind, "json", selector, asked, "since")
        finally:
            with storage.database.write() as connection:
                connection.exec_driver_sql("DELETE FROM tokens")

    series()
    record_measurement(
        "series of steps after which a feed was not the model's",
        f"0 of {EXAMPLES}",
        "0",
    )
