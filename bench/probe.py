"""Print CPU times of one version as JSON: run in the directory of its code.

    python probe.py DATABASE_URL TOKEN

It uses only what both versions have.
"""

import json
import os
import statistics
import sys
import time

from werkzeug.test import Client

from config import Config
from feedsvc.app import create_app
from feedsvc.services import get_services

ENTRIES = 50
CATEGORIES = 20
BODY = "<p>" + "Nội dung của bài. " * 80 + "</p>"


def main(url: str, token: str) -> None:
    """Measure PUTs and cold feeds in an empty database."""
    os.environ["FEEDSVC_DATABASE_URL"] = url
    os.environ["FEEDSVC_RATE_WRITES"] = "1000000/minute"
    app = create_app(Config.from_env())
    cache = get_services(app).cache
    # A thread reads the changes, which is no part of a request.
    cache.is_polled = True  # type: ignore[attr-defined]  # version 2
    cache.sync_on_read = False  # type: ignore[attr-defined]  # version 1
    client = Client(app)
    headers = {"Authorization": f"Bearer {token}"}

    def put(path: str, document: object) -> float:
        begin = time.thread_time()
        response = client.put(f"/api/v1{path}", json=document, headers=headers)
        assert response.status_code in (200, 201), response.text
        return time.thread_time() - begin

    def get(path: str) -> float:
        begin = time.thread_time()
        response = client.get(path)
        assert response.data.count(b"<item>") == ENTRIES
        return time.thread_time() - begin

    for number in range(CATEGORIES):
        put(f"/categories/c{number}", {"title": f"Mục {number}"})
    puts = []
    for number in range(CATEGORIES * ENTRIES):
        document = {
            "title": f"Bài {number}",
            "summary": f"Tóm tắt của bài {number}.",
            "content_html": BODY,
            "categories": [f"c{number % CATEGORIES}"],
        }
        puts.append(put(f"/articles/{number}", document))
    get("/feeds/news.rss")
    cold = [get(f"/feeds/news/c{number}.rss") for number in range(CATEGORIES)]
    after_a_write = []
    for number in range(CATEGORIES):
        put("/articles/0", {**document, "title": f"Lần {number}"})
        after_a_write.append(get("/feeds/news.rss"))
    samples = {"put": puts, "cold": cold, "after a write": after_a_write}
    print(
        json.dumps({name: statistics.median(x) * 1000 for name, x in samples.items()})
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
