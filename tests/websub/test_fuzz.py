"""No request to /feeds/build gets a response with 5xx."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client, EnvironBuilder

from feedsvc.feed_query import PARAMETERS
from tests.conftest import ApiClient, MakeApp

EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# Pieces of valid URLs, and pieces that confuse parsers.
PIECES = st.sampled_from(
    """/ // /// [ ] [x] [::1] [::1]:80 [v1.x] ::1 : :: :0 :80 :99999 :x @ user@ ? # % %00 %0d%0a %ff %5B %2F%2F & = ; + - , . ..
    http:// https:// HTTPS:// //[ feeds /feeds/news.rss /feeds/news/van-hoa.atom ?content=summary ?limit=5 &from=2026-01-01
    ?archive=2026-13 xn-- xn--a xn--0.example a.example \u2488 \uff0f \u2100 \u3002 \u0130.example ß ﷺ \ud800 \udfff \u0000 \u2028 \\ \t \r \n
    ①②⑦.0.0.1 0x7f.1 1e999 -1 0 300 ٣٠٠ ²""".split(" ")
)
TEXTS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=6).map("".join))


def encoded(pairs: list[tuple[str, str]]) -> str:
    """Encode a form; lone surrogates become their bytes."""
    return "&".join(
        f"{quote(name)}={quote(value, safe='', errors='surrogatepass')}"
        for name, value in pairs
    )


@pytest.fixture
def fuzz_client(make_app: MakeApp, editor: ApiClient) -> FlaskClient:
    return make_app().test_client()


NAMES = (
    "kind",
    "format",
    "with",
    "without",
    "match",
    *PARAMETERS,
)


@EXAMPLES
@given(st.lists(st.tuples(st.sampled_from(NAMES), TEXTS), max_size=6), st.booleans())
def test_feed_builder_survives_any_parameters(
    fuzz_client: FlaskClient, pairs: list[tuple[str, str]], named: bool
) -> None:
    known = [("kind", "events"), ("format", "rss")] if named else []
    response = fuzz_client.get("/feeds/build", query_string=encoded([*known, *pairs]))
    assert response.status_code in (303, 400), response.text
    assert response.headers.get("Location", "").isascii()


@EXAMPLES
@given(st.binary(max_size=100))
def test_feed_builder_survives_any_bytes(
    fuzz_client: FlaskClient, query: bytes
) -> None:
    environ = EnvironBuilder(path="/feeds/build").get_environ()
    environ["QUERY_STRING"] = query.decode("latin-1")
    response: Any = Client(fuzz_client.application).open(environ)
    assert response.status_code in (303, 400), response.text
