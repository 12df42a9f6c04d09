"""The service answers as its description says: call by call, and calls that follow one another."""

from __future__ import annotations

import os
import re
from collections import Counter
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID
from xml.etree import ElementTree

import pytest
import schemathesis
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from pysqlite3 import dbapi2 as sqlite
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from config import Config
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from tests.conftest import ApiClient, MakeApp, RecordMeasurement
from tests.fake_clock import Clock

EXAMPLES = int(os.environ.get("API_EXAMPLES", "50"))
"""Requests an operation, and runs of calls; `make soak` asks for more."""

SETTINGS: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}

load_all_checks()
POSITIVE, NEGATIVE = CHECKS.get_by_names(
    ["positive_data_acceptance", "negative_data_rejection"]
)

UNSAID = re.compile(
    # What is stored, or was asked before:
    "There is no such category|There is no entry|was deleted|is taken|used for another body"
    # one member and another, or a header, or the path:
    "|Another (id|slug) than in the path|Must be after|Lies before the start|Must be a date if the start is one"
    "|Not a RRULE|cannot stand in a rule|exclude each other|BYDAY has numbers|BYSETPOS needs"
    "|must be its first occurrence|Ends neither|UNTIL must be|Is no occurrence|No occurrence is left"
    "|second pass of an hour|Must not be within the category itself|Idempotency-Key is for atomic batches"
    # and what no pattern can say: hosts, lengths of months, time zones, spans of years at an offset, that
    # 1.0 is no whole number, and characters beyond the first plane.
    "|Not a valid URL|day is out of range for month|Not an IANA time zone|Not of the years 1970 to 2200"
    "|Not a valid integer|The number -?[0-9]+ is too large|The character U[+][0-9A-F]{5,6} is not allowed"
)
"""Why what fits the schemas may be refused all the same."""


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """The service, without limits to how often one may write."""
    return make_app(rate_writes="1000000/second", rate_auth_failures="1000000/second")


@pytest.fixture
def tried(app: Flask) -> schemathesis.BaseSchema:
    """The service as its description has it."""
    token = get_services(app).storage.tokens.create("editor", SCOPES)
    ApiClient(app.test_client(), token).put(
        "/categories/giao-thong", {"title": "Giao thông"}
    )
    found = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    found.config.headers = {"Authorization": f"Bearer {token}"}
    checks = found.config.checks
    checks.positive_data_acceptance.expected_statuses = [
        "2xx",
        "304",
        "404",
        "409",
        "410",
        "412",
    ]
    # The results of a batch say what is wrong with its lines.
    checks.negative_data_rejection.expected_statuses = [
        "207",
        "400",
        "404",
        "409",
        "410",
        "412",
        "422",
    ]
    return found


def check(case: Case[Any], response: Response, **kwargs: Any) -> None:
    """Hold an answer to the description."""
    unfit: list[Any] = []
    if response.status_code in (400, 422):
        problem = response.json()
        details = [fault["detail"] for fault in problem.get("errors", ())] or [
            problem["detail"]
        ]
        # What a patch results in depends on what it is applied to.
        if case.method == "PATCH" or all(UNSAID.search(detail) for detail in details):
            unfit.append(POSITIVE)
    if case.meta and "maxLength" in str(case.meta.phase.data.description):
        unfit.append(NEGATIVE)  # text is counted once it is cleaned
    # The headers are named once more, so that it is checked that nothing is done without them.
    headers = case.operation.schema.config.headers
    case.validate_response(response, excluded_checks=unfit, headers=headers, **kwargs)


@pytest.mark.bar
@pytest.mark.parametrize("mode", GenerationMode)
def test_the_service_answers_as_described(
    tried: schemathesis.BaseSchema,
    mode: GenerationMode,
    record_measurement: RecordMeasurement,
) -> None:
    """In a loop, for schemathesis's own fixtures do not know this pytest."""
    asked = Counter[str]()
    for found in tried.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not (
            operation.body or operation.query or operation.path_parameters
        ):
            continue  # there is nothing that could be wrong

        @settings(max_examples=EXAMPLES, **SETTINGS)
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            check(case, case.call())
            asked.update([case.method])

        ask()
    record_measurement(
        "made requests answered otherwise than described", f"0 of {asked.total()}", "0"
    )


@pytest.mark.bar
def test_calls_that_follow_one_another(
    tried: schemathesis.BaseSchema,
    app: Flask,
    config: Config,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    record_measurement: RecordMeasurement,
) -> None:
    """What one call answers, the next ones ask for.

    Hypothesis repeats a run to make it smaller and must find the same, so each begins with the same
    database and time, and what the service draws by chance is counted here.
    """
    path = sa.make_url(config.database_url).database
    database, template = sqlite.connect(path), sqlite.connect(":memory:")
    database.backup(template)
    begin, client = clock(), app.test_client()

    class Calls(tried.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            template.backup(database)
            clock.now, numbers = begin, count(1)
            ids = SimpleNamespace(uuid4=lambda: UUID(int=next(numbers)))
            monkeypatch.setattr("feedsvc.storage.entries.uuid", ids)
            keys = SimpleNamespace(
                token_hex=lambda size: f"{next(numbers):0{2 * size}x}"
            )
            monkeypatch.setattr("feedsvc.api.schemas.secrets", keys)

        def before_call(self, case: Case[Any]) -> None:
            """Let more of them be accepted, by what no schema can say."""
            if isinstance(
                case.body, dict
            ):  # it may be the description's own example, so it is copied
                taken = {"id", "slug"} if case.method == "PUT" else set()
                case.body = {
                    name: value
                    for name, value in case.body.items()
                    if name not in taken
                }
                if case.body.get("categories"):
                    case.body["categories"] = ["giao-thong"]

        def validate_response(
            self, response: Response, case: Case[Any], **kwargs: Any
        ) -> None:
            clock.forward(seconds=1)
            check(case, response, recorder=self.recorder)

        def teardown(self) -> None:
            for feed in ("news.rss", "news.atom", "events.rss", "events.atom"):
                ElementTree.fromstring(client.get(f"/feeds/{feed}").data)
            assert client.get("/api/v1/changes").status_code == 200

    Calls.run(
        settings=settings(max_examples=EXAMPLES, stateful_step_count=10, **SETTINGS)
    )
    database.close()
    record_measurement(
        "series of calls with one answered otherwise than described",
        f"0 of {EXAMPLES}",
        "0",
    )
