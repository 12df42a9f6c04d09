"""Hub and self links in headers and documents (WebSub §4), and the former hub."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskClient
from lxml import etree

from config import Config, SettingError
from tests.conftest import ApiClient, MakeApp

PUBLIC = "https://feeds.example"
HUBS = ("https://hub.example/", "https://second.example/push?x=1")
CANONICAL = [
    f"/feeds/{feed}.{format}"
    for feed in ("news", "events", "news/van-hoa", "events/van-hoa")
    for format in ("rss", "atom", "json")
]
OTHERS = (
    "/feeds/news.html",
    "/feeds/events.ics",
    "/feeds/news/van-hoa.html",
    "/feeds/news/giao-thong,van-hoa.rss",
    "/feeds/news/-van-hoa.atom",
    "/feeds/news.json?content=summary",
    "/feeds/news.json?limit=3",
    "/feeds/news.rss?lang=vi",
    "/feeds/news/van-hoa.atom?limit=3&content=summary",
    "/feeds/events.rss?archive=2026-11",
    "/feeds/events.atom?when=all",
    "/feeds/events.json?order=start",
    "/feeds/events.ics?when=upcoming",
    "/feeds/news.html?ui=en",
)


@pytest.fixture
def hub_client(make_app: MakeApp, editor: ApiClient) -> FlaskClient:
    return make_app(hubs=HUBS).test_client()


def hubs_in_document(body: bytes, format: str) -> list[str]:
    if format == "json":
        return [
            hub["url"]
            for hub in json.loads(body).get("hubs", [])
            if hub["type"] == "WebSub"
        ]
    links = etree.fromstring(body).findall(".//{http://www.w3.org/2005/Atom}link")
    return [link.get("href") or "" for link in links if link.get("rel") == "hub"]


@pytest.mark.parametrize("path", OTHERS)
def test_other_feed_names_no_hub(hub_client: FlaskClient, path: str) -> None:
    response = hub_client.get(path)
    assert response.status_code == 200
    assert response.headers.getlist("Link") == [f'<{PUBLIC}{path}>; rel="self"']
    format = path.split("?")[0].rpartition(".")[2]
    if format in ("rss", "atom", "json"):
        assert hubs_in_document(response.data, format) == []


@pytest.mark.parametrize("path", CANONICAL)
def test_canonical_feed_names_its_hubs_and_one_self(
    hub_client: FlaskClient, path: str
) -> None:
    response = hub_client.get(path)
    assert response.headers.getlist("Link") == [
        f'<{PUBLIC}{path}>; rel="self"',
        *(f'<{hub}>; rel="hub"' for hub in HUBS),
    ]
    format = path.rpartition(".")[2]
    assert hubs_in_document(response.data, format) == list(HUBS)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_former_hub_answers_410(client: FlaskClient, method: str) -> None:
    response = client.open("/hub", method=method, data={"hub.mode": "subscribe"})
    assert response.status_code == 410
    assert "no longer a WebSub hub" in response.text


def test_hub_urls_are_not_normalized() -> None:
    config = Config.from_env(
        {"FEEDSVC_HUBS": " https://a.example/ ,https://b.example,https://a.example/"}
    )
    assert config.hubs == ("https://a.example/", "https://b.example")
    with pytest.raises(SettingError, match="FEEDSVC_HUBS: Must be an absolute"):
        Config.from_env({"FEEDSVC_HUBS": "https://a.example/,ftp://b.example"})
