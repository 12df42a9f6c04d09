"""Requests to the hub: errors are 4xx with a sentence (WebSub §5.1.2)."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from feedsvc.storage import Storage
from tests.conftest import ApiClient, MakeApp
from tests.websub.conftest import PUBLIC

TOPIC, CALLBACK = f"{PUBLIC}/feeds/news.rss", "https://partner.example/cb"
VALID = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.callback": CALLBACK}

INVALID: list[tuple[dict[str, Any], int, str]] = [
    ({"hub.mode": None}, 400, "hub.mode must be"),
    ({"hub.mode": ""}, 400, "hub.mode must be"),
    ({"hub.mode": "publish"}, 400, "hub.mode must be"),
    ({"hub.mode": "Subscribe"}, 400, "hub.mode must be"),
    ({"hub.mode": ["subscribe", "unsubscribe"]}, 400, "hub.mode is given twice"),
    ({"hub.topic": None}, 400, "hub.topic must be"),
    ({"hub.topic": [TOPIC, TOPIC]}, 400, "hub.topic is given twice"),
    ({"hub.topic": "https://elsewhere.example/feed"}, 400, f"of this service, {PUBLIC}/feeds/"),
    ({"hub.topic": f"{PUBLIC}.evil.example/feeds/news.rss"}, 400, "of this service"),
    ({"hub.topic": "http://feeds.example/feeds/news.rss"}, 400, "of this service"),
    ({"hub.topic": "/feeds/news.rss"}, 400, "of this service"),
    ({"hub.topic": f"{PUBLIC}/"}, 404, "There is no such feed"),
    ({"hub.topic": f"{PUBLIC}//["}, 400, "not valid"),
    ({"hub.topic": f"{PUBLIC}//[x]/feeds/news.rss"}, 400, "not valid"),
    ({"hub.topic": f"{PUBLIC}//[::1"}, 400, "not valid"),
    ({"hub.topic": f"{PUBLIC}//\uff0f@[/"}, 400, "not valid"),
    ({"hub.topic": f"{PUBLIC}/api/v1/changes"}, 404, "There is no such feed"),
    ({"hub.topic": f"{PUBLIC}/entries/a"}, 404, "There is no such feed"),
    ({"hub.topic": f"{PUBLIC}/feeds/news.xml"}, 404, "There is no such feed"),
    ({"hub.topic": f"{PUBLIC}/feeds/news.ics"}, 404, "There is no such feed"),
    ({"hub.topic": f"{PUBLIC}/feeds/weather.rss"}, 404, "There is no such feed"),
    ({"hub.topic": f"{PUBLIC}/feeds/news/a/b.rss"}, 404, "There is no such feed"),
    ({"hub.topic": f"{PUBLIC}/feeds/news/khong-co.rss"}, 404, "khong-co"),
    ({"hub.topic": f"{PUBLIC}/feeds/news/cu.rss"}, 404, "was renamed"),
    ({"hub.topic": f"{PUBLIC}/feeds/news/het.rss"}, 410, "het"),
    ({"hub.topic": f"{PUBLIC}/feeds/news/a%0D%0AX:y.rss"}, 400, "category filter"),
    ({"hub.topic": f"{TOPIC}?limit=0"}, 400, "limit"),
    ({"hub.topic": f"{TOPIC}?limit=1&limit=2"}, 400, "given twice"),
    ({"hub.topic": f"{TOPIC}?limit=50"}, 400, f"use {TOPIC}\n"),
    ({"hub.topic": f"{TOPIC}?utm_source=x"}, 400, f"use {TOPIC}\n"),
    ({"hub.topic": f"{TOPIC}?"}, 400, f"use {TOPIC}\n"),
    ({"hub.topic": f"{TOPIC}#x"}, 400, f"use {TOPIC}\n"),
    ({"hub.topic": f"{PUBLIC}/feeds/%6Eews.rss"}, 400, f"use {TOPIC}\n"),
    ({"hub.topic": f"{PUBLIC}/feeds/news/van-hoa,giao-thong.rss"}, 400, f"use {PUBLIC}/feeds/news/giao-thong,van-hoa.rss\n"),
    ({"hub.topic": f"{PUBLIC}/feeds/news/giao-thong%2Cvan-hoa.rss"}, 400, f"use {PUBLIC}/feeds/news/giao-thong,van-hoa.rss\n"),
    ({"hub.topic": f"{TOPIC}?content=summary&limit=50"}, 400, f"use {TOPIC}?content=summary\n"),
    ({"hub.topic": f"{TOPIC}?limit=5"}, 400, "no parameter but “content”"),
    ({"hub.topic": f"{TOPIC}?limit=2&content=summary"}, 400, "no parameter but “content”"),
    ({"hub.topic": f"{TOPIC}?lang=vi"}, 400, "no parameter but “content”"),
    ({"hub.topic": f"{TOPIC}?archive=2026-11"}, 400, "no parameter but “content”"),
    ({"hub.topic": f"{PUBLIC}/feeds/events.rss?from=2026-12-01&to=2026-12-31"}, 400, "no parameter but “content”"),
    ({"hub.topic": f"{PUBLIC}/feeds/events.ics?when=all"}, 400, "no parameter but “content”"),
    ({"hub.topic": f"{PUBLIC}/feeds/events/van-hoa.rss?order=start"}, 400, "no parameter but “content”"),
    ({"hub.topic": f"{PUBLIC}/feeds/news.html?ui=en"}, 400, "no parameter but “content”"),
    ({"hub.callback": None}, 400, "hub.callback must be"),
    ({"hub.callback": ["https://a.example/", "https://b.example/"]}, 400, "given twice"),
    ({"hub.callback": "partner.example/cb"}, 400, "hub.callback must be"),
    ({"hub.callback": "ftp://partner.example/cb"}, 400, "hub.callback must be"),
    ({"hub.callback": "javascript:alert(1)"}, 400, "hub.callback must be"),
    ({"hub.callback": "https://"}, 400, "hub.callback must be"),
    ({"hub.callback": "https://partner.example:99999/"}, 400, "hub.callback must be"),
    ({"hub.callback": "https://user:secret@partner.example/"}, 400, "hub.callback must be"),
    ({"hub.callback": "https://partner.example/a b"}, 400, "hub.callback must be"),
    ({"hub.callback": "https://partner.example/a\r\nX: y"}, 400, "hub.callback must be"),
    ({"hub.callback": "https://partner.example/\0"}, 400, "hub.callback must be"),
    ({"hub.callback": "https://partner.example/#x"}, 400, "without a fragment"),
    ({"hub.callback": "https://bạn.example/"}, 400, "Only ASCII"),
    ({"hub.callback": "https://①②⑦.0.0.1/"}, 400, "Only ASCII"),
    ({"hub.callback": "https://partner.example/" + "x" * 2048}, 400, "hub.callback must be"),
    ({"hub.callback": f"{PUBLIC}/hub"}, 400, "a URL of this service"),
    ({"hub.callback": "https://FEEDS.example:443/x"}, 400, "a URL of this service"),
    ({"hub.callback": "https://feeds.example./x"}, 400, "a URL of this service"),
    ({"hub.secret": "x" * 200}, 400, "less than 200 bytes"),
    ({"hub.secret": "ữ" * 67}, 400, "less than 200 bytes"),
    ({"hub.secret": "a\0b"}, 400, "printable"),
    ({"hub.secret": "a\nb"}, 400, "printable"),
    ({"hub.secret": ["a", "b"]}, 400, "given twice"),
    ({"hub.lease_seconds": "-1"}, 400, "whole number"),
    ({"hub.lease_seconds": "1.5"}, 400, "whole number"),
    ({"hub.lease_seconds": "forever"}, 400, "whole number"),
    ({"hub.lease_seconds": "٣٠٠"}, 400, "whole number"),
    ({"hub.x": "y" * 20000}, 413, "more than 16,384 bytes"),
]  # fmt: skip


@pytest.fixture
def hub_client(make_app: MakeApp, editor: ApiClient) -> FlaskClient:
    for slug in ("cu", "het"):
        editor.put(f"/categories/{slug}", {"title": slug})
    assert editor.send("PATCH", "/categories/cu", {"slug": "moi"}).status_code == 200
    assert editor.send("DELETE", "/categories/het").status_code == 204
    return make_app(rate_hub="1000/minute").test_client()


def test_invalid_request_is_assert_refused(
    hub_client: FlaskClient, storage: Storage
) -> None:
    for changes, status, sentence in INVALID:
        form = {
            name: value
            for name, value in (VALID | changes).items()
            if value is not None
        }
        assert_refused(
            hub_client.post(
                "/hub", data=urlencode(form, doseq=True), content_type=FORM
            ),
            status,
            sentence,
        )
    assert storage.subscriptions.stats()["requests"] == 0


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1:9000", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("10.0.0.7", "10.0.0.7"),
        ("[::1]:9000", "::1"),
        ("[::ffff:10.0.0.7]", "::ffff:10.0.0.7"),
        ("localhost:9000", "localhost"),
        ("LOCALHOST.", "localhost"),
        ("a.localhost", "a.localhost"),
        ("168.63.129.16", "168.63.129.16"),
    ],
)
def test_private_callback_is_refused_with_the_setting(
    private_hub: FlaskClient, host: str, address: str
) -> None:
    form = {**VALID, "hub.callback": f"http://{host}/cb"}
    for mode in ("subscribe", "unsubscribe"):
        answer = private_hub.post("/hub", data={**form, "hub.mode": mode})
        assert_refused(answer, 400, f"private address: {address} is called only")
        assert "FEEDSVC_ALLOW_PRIVATE_CALLBACKS=true" in answer.text


@pytest.mark.parametrize("host", ["93.184.215.14", "partner.example", "[2606:2800::1]"])
def test_other_callback_is_accepted(private_hub: FlaskClient, host: str) -> None:
    form = {**VALID, "hub.callback": f"https://{host}/cb"}
    assert private_hub.post("/hub", data=form).status_code == 202


@pytest.fixture
def private_hub(make_app: MakeApp, editor: ApiClient) -> FlaskClient:
    """Return a client of a hub with the default setting."""
    return make_app(allow_private_callbacks=False).test_client()


FORM = "application/x-www-form-urlencoded"


def assert_refused(response: Any, status: int, sentence: str) -> None:
    assert response.status_code == status, (sentence, response.text)
    assert sentence in response.text
    assert len(response.text) < 600
    assert response.text.count("\n") == 1
    assert response.mimetype == "text/plain"
    assert response.headers["Cache-Control"] == "no-store"
    assert "ETag" not in response.headers


@pytest.mark.parametrize("mode", ["subscribe", "unsubscribe"])
def test_valid_request_is_accepted(
    hub_client: FlaskClient, storage: Storage, mode: str
) -> None:
    for topic in (
        TOPIC,
        f"{PUBLIC}/feeds/news/giao-thong,van-hoa.rss",
        f"{TOPIC}?content=summary",
    ):
        for callback in (
            CALLBACK,
            "http://partner.example:8080/cb?x=%20&y",
            "https://partner.example",
        ):
            form = {
                "hub.mode": mode,
                "hub.topic": topic,
                "hub.callback": callback,
                "hub.secret": "x" * 199,
            }
            assert hub_client.post("/hub", data=form).status_code == 202
    # An unsubscription of nothing is responseed alike, and not stored.
    assert storage.subscriptions.stats()["requests"] == (
        9 if mode == "subscribe" else 0
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_other_methods_return_405(hub_client: FlaskClient, method: str) -> None:
    response = hub_client.open("/hub", method=method, query_string=VALID)
    assert_refused(response, 405, "POST")
    assert response.headers["Allow"] == "POST"


@pytest.mark.parametrize(
    "type", ["application/json", "multipart/form-data; boundary=x", "text/plain", ""]
)
def test_body_that_is_no_form_returns_415(hub_client: FlaskClient, type: str) -> None:
    assert_refused(
        hub_client.post("/hub", data=urlencode(VALID), content_type=type),
        415,
        "form-urlencoded",
    )


def test_encoded_or_chunked_body_is_assert_refused(hub_client: FlaskClient) -> None:
    encoded = hub_client.post(
        "/hub",
        data=urlencode(VALID),
        content_type=FORM,
        headers={"Content-Encoding": "gzip"},
    )
    assert_refused(encoded, 415, "form-urlencoded")
    builder = EnvironBuilder(path="/hub", method="POST", data=VALID)
    environ = builder.get_environ()
    del environ["CONTENT_LENGTH"]
    response = TestResponse(
        *run_wsgi_app(hub_client.application, environ), request=builder.get_request()
    )
    assert_refused(response, 411, "Content-Length")
