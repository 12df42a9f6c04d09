"""Hostile and careless input is refused at once, or unchanged when it is put back."""

import json
import time
from typing import Any

import feedparser
import pytest
from flask.testing import FlaskClient

from feedsvc.feeds.query import FORMATS
from tests.api.problems import errors, pointers
from tests.conftest import ApiClient, MakeApp
from tests.data import read_tables
from tests.text_everywhere import event_with


@pytest.mark.parametrize("members", read_tables("api")["kept"], ids=str)
def test_put_of_what_was_read_writes_nothing(
    shared_editor: ApiClient, members: dict[str, str]
) -> None:
    document = {"title": "x", "start": "2027-01-01T00:00:00", **members}
    first = shared_editor.put("/events/event", document).get_json()
    assert shared_editor.send("GET", "/events/event").get_json() == first
    assert shared_editor.put("/events/event", first).get_json() == first


MARKS = "a" + "\u0301\u0316" * 170_000
PARAGRAPHS = "x</p>" + "<p>x</p>" * 3000


@pytest.mark.parametrize(
    "members",
    [
        {"title": MARKS},
        {f"k{n}": 1 for n in range(999)},
        *(
            {"content_html": html}
            for html in (
                MARKS,
                "<p>" + "".join(f'<b title="{n}{"y" * 1000}">' for n in range(200)) + PARAGRAPHS,
                "<p>" + "".join(f'<b title="</b>{n}{"y" * 1000}">' for n in range(200)) + PARAGRAPHS,
                "<div></x>" * 4900,
                "<rt>" * 9900,
                "<p " + " ".join(f"a{n:x}" for n in range(155_000)) + ">x</p>",
                "<p " + "".join(f'a{n:x}=""' for n in range(100_000)) + ">x</p>",
                "".join(f'<b title="</b>{n}">' for n in range(4999)),
                "".join(f"<b title={n}><!--</b>-->" for n in range(3000)) + PARAGRAPHS,
                '<div title="</div>">' * 4999,
            )
        ),
    ],
    ids=lambda members: str(members)[:60],
)  # fmt: skip
def test_expensive_input_is_refused_quickly(
    shared_editor: ApiClient, members: dict[str, Any]
) -> None:
    document = {"title": "a", **members}
    body = json.dumps(document, ensure_ascii=False).encode()
    begun = time.thread_time()
    answer = shared_editor.send(
        "PUT", "/articles/a", data=body, content_type="application/json"
    )
    assert len(pointers(answer)) <= 500
    # A generous limit: each takes a fraction of a second.
    assert time.thread_time() - begun < 5


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
        "\u00b0" * 80_000,
    ],
    ids=lambda html: html[:12],
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
    many = {f"k{n}": 1 for n in range(1001)}
    for document in (many, {"source": many}, [many]):
        answer = shared_editor.send(method, path, document)
        assert answer.status_code == 400
        assert "more than 1,000 members" in answer.get_json()["detail"]


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
