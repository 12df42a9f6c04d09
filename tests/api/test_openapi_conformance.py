"""Responses conform to the OpenAPI document, by schemathesis."""

import os
import sqlite3
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
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.result import Ok

from feedsvc.config import Config
from tests.conftest import MakeApp, RecordMeasurement
from tests.data.fixtures import make_client
from tests.fake_clock import Clock

EXAMPLES = int(os.environ.get("API_EXAMPLES", "4"))
"""Requests an operation, and sequences of calls; `make soak` makes more."""

NO_HEALTH_CHECKS = list(HealthCheck)

load_all_checks()
# The schemas do not state every rule, such as which categories exist.
EXCLUDED_CHECKS: Any = CHECKS.get_by_names(
    ["positive_data_acceptance", "negative_data_rejection"]
)


@pytest.fixture
def app(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Return an app without rate limits."""
    app = make_app(rate_writes="1000000/second")
    serve = app.wsgi_app
    addresses = count()

    # Wrong tokens are limited by address.
    def serve_another_client(environ: Any, start_response: Any) -> Any:
        environ["REMOTE_ADDR"] = f"client {next(addresses)}"
        return serve(environ, start_response)

    monkeypatch.setattr(app, "wsgi_app", serve_another_client)
    return app


@pytest.fixture
def schema(app: Flask) -> schemathesis.BaseSchema:
    """Return the OpenAPI document as schemathesis loads it, for all scopes."""
    client = make_client(app)
    client.put("/categories/giao-thong", {"title": "Giao thông"})
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app)
    schema.config.headers = client.headers
    return schema


def check_response(case: Case[Any], response: Response, **kwargs: Any) -> None:
    """Check a response against the OpenAPI document."""
    # schemathesis repeats the request without these headers, to check that it fails.
    headers = case.operation.schema.config.headers
    case.validate_response(
        response,
        excluded_checks=list(EXCLUDED_CHECKS),
        headers=headers,
        **kwargs,
    )


@pytest.mark.bar
@pytest.mark.parametrize("mode", GenerationMode)
def test_responses_conform_to_openapi(
    schema: schemathesis.BaseSchema,
    mode: GenerationMode,
    record_measurement: RecordMeasurement,
) -> None:
    # In a loop, since schemathesis's own fixtures do not support this pytest.
    requests = Counter[str]()
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        # Any text may be an id or a slug in a path.
        has_input = operation.body or operation.query
        if mode is GenerationMode.NEGATIVE and not has_input:
            continue

        @settings(max_examples=EXAMPLES, suppress_health_check=NO_HEALTH_CHECKS)
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Case[Any]) -> None:
            check_response(case, case.call())
            requests.update([case.method])

        send()
    count = requests.total()
    record_measurement(
        "made requests answered otherwise than described", f"0 of {count}", "0"
    )


@pytest.mark.bar
def test_sequences_of_calls_conform_to_openapi(
    schema: schemathesis.BaseSchema,
    app: Flask,
    config: Config,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    record_measurement: RecordMeasurement,
) -> None:
    """Later calls use the responses of earlier ones.

    Hypothesis repeats a sequence to shrink it and must get the same responses, so each
    begins with the same database and time, and random ids are counted instead.
    """
    path = sa.make_url(config.database_url).database or ""
    database, template = sqlite3.connect(path), sqlite3.connect(":memory:")
    database.backup(template)
    start = clock()
    client = app.test_client()

    class Calls(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            template.backup(database)
            clock.now, numbers = start, count(1)
            uuids = SimpleNamespace(uuid4=lambda: UUID(int=next(numbers)))
            monkeypatch.setattr("feedsvc.storage.write_rules.uuid", uuids)
            secrets = SimpleNamespace(
                token_hex=lambda size: f"{next(numbers):0{2 * size}x}"
            )
            monkeypatch.setattr("feedsvc.input.schemas.secrets", secrets)

        def before_call(self, case: Case[Any]) -> None:
            """Keep rules that are beyond schemas, so that more calls succeed."""
            # What a rehearsal deletes is still there, which Schemathesis takes for wrong.
            if case.query:
                case.query.pop("dry_run", None)
            if not isinstance(case.body, dict):
                return
            excluded = {"id", "slug"} if case.method == "PUT" else set()
            # A copy, since it may be the document's own example.
            case.body = {
                name: value for name, value in case.body.items() if name not in excluded
            }
            if case.body.get("categories"):
                case.body["categories"] = ["giao-thong"]
            if case.body.get("language"):
                case.body["language"] = "vi"

        def validate_response(
            self, response: Response, case: Case[Any], **kwargs: Any
        ) -> None:
            clock.forward(seconds=1)
            check_response(case, response, recorder=self.recorder)

        def teardown(self) -> None:
            for feed in ("news.rss", "news.atom", "events.rss", "events.atom"):
                ElementTree.fromstring(client.get(f"/feeds/{feed}").data)
            assert client.get("/api/v1/changes").status_code == 200

    Calls.run(
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=10,
            suppress_health_check=NO_HEALTH_CHECKS,
        )
    )
    database.close()
    record_measurement(
        "sequences of calls with one answered otherwise than described",
        f"0 of {EXAMPLES}",
        "0",
    )
