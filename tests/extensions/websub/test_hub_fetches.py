"""A hub that fetches what it is told at once, behind deploy/nginx.conf."""

import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.conftest import CheckLimit
from tests.extensions.websub.hub import PUBLIC, Hub, feeds, run
from tests.integration.nginx import NGINX, nginx
from tests.server import Service
from tests.waiting import wait_until

CATEGORIES = ("c0", "c1", "c2", "c3")


@pytest.mark.skipif(not NGINX, reason="nginx is not installed")
@pytest.mark.both_databases
@pytest.mark.bar
@pytest.mark.parametrize("rounds", [1, pytest.param(25, marks=pytest.mark.soak)])
def test_hub_fetches_the_feed_with_the_change(
    database_url: str, rounds: int, tmp_path: Path, check_limit: CheckLimit
) -> None:
    """Two instances write articles, one in each category, behind one nginx."""
    urls = feeds(*(f"news/{slug}" for slug in CATEGORIES))
    fetched: dict[str, str] = {}
    told_at: dict[str, float] = {}
    with run(Hub()) as hub:
        environ = {"FEEDSVC_PUBLIC_URL": PUBLIC, "FEEDSVC_HUBS": hub.url}
        first, second = (Service(database_url, **environ) for _ in range(2))
        second.token = first.make_token()
        with first, second, nginx(tmp_path, first.port, second.port) as proxy:

            def get(url: str) -> str:
                response = requests.get(proxy + urlsplit(url).path, timeout=10)
                assert response.ok
                return response.text

            def fetch(url: str) -> None:
                told_at[url] = time.monotonic()
                fetched[url] = get(url)

            hub.fetch = fetch
            for slug in CATEGORIES:
                first.put(f"/categories/{slug}", {"title": slug})
            for turn in range(rounds):
                fetched.clear()
                for slug, service in zip(CATEGORIES, (first, second) * 2, strict=True):
                    # So that the proxy has the feeds from before the write.
                    for url in urls:
                        get(url)
                    article = {"title": f"Tin {turn}", "categories": [slug]}
                    service.put(f"/articles/{slug}", article)
                written = time.monotonic()

                def are_told() -> bool:
                    # Readers fetch them meanwhile.
                    for url in urls:
                        get(url)
                    return fetched.keys() >= urls.keys()

                wait_until(are_told)
                for url in urls:
                    assert f"Tin {turn}" in fetched[url]
                    delay = told_at[url] - written
                    check_limit("from a write to a hub", delay, 8)
    # Several changes of the section may be told together.
    assert hub.told.keys() == {*urls, *feeds("news")}
    assert {hub.told[url] for url in urls} == {rounds}
