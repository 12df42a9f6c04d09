"""Imports of any format: repeated, edited, deleted, invalid and duplicate entries."""

import uuid
from typing import Any

import feedparser
import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.commands import invoke
from tests.conformance import findings
from tests.conftest import ApiClient
from tests.data.fixtures import Wait
from tests.extensions.importers.helpers import (
    EXPORTERS,
    import_file,
    import_item,
    rss_feed,
    stored_entries,
)


@pytest.mark.parametrize(
    ("item", "error"),
    [
        (f"<guid>{'g' * 1001}</guid>", "guid: Longer than 1,000 characters."),
        (
            f"<description>{'chữ ' * 60_000}</description>",
            "content_html: Longer than 262,144 bytes",
        ),
        (
            f"<description><![CDATA[<p>{'&' * 80_000}</p>]]></description>",
            "content_html: Too many “&”",
        ),
    ],
    ids=["guid", "content", "signs"],
)
def test_entry_that_the_api_would_refuse_is_skipped(
    app: Flask, item: str, error: str
) -> None:
    item = f"<item><title>Dài</title>{item}</item>"
    result = import_file(app, rss_feed(item))
    assert "0 new, 0 changed, 0 unchanged, 1 skipped" in result.stdout
    assert f"skipped: “Dài”: {error}" in result.stderr


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


ATTRIBUTES = " ".join(f"a{number}='x'" for number in range(1_001))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", "no RSS, Atom or iCalendar"),
        (b"<html><body>404</body></html>", "no RSS, Atom or iCalendar"),
        (b'{"a": 1}', "no RSS, Atom or iCalendar"),
        (b"# Feeds\n\n    <item><title>Tin</title></item>\n", "The file is"),
        # It was cut before the post's status.
        (
            b"<rss xmlns:wp='http://wordpress.org/export/1.2/' version='2.0'>"
            b"<channel><item><title>Tin</title>",
            "it is damaged, and may have drafts",
        ),
        (
            rss_feed("<item><wp:status>draft</wp:status></item>"),
            "it is damaged, and may have drafts",
        ),
        (
            rss_feed(f"<item {ATTRIBUTES}/>"),
            "more than 1,000 attributes or categories",
        ),
        (
            rss_feed(f"<item>{'<category>Tin</category>' * 1_001}</item>"),
            "more than 1,000 attributes or categories",
        ),
    ],
    ids=[
        "empty",
        "html",
        "json",
        "text",
        "cut",
        "drafts",
        "attributes",
        "categories",
    ],
)
def test_file_is_refused(app: Flask, data: bytes, error: str) -> None:
    result = invoke(app, "import", "-", input=data)
    assert result.exit_code == 1
    assert error in result.stderr


def test_changes_are_imported_but_deleted_entries_stay_deleted(
    app: Flask, editor: ApiClient
) -> None:
    data = (EXPORTERS / "wordpress.rss").read_bytes()
    import_file(app, data)
    guid = "https://vensong.example/?p={}"
    before = stored_entries(app, "news")
    editor.send("DELETE", f"/articles/{before[guid.format(807)]['id']}")
    editor.send("PATCH", "/categories/doi-song", {"slug": "doi-song-moi"})
    deleted = "/categories/van-hoa-du-lich"
    category = editor.send("GET", deleted).get_json()
    assert category["title"] == "Văn hóa & Du lịch"
    editor.send("DELETE", deleted)
    result = import_file(app, data.replace(b"40 gian", b"50 gian"))
    assert "0 new, 1 changed, 0 unchanged, 1 skipped" in result.stdout
    assert "it was deleted here" in result.stderr
    changed = stored_entries(app, "news")[guid.format(812)]
    assert changed["title"].endswith("50 gian hàng")
    # A renamed category is followed, and a deleted one stays deleted.
    assert changed["categories"] == ["doi-song-moi"]
    assert changed["version"] == 2


@pytest.mark.parametrize(
    "change",
    [{"status": "draft"}, {"title": "Sửa lại"}, {"summary": "Sửa lại"}],
)
def test_edited_entry_is_not_overwritten(
    app: Flask, editor: ApiClient, change: dict[str, Any]
) -> None:
    path = f"/articles/{import_item(app, '<title>Một</title>')['id']}"
    edited = editor.send("PATCH", path, change).get_json()
    assert edited["version"] == 2
    item = "<item><guid>g</guid><title>Hai</title></item>"
    result = import_file(app, rss_feed(item))
    assert "0 new, 0 changed, 0 unchanged, 1 skipped" in result.stdout
    assert "skipped: “Hai”: it was edited here" in result.stderr
    assert editor.send("GET", path).get_json() == edited


def test_entry_changed_by_the_service_is_updated(
    app: Flask, editor: ApiClient, wait: Wait
) -> None:
    item = (
        "<title>{}</title><category>Xã hội</category>"
        "<pubDate>2026-11-26T10:00:00Z</pubDate>"
    )
    import_item(app, item.format("Một"))
    wait(days=2)
    editor.send("PATCH", "/categories/xa-hoi", {"slug": "doi-song"})
    assert import_item(app, item.format("Hai"))["title"] == "Hai"


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


def test_guid_that_is_no_uri_becomes_a_urn_in_atom(
    app: Flask, client: FlaskClient
) -> None:
    guid = "4711 at https://so-van-hoa.example"
    import_file(app, (EXPORTERS / "drupal.rss").read_bytes())
    feeds = {form: client.get(f"/feeds/news.{form}").data for form in ("rss", "atom")}
    ids = [feedparser.parse(feed).entries[0].id for feed in feeds.values()]
    assert ids == [guid, uuid.uuid5(uuid.NAMESPACE_URL, guid).urn]
    assert findings(feeds["atom"], "application/atom+xml") == []


def wordpress_export(elements: str) -> bytes:
    """Return an export with an item, which has elements of WordPress."""
    namespace = "http://wordpress.org/export/1.2/"
    item = f"<item><title>A</title><guid>g</guid>{elements}</item>"
    return (
        f"<rss xmlns:wp='{namespace}' version='2.0'><channel>{item}</channel></rss>"
    ).encode()


PUBLIC = "<wp:status>publish</wp:status>"


@pytest.mark.parametrize("elements", ["", "<wp:post_type>post</wp:post_type>"])
def test_item_of_wordpress_without_status_is_not_imported(
    app: Flask, elements: str
) -> None:
    data = wordpress_export(f"<wp:post_id>1</wp:post_id>{elements}")
    result = import_file(app, data)
    assert "0 new, 0 changed, 0 unchanged, 1 skipped" in result.stdout
    assert "skipped: “A”: it is not public (it has no status)" in result.stderr


def test_item_without_elements_of_wordpress_needs_no_status(app: Flask) -> None:
    import_file(app, wordpress_export(""))
    assert "g" in stored_entries(app, "news")


@pytest.mark.parametrize(
    "post_type",
    [
        "post",
        "page",
        "event",
        "events",
        "tribe_events",
        "ajde_events",
        "mec-events",
        "ai1ec_event",
        "event_listing",
    ],
)
def test_posts_pages_and_events_of_wordpress_are_imported(
    app: Flask, post_type: str
) -> None:
    import_file(
        app,
        wordpress_export(f"{PUBLIC}<wp:post_type>{post_type}</wp:post_type>"),
    )
    assert "g" in stored_entries(app, "news")


@pytest.mark.parametrize(
    "post_type",
    [
        "attachment",
        "tribe_venue",
        "tribe_organizer",
        "tribe_event_series",
        "event_venue",
        "event_organizer",
        "event-recurring",
        "eventbrite_ticket",
        "prevent",
    ],
)
def test_other_types_of_wordpress_are_not_imported(app: Flask, post_type: str) -> None:
    result = import_file(
        app,
        wordpress_export(f"{PUBLIC}<wp:post_type>{post_type}</wp:post_type>"),
    )
    assert "it is not public (post_type)" in result.stderr
    assert not stored_entries(app, "news")


def test_categories_of_a_site_of_wordpress_may_be_many(app: Flask) -> None:
    categories = "<wp:category><wp:cat_name>A</wp:cat_name></wp:category>" * 1_001
    data = wordpress_export(PUBLIC)
    import_file(app, data.replace(b"<item>", f"{categories}<item>".encode()))
    assert "g" in stored_entries(app, "news")


def test_notes_of_wordpress_do_not_change_an_import(app: Flask) -> None:
    data = wordpress_export(PUBLIC)
    import_file(app, data)
    note = "<wp:postmeta><wp:meta_key>title</wp:meta_key></wp:postmeta>"
    again = data.replace(b"</item>", f"{note * 20_000}</item>".encode())
    assert import_file(app, again).stdout.startswith("0 new, 0 changed, 1 unchanged")
