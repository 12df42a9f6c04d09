"""A service written by hand with Flask, sqlite3 and feedgen, without a cache."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime

from feedgen.feed import FeedGenerator
from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

app = Flask(__name__)
DATABASE = os.environ.get("BASELINE_DATABASE", "")


def fill(path: str, bodies: Iterable[str]) -> None:
    """Make the database, with articles that have these bodies."""
    with sqlite3.connect(path) as connection:
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
    """Answer that the service is ready."""
    return "ready"


@app.get("/feeds/news.rss")
def news() -> ResponseReturnValue:
    """Return the newest 50 articles."""
    connection = sqlite3.connect(DATABASE)
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
    response = Response(generator.rss_str(), mimetype="application/rss+xml")
    response.add_etag()
    return response.make_conditional(request)
