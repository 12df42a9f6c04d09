"""Imports of any format: repeated, edited, deleted, invalid and duplicate entries."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import feedparser
import pytest
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.storage.database import Database
from tests.commands import invoke
from tests.conformance import findings
from tests.conftest import ApiClient
from tests.fake_clock import Clock
from tests.importers.helpers import (
    FILES,
    FIXTURES,
    import_file,
    rss_feed,
    stored_entries,
)


@pytest.mark.parametrize("name", FILES)
def test_repeated_import_writes_nothing(
    app: Flask, database: Database, clock: Clock, name: str
) -> None:
    count, guid = FILES[name]
    data = (FIXTURES / name).read_bytes()
    kind = "events" if name.endswith("ics") else "news"
    assert (
        f"{count} new, 0 changed, 0 unchanged" in import_file(app, data).stdout
    )
    before, revisions = stored_entries(app, kind), database.revisions
    clock.forward(hours=1)
    assert (
        f"0 new, 0 changed, {count} unchanged" in import_file(app, data).stdout
    )
    assert stored_entries(app, kind) == before
    assert database.revisions == revisions, "an unchanged entry writes nothing"
    assert guid in before
    assert len(before) == count


def test_import_refuses_longer_content_as_the_api_does(app: Flask) -> None:
    body = "chữ " * 60_000
    item = f"<item><guid>g</guid><title>Dài</title><description>{body}</description></item>"
    warnings = import_file(app, rss_feed(item)).stderr
    assert (
        "skipped: “Dài”: content_html: Longer than 262,144 bytes" in warnings
    )
    assert stored_entries(app, "news") == {}


@pytest.mark.parametrize(
    "reference",
    ["&amp;#xFFFD;", "&amp;#0;", "&amp;#1;", "a" + "&amp;#x301;" * 40],
)
def test_item_without_title_does_not_stop_the_import(
    app: Flask, reference: str
) -> None:
    items = (
        "<item><title>Tốt</title><guid>1</guid></item>"
        f"<item><guid>2</guid><description>&lt;p&gt;{reference} chữ&lt;/p&gt;</description></item>"
        "<item><title>Cũng tốt</title><guid>3</guid></item>"
    )
    import_file(app, rss_feed(items))
    assert {"1", "3"} <= stored_entries(app, "news").keys()


def test_first_entry_of_a_duplicate_guid_wins(app: Flask) -> None:
    data = rss_feed(
        "<item><guid>g</guid><title>Một</title></item><item><guid>g</guid><title>Hai</title></item>"
    )
    assert (
        "1 new, 0 changed, 0 unchanged, 1 skipped"
        in import_file(app, data).stdout
    )
    assert stored_entries(app, "news")["g"]["title"] == "Một"


def test_entry_without_a_usable_guid_is_skipped(app: Flask) -> None:
    item = f"<item><title>Một</title><guid>{'g' * 1001}</guid></item>"
    result = import_file(app, rss_feed(item))
    assert "0 new, 0 changed, 0 unchanged, 1 skipped" in result.stdout
    assert (
        "skipped: “Một”: guid: Longer than 1,000 characters." in result.stderr
    )


def test_warnings_cannot_control_the_terminal(app: Flask) -> None:
    # click removes colours itself if the output is no terminal.
    item = "<item><title>Một\x1b]0;x\x07</title><link>ftp://a</link></item>"
    result = import_file(app, rss_feed(item))
    assert "left out: url of “Một" in result.stderr
    assert "\x1b" not in result.stderr


def test_invalid_fields_are_left_out_with_warning(app: Flask) -> None:
    items = (
        "<item><guid>a</guid><title>Ảnh sai</title><category>🎉</category><category>Tin</category>"
        '<enclosure url="javascript:alert(1)" type="image/png"/></item>'
        "<item><guid>b</guid><title>Tệp sai</title>"
        '<enclosure url="https://a.example/b" type="a b"/></item>'
        "<item><guid>c</guid></item>"
    )
    result = import_file(app, rss_feed(items))
    assert "2 new, 0 changed, 0 unchanged, 1 skipped" in result.stdout
    for line in (
        "left out: image/url of “Ảnh sai”: ",
        "left out: category “🎉”: ",
        "left out: attachments/0/mime_type of “Tệp sai”: ",
        "skipped: “c”: title: Missing data for required field.",
    ):
        assert line in result.stderr, line
    assert stored_entries(app, "news")["a"]["categories"] == ["tin"]


def test_html_that_takes_a_parser_seconds_is_skipped(app: Flask) -> None:
    description = f"<![CDATA[<p>{'&' * 80_000}</p>]]>"
    item = f"<title>Dài</title><description>{description}</description>"
    result = import_file(app, rss_feed(f"<item><guid>a</guid>{item}</item>"))
    assert "1 skipped" in result.stdout
    assert "skipped: “Dài”: content_html: Too many “&”" in result.stderr


ATTRIBUTES = " ".join(f"a{number}='x'" for number in range(1_001))
CATEGORIES = "<category>Tin</category>" * 1_001


@pytest.mark.parametrize(
    "item", [f"<item {ATTRIBUTES}/>", f"<item>{CATEGORIES}</item>"]
)
def test_feed_that_takes_hours_is_refused(app: Flask, item: str) -> None:
    result = invoke(app, "import", "-", input=rss_feed(item))
    assert result.exit_code == 1
    assert "more than 1,000 attributes or categories" in result.stderr


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<html><body>404</body></html>",
        b'{"a": 1}',
        b"[1]",
        b"# Feeds\n\nAn excerpt:\n\n    <item><title>Tin</title></item>\n",
    ],
)
def test_unknown_format_is_refused(app: Flask, data: bytes) -> None:
    result = invoke(app, "import", "-", input=data)
    assert result.exit_code == 1
    assert "The file is" in result.stderr


def test_changes_are_imported_but_deleted_entries_stay_deleted(
    app: Flask, editor: ApiClient
) -> None:
    data = (FIXTURES / "wordpress.rss").read_bytes()
    import_file(app, data)
    entries = stored_entries(app, "news")
    market, power = (
        entries[f"https://vensong.example/?p={number}"]["id"]
        for number in (812, 807)
    )
    editor.send("DELETE", f"/articles/{power}")
    editor.send("PATCH", "/categories/doi-song", {"slug": "doi-song-moi"})
    editor.send("DELETE", "/categories/van-hoa-du-lich")
    result = import_file(app, data.replace(b"40 gian", b"50 gian"))
    assert "0 new, 1 changed, 0 unchanged, 1 skipped" in result.stdout
    assert "it was deleted here" in result.stderr
    changed: dict[str, Any] = editor.send(
        "GET", f"/articles/{market}"
    ).get_json()
    assert changed["title"].endswith("50 gian hàng")
    assert changed["categories"] == ["doi-song-moi"], (
        "a renamed category is followed, and a deleted one stays deleted"
    )
    assert changed["version"] == 2


@pytest.mark.parametrize(
    "change",
    [{"status": "draft"}, {"title": "Sửa lại"}, {"summary": "Sửa lại"}],
)
def test_edited_entry_is_not_overwritten(
    app: Flask, editor: ApiClient, change: dict[str, Any]
) -> None:
    data = (FIXTURES / "drupal.rss").read_bytes()
    import_file(app, data)
    (entry,) = stored_entries(app, "news").values()
    edited = editor.send(
        "PATCH", f"/articles/{entry['id']}", change
    ).get_json()
    assert edited["version"] == 2
    result = import_file(
        app, data.replace(b"G\xe1\xbb\x91m", b"G\xe1\xba\xa1ch")
    )
    assert "0 new, 0 changed, 0 unchanged, 1 skipped" in result.stdout
    assert (
        "skipped: “Triển lãm gốm Bát Tràng”: it was edited here"
        in result.stderr
    )
    assert editor.send("GET", f"/articles/{entry['id']}").get_json() == edited


def test_entry_changed_by_the_service_is_updated(
    app: Flask, tick: Callable[[], None], editor: ApiClient, clock: Clock
) -> None:
    items = "<item><guid>g</guid><title>Một</title><category>Xã hội</category>{}</item>"
    body = "<description>&lt;p&gt;x&lt;/p&gt;</description>"
    tomorrow = "<pubDate>2026-11-26T10:00:00Z</pubDate>"
    import_file(app, rss_feed(items.format(body + tomorrow)))
    clock.forward(days=2)
    tick()
    editor.send("PATCH", "/categories/xa-hoi", {"slug": "doi-song"})
    result = import_file(
        app,
        rss_feed(items.format(body.replace("x&lt;/", "y&lt;/") + tomorrow)),
    )
    assert "0 new, 1 changed, 0 unchanged, 0 skipped" in result.stdout


ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><id>a</id><title>A</title><updated>2020-01-01T00:00:00Z</updated>
<entry><id>tag:a,1</id><title>Một</title><published>2010-05-06T07:08:09Z</published><updated>{}</updated></entry></feed>"""


RSS = """<rss version="2.0"><channel><title>A</title><item><guid isPermaLink="false">tag:a,1</guid><title>Một</title>
<pubDate>Thu, 06 May 2010 07:08:09 +0000</pubDate></item></channel></rss>"""


CALENDAR = """BEGIN:VCALENDAR
BEGIN:VEVENT
UID:tag:a,1
SUMMARY:Một
DTSTART:20270101T120000Z
CREATED:20100506T070809Z
DTSTAMP:20150101T000000Z
{}END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize("delete", [False, True])
def test_entry_posted_before_its_import_stays_as_it_is(
    app: Flask, editor: ApiClient, delete: bool
) -> None:
    guid = "https://blog.example/?p=7"
    # The id that an import gives, as a CMS does for entries that are imported later.
    path = f"/articles/{uuid.uuid5(uuid.NAMESPACE_URL, guid).hex}"
    posted = editor.put(path, {"title": "Mới"}).get_json()
    if delete:
        editor.send("DELETE", path)
    # Under its guid too.
    for source in (guid, posted["guid"]):
        item = f"<item><title>Cũ</title><guid>{source}</guid></item>"
        result = import_file(app, rss_feed(item))
        assert "0 new, 0 changed, 0 unchanged, 1 skipped" in result.stdout
        reason = "deleted" if delete else "edited"
        assert f"skipped: “Cũ”: it was {reason} here" in result.stderr
    if not delete:
        assert editor.send("GET", path).get_json() == posted


@pytest.mark.parametrize(
    ("file", "updated"),
    [
        (ATOM.format("2011-02-03T04:05:06Z"), "2011-02-03T04:05:06Z"),
        (ATOM.format("2009-02-03T04:05:06Z"), "2010-05-06T07:08:09Z"),
        (ATOM.format("gestern"), "2010-05-06T07:08:09Z"),
        (RSS, "2010-05-06T07:08:09Z"),
        (
            CALENDAR.format("LAST-MODIFIED:20110203T040506Z\n"),
            "2011-02-03T04:05:06Z",
        ),
        (CALENDAR.format(""), "2015-01-01T00:00:00Z"),
    ],
)
def test_date_modified_is_that_of_the_source(
    app: Flask,
    client: FlaskClient,
    clock: Clock,
    editor: ApiClient,
    file: str,
    updated: str,
) -> None:
    clock.forward(hours=1)
    import_file(app, file.encode())
    kind = "events" if file.startswith("BEGIN") else "news"
    (entry,) = stored_entries(app, kind).values()
    assert entry["date_modified"] == updated
    feed = client.get(f"/feeds/{kind}.json").get_json(force=True)
    shown = datetime.fromisoformat(feed["items"][0]["date_modified"])
    assert shown == datetime.fromisoformat(updated)
    path = f"/{'articles' if kind == 'news' else kind}/{entry['id']}"
    edited = editor.send("PATCH", path, {"title": "Hai"}).get_json()
    assert edited["date_modified"] > "2026"


def test_date_modified_is_never_in_the_future(
    app: Flask, clock: Clock
) -> None:
    import_file(app, ATOM.format("2037-02-03T04:05:06Z").encode())
    (entry,) = stored_entries(app, "news").values()
    assert datetime.fromisoformat(
        entry["date_modified"]
    ) - clock.now < timedelta(seconds=1)


def test_guid_that_is_no_uri_becomes_a_urn_in_atom(
    app: Flask, client: FlaskClient
) -> None:
    guid = FILES["drupal.rss"][1]
    import_file(app, (FIXTURES / "drupal.rss").read_bytes())
    in_rss, in_atom = (
        client.get(f"/feeds/news.{form}").data for form in ("rss", "atom")
    )
    assert feedparser.parse(in_rss).entries[0].id == guid
    assert f'"id": "{guid}"' in client.get("/feeds/news.json").text
    assert (
        feedparser.parse(in_atom).entries[0].id
        == uuid.uuid5(uuid.NAMESPACE_URL, guid).urn
    )
    assert findings(in_atom, "application/atom+xml") == []
