"""Random writes: feeds have the entries of a small model, in its order."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

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


def is_in_feed(inside: set[str], selector: str) -> bool:
    """Return whether a feed, by the categories in its URL, has an entry in some."""
    terms = selector.replace("+", ",").split(",")
    excluded = {term[1:] for term in terms if term.startswith("-")}
    included = {term for term in terms if term.isalpha()}
    quantifier = all if "+" in selector else any
    is_included = quantifier(slug in inside for slug in included)
    return (is_included or not included) and not inside & excluded


SELECTORS = ["", "a", "b", "c", "a,b", "a+b", "a,-b", "-a", "a+b+-c"]
"""Lists of categories in the URLs of feeds."""

_PAGES: list[dict[str, Any]] = [{}, {"limit": 2}, {"limit": 2, "page": 2}]
PARAMETERS = {
    "news": _PAGES,
    "events": [
        *_PAGES,
        {"when": "all", "limit": 3},
        {"when": "past"},
        {"order": "start"},
    ],
}


@dataclass
class ModelEntry:
    """An entry of the model."""

    guid: str
    inside: set[str]
    is_draft: bool
    published: datetime
    expires: datetime | None
    start: datetime
    """An event ends an hour later."""

    def is_public(self, now: datetime) -> bool:
        is_expired = self.expires is not None and self.expires <= now
        return not self.is_draft and self.published <= now and not is_expired


class Model:
    """The entries that an app should show."""

    def __init__(self, app: Flask, clock: Clock) -> None:
        self.app = app
        self.clock = clock
        self.editor = make_editor(app)
        self.entries: dict[tuple[str, int], ModelEntry] = {}

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
            "categories": [*slugs],
            "status": "draft" if is_draft else "published",
            "date_published": published.isoformat(),
            "expires": expires and expires.isoformat(),
        }
        if kind == "events":
            document["start"] = start.isoformat()
            document["end"] = (start + HOUR).isoformat()
        answer = self.editor.put(self._path(kind, number), document).get_json()
        inside = set().union(*(PARENTS[slug] for slug in slugs))
        entry = ModelEntry(answer["guid"], inside, is_draft, published, expires, start)
        assert answer["public"] == entry.is_public(now)
        self.entries[kind, number] = entry

    def delete(self, kind: str, number: int) -> None:
        if self.entries.pop((kind, number), None):
            response = self.editor.send("DELETE", self._path(kind, number))
            assert response.status_code == 204

    def _path(self, kind: str, number: int) -> str:
        return f"/{COLLECTIONS[kind]}/{kind}{number}"

    def forward(self, hours: float) -> None:
        self.clock.forward(hours=hours)
        get_services(self.app).background.tick()

    def expected_guids(
        self, kind: str, selector: str, parameters: dict[str, Any]
    ) -> list[str]:
        now = self.clock.now
        entries = [
            entry
            for (entry_kind, _), entry in self.entries.items()
            if entry_kind == kind
            and entry.is_public(now)
            and is_in_feed(entry.inside, selector)
        ]
        when = parameters.get("when", "upcoming")
        if kind == "events" and when != "all":
            is_past = when == "past"
            entries = [
                entry for entry in entries if (entry.start + HOUR <= now) == is_past
            ]
        if "order" in parameters:
            entries.sort(key=lambda entry: (entry.start, entry.guid))
        else:
            entries.sort(key=lambda entry: (entry.published, entry.guid), reverse=True)
        limit = parameters.get("limit", 50)
        first = (parameters.get("page", 1) - 1) * limit
        return [entry.guid for entry in entries[first : first + limit]]

    def fetch(self, kind: str, selector: str, parameters: dict[str, Any]) -> None:
        path = f"/feeds/{kind}/{selector}".removesuffix("/")
        response = self.editor.client.get(f"{path}.json", query_string=parameters)
        guids = self.expected_guids(kind, selector, parameters)
        if "page" in parameters and not guids:
            assert response.status_code == 404
            return
        assert response.status_code == 200, response.text
        items = response.get_json(force=True)["items"]
        assert [item["id"] for item in items] == guids


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
    st.tuples(
        st.just("forward"),
        st.sampled_from([1, 2, 24, 0.3 / 3600, 0.7 / 3600, 7 / 3600]),
    ),
    *(
        st.tuples(
            st.just("fetch"),
            st.just(kind),
            st.sampled_from(SELECTORS),
            st.sampled_from(parameters),
        )
        for kind, parameters in PARAMETERS.items()
    ),
)


def test_feeds_match_the_model(
    make_app: MakeApp, clock: Clock, record_measurement: RecordMeasurement
) -> None:
    app = make_app(rate_writes="1000000/second")

    @settings(max_examples=EXAMPLES)
    @given(series=st.lists(steps, min_size=15, max_size=30))
    def run(series: list[tuple[Any, ...]]) -> None:
        model = Model(app, clock)
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
