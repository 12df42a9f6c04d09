"""Hostile and careless input is refused at once, or unchanged when it is put back."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import feedparser
import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from tests.api.problems import errors, pointers
from tests.conftest import ApiClient, MakeApp
from tests.text_everywhere import event_with

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "document",
    [
        {"title": "e\u202a\u0301 \u202e"},
        {"title": "x", "content_html": "<p>e&#x301;</p>"},
        {"title": "x", "content_html": "<pre>\n\n\na</pre><pre>b</pre>"},
        {"title": "x", "content_html": "<a><table><tr><td><a>x</table>"},
        {"title": "x", "content_html": "<table><b>x<tr><td>y"},
        {
            "title": "x",
            "content_text": " a\r\n\r\nb ",
            "date_published": "1970-01-01T00:00:00Z",
        },
        {
            "title": "x",
            "start": "2027-03-14T02:30:00",
            "timezone": "America/New_York",
        },
        {
            "title": "x",
            "start": "2027-11-07T01:30:00-05:00",
            "timezone": "America/New_York",
        },
        {
            "title": "x",
            "start": "1971-01-01T00:00:00",
            "timezone": "Africa/Monrovia",
        },
        {
            "title": "x",
            "start": "1970-01-02",
            "end": "2200-12-31",
            "timezone": "Pacific/Kiritimati",
        },
    ],
)
def test_put_of_what_was_read_writes_nothing(
    shared_editor: ApiClient, document: dict[str, Any]
) -> None:
    path = "/events/event" if "start" in document else "/articles/article"
    first = shared_editor.put(path, document).get_json()
    assert shared_editor.send("GET", path).get_json() == first
    assert shared_editor.put(path, first).get_json() == first


def test_both_passes_of_a_repeated_hour_are_kept_apart(
    editor: ApiClient, client: FlaskClient
) -> None:
    event = {"title": "x", "timezone": "America/New_York"}
    editor.put("/events/a", {**event, "start": "2027-11-07T01:30:00-04:00"})
    later = "2027-11-07T01:30:00-05:00"
    moved = editor.put("/events/a", {**event, "start": later}).get_json()
    assert moved["start"] == later
    assert moved["version"] == 2
    earlier = "2027-11-07T01:30:00-04:00"
    editor.put("/events/a", {**event, "start": earlier, "end": later})
    assert "01:30 – 01:30" in client.get("/feeds/events.rss").text


@pytest.mark.parametrize(
    "document",
    [
        {"title": "a" + "\u0301\u0316" * 170_000},
        {"title": "a", "content_html": "a" + "\u0301\u0316" * 170_000},
        {"title": "a", "content_html": "<p>" + "".join(f'<b title="{n}{"y" * 1000}">' for n in range(200)) + "x</p>" + "<p>x</p>" * 3000},
        {"title": "a", "content_html": "<div></x>" * 4900},
        {"title": "a", "content_html": "<rt>" * 9900},
        {"title": "a", "content_html": "<p " + " ".join(f"a{n:x}" for n in range(155_000)) + ">x</p>"},
        {"title": "a", "content_html": "<p>" + "".join(f'<b title="</b>{n}{"y" * 1000}">' for n in range(200)) + "x</p>" + "<p>x</p>" * 3000},
        {"title": "a", "content_html": "".join(f'<b title="</b>{n}">' for n in range(4999))},
        {"title": "a", "content_html": "".join(f"<b title={n}><!--</b>-->" for n in range(3000)) + "<p>x</p>" * 1000},
        {"title": "a", "content_html": "<p " + "".join(f'a{n:x}=""' for n in range(100_000)) + ">x</p>"},
        {"title": "a", "content_html": '<div title="</div>">' * 4999},
        {f"k{n}": 1 for n in range(1000)},
    ],
    ids=[
        "title", "marks", "formatting", "unmatched", "ruby", "attributes", "end-in-quotes",
        "end-in-quotes-nested", "end-in-comment", "no-spaces", "depth-in-quotes", "members",
    ],
)  # fmt: skip
def test_expensive_input_is_refused_quickly(
    shared_editor: ApiClient, document: dict[str, Any]
) -> None:
    body = json.dumps(document, ensure_ascii=False).encode()
    begun = time.thread_time()
    answer = shared_editor.send("PUT", "/articles/a", data=body, headers=JSON)
    assert len(pointers(answer)) <= 500
    assert time.thread_time() - begun < 5, (
        "a generous limit: each takes a fraction of a second"
    )


@pytest.mark.parametrize(
    "html",
    [
        "&" * 80_000,
        "&amp;" * 50_000,
        '<p title="' + "&" * 80_000 + '">x</p>',
        # What the sanitizer escapes, the next pass of the parser reads.
        ">" * 80_000,
        "<p title='" + '"' * 80_000 + "'>x</p>",
        "\u00a0" * 80_000,
    ],
    ids=[
        "ampersands",
        "references",
        "attribute",
        "greater",
        "quotes",
        "spaces",
    ],
)
def test_signs_that_take_a_parser_seconds_are_refused(
    shared_editor: ApiClient, html: str
) -> None:
    document = {"title": "x", "content_html": html}
    answer = shared_editor.send("PUT", "/articles/slow", document)
    assert errors(answer)["#/content_html"].startswith("Too many “&”")


def test_long_text_with_many_references_is_accepted(
    shared_editor: ApiClient,
) -> None:
    html = "\n".join(["<p>Cầu&nbsp;và đường &amp; hầm, “phố” cũ.</p>"] * 4000)
    document = {"title": "x", "content_html": html}
    answer = shared_editor.put("/articles/long", document)
    assert answer.get_json()["content_html"] == html


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "/articles/a"), ("PATCH", "/articles/a"), ("POST", "/batch")],
)
def test_object_with_more_than_a_thousand_members_is_400(
    shared_editor: ApiClient, method: str, path: str
) -> None:
    shared_editor.put("/articles/a", {"title": "x"})
    many = {f"k{n}": 1 for n in range(1001)}
    for document in (many, {"title": "x", "source": many}, [many]):
        answer = shared_editor.send(method, path, document)
        assert answer.status_code == 400
        assert (
            answer.get_json()["detail"]
            == "An object has more than 1,000 members."
        )


def test_category_text_is_escaped_for_rss_readers(
    editor: ApiClient, client: FlaskClient
) -> None:
    image = "<img src=x onerror=alert(1)>"
    category = {"title": "A <b>bold</b> &amp; x", "description": image}
    editor.put("/categories/x", category)
    channel = feedparser.parse(client.get("/feeds/news/x.rss").data).feed
    assert "A &lt;b&gt;bold&lt;/b&gt; &amp;amp; x" in channel.title
    assert channel.subtitle == "&lt;img src=x onerror=alert(1)&gt;"


@pytest.mark.parametrize("text", ["http://[::1", "http://\u2100.example/"])
def test_text_that_is_no_valid_url_is_shown_in_every_format(
    make_app: MakeApp, editor: ApiClient, text: str
) -> None:
    client = make_app(site_rights=text).test_client()
    editor.put("/categories/a", {"title": text, "description": text})
    editor.put("/events/e", event_with(text))
    feeds = [f"/feeds/events.{format}" for format in FORMATS]
    for path in (*feeds, "/entries/e", "/entries/e.ics", "/"):
        document = client.get(path).text
        assert text in document, path
        assert "license" not in document, path


def test_date_modified_is_never_before_date_published(
    editor: ApiClient,
) -> None:
    entry = editor.put("/articles/a", {"title": "x"}).get_json()
    modified, published = (
        datetime.fromisoformat(entry[name])
        for name in ("date_modified", "date_published")
    )
    assert modified >= published
