"""A service as one writes it by hand: Flask, SQLAlchemy and feedgen, without a cache."""

import gzip
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from feedgen.feed import FeedGenerator
from flask import Flask, Response, abort, jsonify, request
from sqlalchemy import Index, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from werkzeug.wrappers import Response as AnyResponse

SITE = "https://portal.example"

app = Flask(__name__)
engine = create_engine(f"sqlite:///{os.environ.get('BENCH_DATABASE', ':memory:')}")


class Base(DeclarativeBase):
    """The base class of the table."""


class Article(Base):
    """An article; Django's model has the same table."""

    __tablename__ = "articles"
    id: Mapped[str] = mapped_column(primary_key=True)
    category: Mapped[str]
    title: Mapped[str]
    summary: Mapped[str]
    content_html: Mapped[str]
    published: Mapped[datetime]
    __table_args__ = (Index("ix_articles", "category", "published"),)


@app.get("/feeds/news/<category>.<any(rss, atom, json):suffix>")
def get_feed(category: str, suffix: str) -> AnyResponse:
    """Return the newest 50 articles of a category, with gzip for who accepts it."""
    query = select(Article).where(Article.category == category)
    query = query.order_by(Article.published.desc()).limit(50)
    with Session(engine) as session:
        articles = session.scalars(query).all()
    if suffix == "json":
        response = jsonify(make_json(category, articles))
    else:
        generator = make_generator(category, articles)
        body = generator.rss_str() if suffix == "rss" else generator.atom_str()
        response = Response(body, mimetype=f"application/{suffix}+xml")
    if request.accept_encodings.quality("gzip"):
        response.data = gzip.compress(response.data, 6, mtime=0)
        response.content_encoding = "gzip"
    response.add_etag()
    return response.make_conditional(request)


@app.put("/api/v1/articles/<id>")
def put_article(id: str) -> tuple[dict[str, str], int]:
    """Store an article."""
    authorization = request.authorization
    if not authorization or authorization.token != os.environ["BENCH_TOKEN"]:
        abort(401)
    with Session(engine) as session:
        session.merge(make_article(id, request.get_json()))
        session.commit()
    return {"id": id}, 201


def make_article(id: str, document: dict[str, Any]) -> Article:
    """Return the article of a body of PUT."""
    return Article(
        id=id,
        category=document["categories"][0],
        title=document["title"],
        summary=document["summary"],
        content_html=document["content_html"],
        published=datetime.fromisoformat(document["date_published"]),
    )


def make_generator(category: str, articles: Sequence[Article]) -> FeedGenerator:
    """Return feedgen's feed, which it writes as RSS or Atom."""
    generator = FeedGenerator()
    generator.id(f"{SITE}/feeds/news/{category}")
    generator.title(category)
    generator.description(category)
    generator.link(href=SITE)
    # The time of the response, feedgen's default, would change the ETag each second.
    generator.updated(articles[0].published.replace(tzinfo=UTC))
    for article in articles:
        url = f"{SITE}/entries/{article.id}"
        published = article.published.replace(tzinfo=UTC)
        entry = generator.add_entry(order="append")
        entry.guid(url)
        entry.title(article.title)
        entry.link(href=url)
        entry.description(article.summary, isSummary=True)
        entry.content(article.content_html, type="CDATA")
        entry.category(term=category)
        entry.published(published)
        entry.updated(published)
    return generator


def make_json(category: str, articles: Sequence[Article]) -> dict[str, object]:
    """Return a JSON Feed."""
    items = [
        {
            "id": article.id,
            "url": f"{SITE}/entries/{article.id}",
            "title": article.title,
            "summary": article.summary,
            "content_html": article.content_html,
            "tags": [category],
            "date_published": article.published.replace(tzinfo=UTC).isoformat(),
        }
        for article in articles
    ]
    version = "https://jsonfeed.org/version/1.1"
    return {"version": version, "title": category, "items": items}


def create_table(url: str, articles: Sequence[Article]) -> None:
    """Create the table, for Django too."""
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(articles)
        session.commit()
