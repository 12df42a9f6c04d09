"""A peer written by hand: Flask, sqlite3 and feedgen, a feed made for each request."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

from feedgen.feed import FeedGenerator
from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

app = Flask(__name__)
FILE = os.environ.get("PEER_DB", "")


def fill(file: str, bodies: Iterable[str]) -> None:
    """Make the peer's database of articles with such bodies."""
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE articles (id INTEGER PRIMARY KEY, title, body, published)"
        )
        rows = [
            (f"Bài {n}", body, datetime.now(UTC).isoformat())
            for n, body in enumerate(bodies)
        ]
        connection.executemany(
            "INSERT INTO articles (title, body, published) VALUES (?, ?, ?)", rows
        )
    connection.close()


@app.get("/readyz")
def ready() -> str:
    """It serves."""
    return "ready"


@app.get("/feeds/news.rss")
def news() -> ResponseReturnValue:
    """The newest 50 articles."""
    connection = sqlite3.connect(FILE)
    rows = connection.execute(
        "SELECT * FROM articles ORDER BY published DESC LIMIT 50"
    ).fetchall()
    connection.close()
    generator = FeedGenerator()
    generator.title("Tin")
    generator.link(href="http://localhost/", rel="alternate")
    generator.description("Tin tức")
    for id, title, body, published in rows:
        item = generator.add_entry(order="append")
        item.guid(f"http://localhost/{id}")
        item.title(title)
        item.link(href=f"http://localhost/{id}")
        item.content(body, type="html")
        item.published(published)
    answer = Response(generator.rss_str(), mimetype="application/rss+xml")
    answer.add_etag()
    return answer.make_conditional(request)
