"""From an editor's PUT to a reader, over HTTP, against a gunicorn with two workers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
import requests

from feedsvc.models import SCOPES
from tests.integration.worker_process import connect_workers
from tests.server import ROOT, Service

PARAGRAPHS = [
    "Thời gian qua, hạ tầng số của thành phố được xây dựng đồng bộ, hiện đại.",
    "Mạng Wifi miễn phí đã có ở các điểm công cộng – từ quảng trường đến bến xe.",
    "Ông nói: “Dịch vụ công trực tuyến tiết kiệm thời gian cho người dân.”",
    "Báo Thủ đô Ví dụ.",
]
CAPTION = 'Lễ ký kết "Chương trình phối hợp" giai đoạn 2020-2025.'
ARTICLE = {
    "title": "Hạ tầng số là nền tảng phát triển Thủ đô",
    "url": "https://portal.example/tin/ha-tang-so",
    "content_html": "".join(f"<p>{paragraph}</p>" for paragraph in PARAGRAPHS),
    "image": {"url": "https://media.example/ky-ket.jpg", "caption": CAPTION},
    "source": {"name": "Báo Thủ đô Ví dụ"},
    "categories": ["truyen-thong"],
    "date_published": "2020-10-12T08:00:00",
}


@pytest.fixture
def portal(service: Service) -> Service:
    service.make_token(*SCOPES)
    for slug, title in (
        ("truyen-thong", "Thông tin – Truyền thông"),
        ("van-hoa", "Văn hoá"),
    ):
        assert (
            service.request(
                "PUT", f"/api/v1/categories/{slug}", {"title": title}
            ).status_code
            == 201
        )
    return service


def read(service: Service, path: str) -> Any:
    found = feedparser.parse(service.url + path)
    assert not found.bozo
    return found


def test_article_is_in_its_feeds(portal: Service) -> None:
    assert (
        portal.request("PUT", "/api/v1/articles/ha-tang-so", ARTICLE).status_code == 201
    )
    for path in (
        "/feeds/news.rss",
        "/feeds/news/truyen-thong.rss",
        "/feeds/news/truyen-thong.atom",
    ):
        (entry,) = read(portal, path).entries
        assert entry.title == ARTICLE["title"]
        assert entry.link == ARTICLE["url"]
        assert entry.published_parsed[:6] == (2020, 10, 12, 1, 0, 0)
        assert entry.tags[0].label or entry.tags[0].term == "Thông tin – Truyền thông"
        body = entry.content[0].value
        assert re.findall("<p>(.*?)</p>", body) == PARAGRAPHS, (
            "the newspaper is credited once"
        )
        assert body.count(ARTICLE["image"]["url"]) == 1  # type: ignore[index]
        assert CAPTION in body
        assert entry.media_content[0]["url"] == ARTICLE["image"]["url"]  # type: ignore[index]
    for path in (
        "/feeds/news/van-hoa.rss",
        "/feeds/events.rss",
        "/feeds/events/truyen-thong.atom",
    ):
        assert read(portal, path).entries == []
    page = portal.request("GET", "/entries/ha-tang-so")
    assert page.status_code == 200
    assert all(paragraph in page.text for paragraph in PARAGRAPHS)


def test_event_is_only_in_feeds_of_events(portal: Service) -> None:
    start = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)
    event = {
        "title": "Hoà nhạc",
        "start": start.isoformat(),
        "location": {"name": "Nhà hát Lớn"},
        "categories": ["van-hoa"],
    }
    assert portal.request("PUT", "/api/v1/events/hoa-nhac", event).status_code == 201
    for path in (
        "/feeds/events.rss",
        "/feeds/events.atom",
        "/feeds/events/van-hoa.rss",
    ):
        (entry,) = read(portal, path).entries
        assert "Nhà hát Lớn" in entry.summary.split(". ")[0]
        assert datetime.fromisoformat(entry.ev_startdate) == start
    for path in (
        "/feeds/news.rss",
        "/feeds/news.atom",
        "/feeds/news/van-hoa.rss",
        "/feeds/events/truyen-thong.rss",
    ):
        assert read(portal, path).entries == []


def test_workers_and_restarts_give_the_same_bytes(portal: Service) -> None:
    for number in range(5):
        portal.request(
            "PUT",
            f"/api/v1/articles/{number}",
            {**ARTICLE, "url": f"https://portal.example/{number}"},
        )
    event = {
        "title": "Hội",
        "start": "2030-12-24T19:00:00",
        "recurrence": {"rrule": "FREQ=WEEKLY;COUNT=9"},
    }
    portal.request("PUT", "/api/v1/events/e", event)
    time.sleep(1)
    paths = (
        *(
            f"/feeds/news/truyen-thong,-van-hoa.{form}"
            for form in ("rss", "atom", "json", "html")
        ),
        *(
            f"/feeds/events.{form}?when=all"
            for form in ("rss", "atom", "json", "html", "ics")
        ),
        "/feeds/news.atom?archive=2020-10",
        "/feeds.opml",
        "/",
        "/entries/3",
        "/entries/e",
    )

    def responses(path: str) -> set[tuple[bytes, str]]:
        answers = [worker.request("GET", path) for worker in workers]
        return {(answer.body, answer.headers["etag"]) for answer in answers}

    with connect_workers(portal) as workers:
        before = {path: responses(path) for path in paths}
    portal.stop()
    portal.environ |= {"PYTHONHASHSEED": "7", "TZ": "America/New_York"}
    portal.start()
    with connect_workers(portal) as workers:
        for path in paths:
            assert len(before[path]) == 1
            assert responses(path) == before[path]


def test_write_is_visible_in_all_workers_within_a_second(portal: Service) -> None:
    """Of both workers, whichever answers; a second and some more, for the machine may be busy."""
    for number in range(5):
        title = f"Bản {number}"
        assert portal.request("PUT", "/api/v1/articles/x", {"title": title}).ok
        stored = time.monotonic()
        seen = [read(portal, "/feeds/news.rss").entries[0].title for _ in range(6)]
        assert set(seen) <= {title, f"Bản {number - 1}"} or number == 0
        while time.monotonic() < stored + 1.5:
            time.sleep(0.1)
        assert {read(portal, "/feeds/news.rss").entries[0].title for _ in range(6)} == {
            title
        }
    assert portal.request("DELETE", "/api/v1/articles/x").status_code == 204
    time.sleep(1.5)
    assert {portal.request("GET", "/entries/x").status_code for _ in range(6)} == {410}


def test_gunicorn_settings_start_any_app(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text(
        "def app(environ, start_response):\n    return []\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--check-config",
            "-c",
            "python:feedsvc.server.gunicorn_conf",
            "other:app",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def test_sample_data_is_loaded_once(database_url: str) -> None:
    service = Service(database_url)
    first, second = service.command("demo"), service.command("demo")
    assert first.count("fsv_") == 1
    assert "fsv_" not in second
    assert "    .venv/bin/feedsvc token create NAME\n" in second
    assert f"{service.url}/feeds/news.rss" in second
    service.start()
    try:
        news, events = (
            read(service, f"/feeds/{kind}.rss").entries for kind in ("news", "events")
        )
        assert len(news) >= 10
        assert len(events) >= 8, "most lie ahead"
        listed = requests.get(f"{service.url}/api/v1/categories", timeout=5).json()[
            "categories"
        ]
        assert len(listed) >= 5
    finally:
        service.stop()
    samples = json.loads((ROOT / "feedsvc/cli/samples.json").read_text("utf-8"))
    assert len(samples["articles"]) >= 10
    assert len(samples["events"]) >= 10
    spans = [
        len(event["start"]) < 5 and event.get("end", "") for event in samples["events"]
    ]
    assert any(spans), "one over several days"
