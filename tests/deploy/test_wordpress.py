"""The plugin in a real WordPress: each action, and its effect on feeds and API."""

from __future__ import annotations

import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from feedsvc.cli.check import check_feed
from feedsvc.cli.feed_check.client import Client
from feedsvc.models import SCOPES
from tests.deploy.wordpress import WordPress, missing_packages, nonce
from tests.server import Service
from tests.waiting import wait_until

MISSING = missing_packages()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")

PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAA"
    "AABJRU5ErkJggg=="
)


class Site:
    """WordPress and the service that it sends to."""

    def __init__(self, wordpress: WordPress, service: Service) -> None:
        self.wordpress = wordpress
        self.service = service
        self._ids: dict[int, str] = {}

    def configure(self, url: str | None = None, token: str | None = None) -> None:
        """Set URL and token, by default those of the service."""
        self.wordpress.php(
            "update_option('feedsvc_settings', compact('url', 'token'));",
            url=url or self.service.url,
            token=token or self.service.token,
        )

    @contextmanager
    def settings(self, **settings: str) -> Iterator[None]:
        """Change settings for a while."""
        self.configure(**settings)
        yield
        self.configure()

    def entry_id(self, post: int) -> str:
        """Return the id that an import gives a post."""
        # Remembered, as a post that was deleted has no guid.
        if post not in self._ids:
            guid = self.wordpress.php("return get_the_guid($post);", post=post)
            self._ids[post] = uuid.uuid5(uuid.NAMESPACE_URL, guid).hex
        return self._ids[post]

    def get(self, post: int) -> requests.Response:
        path = f"/api/v1/articles/{self.entry_id(post)}"
        return self.service.request("GET", path)

    def entry(self, post: int) -> dict[str, Any]:
        response = self.get(post)
        assert response.status_code == 200, response.text
        entry: dict[str, Any] = response.json()
        return entry

    def titles(self) -> list[str]:
        """Return the titles of the news feed."""
        feed = requests.get(f"{self.service.url}/feeds/news.json?limit=200", timeout=9)
        return [item["title"] for item in feed.json()["items"]]

    def wait_for_feed(self, *titles: str, without: str = "") -> None:
        """Wait until the feed has some titles, and another one no longer.

        The other worker of the service may be behind for up to a second.
        """

        def is_so() -> bool:
            current = self.titles()
            return without not in current and set(titles) <= set(current)

        wait_until(is_so)

    def row(self, post: int) -> dict[str, str]:
        row: dict[str, str] = self.wordpress.php(
            "return feedsvc_row($post);", post=post
        )
        return row

    def deliver(self, post: int) -> None:
        """Wait until WP-Cron has sent a post, as visitors come."""

        def is_sent() -> bool:
            self.wordpress.visit()
            row = self.row(post)
            return not row or row["due"] is None

        wait_until(is_sent, 60)

    def save(self, **document: Any) -> int:
        """Create a post, published unless told otherwise."""
        post = self.wordpress.save(**document)
        self.entry_id(post)
        return post

    def publish(self, **document: Any) -> int:
        """Publish a post, and wait until it is sent."""
        post = self.save(**document)
        self.deliver(post)
        return post

    def change(self, post: int, **document: Any) -> None:
        """Change a post as the block editor does, and wait until that is sent."""
        self.wordpress.save(f"/posts/{post}", **document)
        self.deliver(post)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("wordpress")
    path = shutil.copy(sqlite_template, folder / "feedsvc.db")
    service = Service(f"sqlite:///{path}")
    service.make_token(*SCOPES)
    wordpress = WordPress(folder)
    try:
        service.start()
        wordpress.start()
        made = Site(wordpress, service)
        made.configure()
        yield made
        lines = wordpress.log.read_text().splitlines() if wordpress.log.exists() else []
        assert [line for line in lines if "feedsvc.php" in line] == []
    finally:
        wordpress.stop()
        service.stop()


def test_published_post_has_all_members(site: Site) -> None:
    parent = site.wordpress.save("/categories", name="Đời sống")
    child = site.wordpress.save(
        "/categories", name="Chợ & phố", slug="cho-pho", parent=parent
    )
    picture = site.wordpress.php(
        """require_once ABSPATH . 'wp-admin/includes/image.php';
        $file = wp_upload_bits('cau.png', null, base64_decode($data))['file'];
        $id = wp_insert_attachment(
            ['post_mime_type' => 'image/png', 'post_excerpt' => 'Nhìn từ <b>bờ bắc</b>'],
            $file);
        wp_update_attachment_metadata($id, wp_generate_attachment_metadata($id, $file));
        update_post_meta($id, '_wp_attachment_image_alt', 'Cầu "dây văng"');
        wp_update_user(['ID' => 1, 'display_name' => 'Nguyễn Lan']);
        return $id;""",
        data=PICTURE,
    )
    post = site.publish(
        title="<em>Chợ</em> Đồng Xuân &amp; phố cổ",
        content="<!-- wp:paragraph --><p>Một.</p><!-- /wp:paragraph -->\n[gallery ids=9]",
        excerpt="Chợ <b>mở</b> lại.",
        categories=[child],
        featured_media=picture,
        date_gmt="2026-10-01T05:06:07",
    )
    entry = site.entry(post)
    assert entry["title"] == "Chợ Đồng Xuân & phố cổ"
    assert entry["content_html"].startswith("<p>Một.</p>")
    assert "[gallery" not in entry["content_html"]
    assert entry["summary"] == "Chợ mở lại."
    assert entry["authors"] == [{"name": "Nguyễn Lan", "url": site.wordpress.url}]
    image = entry["image"]
    assert image.pop("url").startswith(f"{site.wordpress.url}/wp-content/uploads/")
    assert image == {
        "alt": 'Cầu "dây văng"',
        "caption": "Nhìn từ bờ bắc",
        "type": "image/png",
        "width": 1,
        "height": 1,
    }
    assert entry["categories"] == ["cho-pho"]
    assert entry["language"] == "en-US"
    assert entry["url"] == f"{site.wordpress.url}/2026/cho-dong-xuan-pho-co/"
    assert entry["date_published"] == "2026-10-01T05:06:07Z"
    categories = site.service.request("GET", "/api/v1/categories").json()["categories"]
    made = {category["slug"]: category for category in categories}
    assert made["cho-pho"]["title"] == "Chợ & phố"
    assert made["cho-pho"]["parent"] == "doi-song"
    site.wait_for_feed("Chợ Đồng Xuân & phố cổ")


def test_summary_of_post_without_excerpt_is_the_services(site: Site) -> None:
    post = site.publish(title="Không tóm tắt", content="<p>Đoạn đầu.</p>")
    assert site.entry(post)["summary"] == "Đoạn đầu."


def test_post_without_title_gets_its_first_words(site: Site) -> None:
    post = site.publish(title="", content="<p>Chữ đầu tiên.</p>")
    assert site.entry(post)["title"] == "Chữ đầu tiên."


def test_sign_that_is_no_tag_stays_in_title(site: Site) -> None:
    post = site.publish(title="Tôi <3 Hà Nội \x0b và 1 < 2", content="x")
    assert site.entry(post)["title"] == "Tôi <3 Hà Nội và 1 < 2"


def test_edit_keeps_the_id_and_changes_feeds(site: Site) -> None:
    post = site.publish(title="Trước", content="x")
    guid = site.entry(post)["guid"]
    site.change(post, title="Sau")
    assert site.entry(post)["title"] == "Sau"
    assert site.entry(post)["guid"] == guid
    site.wait_for_feed("Sau", without="Trước")


@pytest.mark.parametrize("status", ["draft", "pending", "private"])
def test_post_that_is_no_longer_public_leaves(site: Site, status: str) -> None:
    post = site.publish(title=f"Thành {status}", content="x")
    guid = site.entry(post)["guid"]
    site.change(post, status=status)
    assert site.get(post).status_code == 410
    site.wait_for_feed(without=f"Thành {status}")
    site.change(post, status="publish")
    assert site.entry(post)["guid"] == guid


@pytest.mark.parametrize("hidden", [{"status": "draft"}, {"password": "mở"}])
def test_hidden_post_is_never_sent(site: Site, hidden: dict[str, str]) -> None:
    post = site.save(title="Nháp", content="Bí mật", **hidden)
    assert not site.row(post)
    assert site.get(post).status_code == 404


def test_trash_and_untrash(site: Site) -> None:
    post = site.publish(title="Vào thùng rác", content="x")
    site.wordpress.rest("DELETE", f"/posts/{post}")
    site.deliver(post)
    assert site.get(post).status_code == 410
    site.wordpress.php("wp_untrash_post($post);", post=post)
    site.deliver(post)
    assert site.get(post).status_code == 410, "it is a draft again"
    site.change(post, status="publish")
    assert site.entry(post)["title"] == "Vào thùng rác"
    assert site.entry(post)["url"].endswith("/vao-thung-rac/")


def test_force_delete(site: Site) -> None:
    post = site.publish(title="Xoá hẳn", content="x")
    site.wordpress.rest("DELETE", f"/posts/{post}", force=True)
    site.deliver(post)
    assert site.get(post).status_code == 410
    assert not site.row(post), "nothing is kept of it"


def test_force_delete_before_the_post_was_sent(site: Site) -> None:
    with site.settings(url="http://127.0.0.1:1"):
        post = site.save(title="Chưa gửi", content="x")
        site.wordpress.rest("DELETE", f"/posts/{post}", force=True)
    site.deliver(post)
    assert site.get(post).status_code == 404


def test_scheduled_post_appears_at_its_time(site: Site) -> None:
    post = site.publish(
        title="Hẹn giờ", content="x", status="future", date_gmt="2100-01-01T00:00:00"
    )
    entry = site.entry(post)
    assert entry["date_published"] == "2100-01-01T00:00:00Z"
    assert entry["url"].endswith("/hen-gio/"), "not the preview's ?p="
    assert "Hẹn giờ" not in site.titles()
    moment = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=3)
    date = f"{moment:%Y-%m-%dT%H:%M:%S}"
    site.change(post, status="future", date_gmt=date)
    site.wait_for_feed("Hẹn giờ")
    assert datetime.now(UTC) >= moment
    version = site.entry(post)["version"]

    def is_published() -> bool:
        site.wordpress.visit()
        status = site.wordpress.php("return get_post_status($post);", post=post)
        return bool(status == "publish")

    wait_until(is_published, 30)
    site.deliver(post)
    assert site.entry(post)["version"] == version, "nothing is new for the service"


def test_scheduled_post_can_be_called_off(site: Site) -> None:
    date = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%S}"
    post = site.publish(title="Huỷ hẹn", content="x", status="future", date_gmt=date)
    assert site.get(post).status_code == 200
    site.change(post, status="draft")
    assert site.get(post).status_code == 410


def test_published_post_that_gets_a_password_leaves(site: Site) -> None:
    post = site.publish(title="Thành mật", content="Bí mật")
    site.change(post, password="mở")
    assert site.get(post).status_code == 410
    site.wait_for_feed(without="Thành mật")
    site.change(post, password="")
    site.wait_for_feed("Thành mật")


def test_post_that_becomes_a_page_leaves(site: Site) -> None:
    post = site.publish(title="Thành trang", content="x")
    site.wordpress.php(
        "wp_update_post(['ID' => $post, 'post_type' => 'page']);", post=post
    )
    site.deliver(post)
    assert site.get(post).status_code == 410


def test_bulk_edit(site: Site) -> None:
    posts = [site.publish(title=f"Loạt {number}", content="x") for number in (1, 2)]
    browser = site.wordpress.sign_in()
    edit = f"{site.wordpress.url}/wp-admin/edit.php"
    form: dict[str, Any] = {
        "_wpnonce": nonce(browser.get(edit, timeout=60).text, "_wpnonce"),
        "action": "edit",
        "bulk_edit": "Update",
        "post[]": posts,
        "post_type": "post",
        "_status": "private",
        "post_author": "-1",
    }
    assert browser.get(edit, params=form, timeout=60).ok
    for post in posts:
        site.deliver(post)
        assert site.get(post).status_code == 410


def test_quick_edit(site: Site) -> None:
    post = site.publish(title="Sửa nhanh", content="x")
    browser = site.wordpress.sign_in()
    admin = f"{site.wordpress.url}/wp-admin"
    form = {
        "_inline_edit": nonce(
            browser.get(f"{admin}/edit.php", timeout=60).text, "_inline_edit"
        ),
        "action": "inline-save",
        "post_ID": post,
        "post_type": "post",
        "screen": "edit-post",
        "_status": "publish",
        "post_title": "Đã sửa nhanh",
        "post_name": "da-sua",
        "post_author": 1,
        "tax_input[post_tag]": "",
    }
    response = browser.post(f"{admin}/admin-ajax.php", data=form, timeout=60)
    assert "Đã sửa nhanh" in response.text
    site.deliver(post)
    assert site.entry(post)["title"] == "Đã sửa nhanh"
    assert site.entry(post)["url"].endswith("/da-sua/")


def test_category_and_picture_that_change_without_saving(site: Site) -> None:
    post = site.publish(title="Không lưu", content="x")
    site.wordpress.php(
        "wp_set_post_categories($post, [wp_insert_term('Thể thao', 'category')['term_id']]);",
        post=post,
    )
    site.deliver(post)
    assert site.entry(post)["categories"] == ["the-thao"]
    site.wordpress.php(
        "set_post_thumbnail($post, get_posts(['post_type' => 'attachment'])[0]->ID);",
        post=post,
    )
    site.deliver(post)
    assert "cau" in site.entry(post)["image"]["url"]


def test_second_save_without_a_change_sends_nothing(site: Site) -> None:
    """The block editor saves each post twice, because of the box."""
    post = site.publish(title="Hai lần", content="x")
    # It would be refused.
    with site.settings(token="fsv_wrong"):
        site.change(post, title="Hai lần")
    assert site.row(post)["message"] == ""


def test_saving_does_not_wait_for_the_service(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with site.settings(url=url):
            post = site.save(title="Không chờ", content="x")
            silent.settimeout(30)
            connection, _ = silent.accept()
            # The post is saved, and the first attempt still waits for an answer.
            row = site.row(post)
            assert (row["attempts"], row["locked_until"] != "0") == ("1", True)
            connection.close()
            wait_until(lambda: site.row(post)["locked_until"] == "0", 30)
    site.deliver(post)
    assert site.entry(post)["title"] == "Không chờ"


def test_post_is_sent_without_a_visitor(site: Site) -> None:
    post = site.save(title="Tự gửi", content="x")
    wait_until(lambda: site.get(post).status_code == 200)


def test_outage_is_shown_and_the_newest_state_sent_after_it(site: Site) -> None:
    post = site.publish(title="Cũ", content="x")
    other = site.publish(title="Sẽ xoá", content="x")
    site.service.stop()
    site.wordpress.save(f"/posts/{post}", title="Mới")
    site.wordpress.save(f"/posts/{post}", title="Mới nhất")
    site.wordpress.rest("DELETE", f"/posts/{other}", force=True)

    def has_failed() -> bool:
        site.wordpress.visit()
        return (
            site.row(post)["attempts"] != "0" and site.row(post)["locked_until"] == "0"
        )

    wait_until(has_failed, 30)
    page = site.wordpress.sign_in().get(
        f"{site.wordpress.url}/wp-admin/edit.php", timeout=60
    )
    assert "could not be sent to the feeds" in page.text
    assert re.search(r"Failed, next attempt in \d+ \w+: cURL error 7", page.text)
    site.service.start()
    site.wordpress.php(
        """global $wpdb;
        $wpdb->query('UPDATE ' . feedsvc_table() . ' SET due = 1');
        wp_clear_scheduled_hook('feedsvc_send'); // the minute is over"""
    )
    site.deliver(post)
    site.deliver(other)
    assert site.entry(post)["title"] == "Mới nhất"
    assert site.get(other).status_code == 410


def test_backoff_doubles_up_to_a_quarter_of_an_hour(site: Site) -> None:
    delays = site.wordpress.php(
        """global $wpdb;
        $table = feedsvc_table();
        $wpdb->insert($table, ['post_id' => 999999, 'due' => 1]);
        for ($i = 0; $i < 7; $i++) {
            $wpdb->query("UPDATE $table SET due = 1 WHERE post_id = 999999");
            feedsvc_failed(feedsvc_lock_next(), 'x');
            $delays[] = feedsvc_row(999999)->due - time();
        }
        $wpdb->delete($table, ['post_id' => 999999]);
        return $delays;"""
    )
    expected = [60, 120, 240, 480, 900, 900, 900]
    assert all(abs(a - b) <= 2 for a, b in zip(delays, expected, strict=True)), delays


def test_locked_post_is_not_sent_by_a_second_process(site: Site) -> None:
    post = site.publish(title="Khoá", content="x")
    other = site.wordpress.php(
        """feedsvc_enqueue($post);
        $first = feedsvc_lock_next();
        feedsvc_enqueue($post); // saved again while it is being sent
        $second = feedsvc_lock_next();
        feedsvc_succeeded($first, $first->entry_id, 'x', []);
        return [$first->post_id, $second, feedsvc_row($post)->due !== null];""",
        post=post,
    )
    assert other == [str(post), None, True], "it is still due with its newest state"
    site.deliver(post)


def test_refused_post_does_not_block_others(site: Site) -> None:
    refused = site.save(title="Refused", content="x")
    wait_until(lambda: "#/language" in str(site.row(refused)["message"]), 30)
    post = site.publish(title="Vẫn gửi", content="x")
    assert site.entry(post)["title"] == "Vẫn gửi"
    site.change(refused, title="Sửa xong")
    assert site.entry(refused)["title"] == "Sửa xong"


def test_post_that_a_filter_leaves_out_is_not_sent(site: Site) -> None:
    post = site.publish(title="Left out", content="x")
    assert site.get(post).status_code == 404


def test_shortcode_that_throws_is_reported(site: Site) -> None:
    post = site.wordpress.php(
        """return wp_insert_post(['post_title' => 'Hỏng', 'post_status' => 'publish',
            'post_content' => '[broken]']);"""
    )
    wait_until(lambda: site.row(post)["message"] == "Broken shortcode", 30)
    site.change(post, content="Lành")
    assert site.entry(post)["content_html"] == "<p>Lành</p>"


def test_missing_category_without_the_right_is_told(site: Site) -> None:
    options = ("--scope", "news:write", "--scope", "news:publish")
    token = site.service.command("token", "create", "narrow", *options).strip()
    category = site.wordpress.save("/categories", name="Chưa có")
    with site.settings(token=token):
        post = site.publish(title="Thiếu mục", content="x", categories=[category])
    assert site.entry(post)["categories"] == []
    assert "“Chưa có”" in site.row(post)["message"]
    assert "categories:write" in site.row(post)["message"]


def test_category_of_another_slug_is_found_by_its_title(site: Site) -> None:
    """An import makes slugs from titles."""
    title = {"title": "Đường & phố"}
    site.service.request("PUT", "/api/v1/categories/duong-pho", title)
    category = site.wordpress.save("/categories", name="Đường & phố", slug="street")
    post = site.publish(title="Theo tên", content="x", categories=[category])
    assert site.entry(post)["categories"] == ["duong-pho"]


def test_renamed_and_retired_categories(site: Site) -> None:
    renamed = site.wordpress.save("/categories", name="Tên cũ")
    retired = site.wordpress.save("/categories", name="Đã bỏ")
    post = site.publish(title="Mục", content="x", categories=[renamed, retired])
    site.service.request(
        "PATCH", "/api/v1/categories/ten-cu", {"slug": "ten-moi", "title": "Mới"}
    )
    site.service.request("DELETE", "/api/v1/categories/da-bo")
    site.change(post, title="Mục 2")
    assert site.entry(post)["categories"] == ["ten-moi"]
    assert "no longer has the category “Đã bỏ”" in site.row(post)["message"]


WITHOUT_PLUGIN = """
    foreach (['wp_after_insert_post', 'set_object_terms'] as $hook) {
        remove_all_actions($hook);
    }
"""
"""As posts were made before the plugin was there."""

GUIDS = [
    "",
    "https://cu.example/?p=12&preview=1",
    "https://cu.example/2019/05/bài-viết đầu/",
    "urn:uuid:0b7e6a1c-1111-4222-8333-444455556666",
    "https://cu.example/?p=77",
    "https://cu.example/?p=77",
    "https://cu.example/?p=77",
]
"""Of posts that came from elsewhere; the last three are copies of one post."""


def listed(site: Site, query: str) -> list[dict[str, Any]]:
    """Return the articles with a word in their title."""
    path = f"/api/v1/articles?q={query}&limit=200"
    items: list[dict[str, Any]] = site.service.request("GET", path).json()["items"]
    return items


@pytest.fixture(scope="module")
def imported(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """Import WordPress's own export; return the posts by title.

    "Gửi trước" was sent by the plugin before, the others were not.
    """
    posts: dict[str, int] = site.wordpress.php(
        WITHOUT_PLUGIN
        + """global $wpdb;
        foreach ($guids as $n => $guid) {
            $id = wp_insert_post(['post_title' => "Guid $n", 'post_content' => 'x',
                'post_status' => 'publish']);
            if ($guid) { $wpdb->update($wpdb->posts, ['guid' => $guid], ['ID' => $id]); }
            $posts["Guid $n"] = $id;
        }
        $posts['Cũ lắm'] = wp_insert_post(['post_title' => 'Cũ lắm',
            'post_content' => 'x', 'post_status' => 'publish']);
        return $posts;""",
        guids=GUIDS,
    )
    for post in posts.values():
        assert not site.row(post)
    posts["Gửi trước"] = site.publish(title="Gửi trước", content="x")
    file = tmp_path_factory.mktemp("export") / "export.xml"
    file.write_text(
        site.wordpress.php(
            """require_once ABSPATH . 'wp-admin/includes/export.php';
            @export_wp(); header_remove();"""
        )
    )
    site.service.command("import", str(file))
    return posts


def test_imported_post_is_updated_not_doubled(
    site: Site, imported: dict[str, int]
) -> None:
    before = {item["title"]: item for item in listed(site, "guid")}
    assert len(before) == len(GUIDS)
    assert before["Guid 1"]["guid"] == GUIDS[1]
    assert before["Guid 5"]["guid"] != before["Guid 4"]["guid"] == GUIDS[4]
    changed = range(len(GUIDS) - 1)  # the last one is for another test
    for number in changed:
        site.change(imported[f"Guid {number}"], title=f"Guid {number} lại")
    after = {item["id"]: item for item in listed(site, "guid")}
    assert len(after) == len(GUIDS)
    for number in changed:
        entry = before[f"Guid {number}"]
        assert after[entry["id"]]["title"] == f"Guid {number} lại"
        assert after[entry["id"]]["guid"] == entry["guid"]
    site.wordpress.rest("DELETE", f"/posts/{imported['Guid 5']}", force=True)
    site.deliver(imported["Guid 5"])
    site.wait_for_feed("Guid 4 lại", without="Guid 5 lại")


def test_imported_post_can_be_trashed_at_once(
    site: Site, imported: dict[str, int]
) -> None:
    for title in ("Cũ lắm", "Guid 6"):
        site.wait_for_feed(title)
        site.wordpress.rest("DELETE", f"/posts/{imported[title]}")
        site.deliver(imported[title])
        site.wait_for_feed(without=title)


def test_import_after_the_plugin_changes_nothing(
    site: Site, imported: dict[str, int]
) -> None:
    assert site.row(imported["Gửi trước"])["fingerprint"] != "removed"
    (entry,) = listed(site, "gui truoc")
    assert entry["id"] == site.entry_id(imported["Gửi trước"])
    assert entry["version"] == 1


def test_all_published_posts_are_sent(site: Site) -> None:
    posts = site.wordpress.php(
        WITHOUT_PLUGIN
        + """foreach (range(1, 30) as $n) {
            $posts[] = wp_insert_post(['post_title' => "Lô hàng $n", 'post_content' => 'x',
                'post_status' => $n > 2 ? 'publish' : 'private']);
        }
        return $posts;"""
    )
    browser = site.wordpress.sign_in()
    admin = f"{site.wordpress.url}/wp-admin"
    page = browser.get(f"{admin}/options-general.php?page=feedsvc", timeout=60).text
    form = {"_wpnonce": nonce(page[page.index("<h2>Posts") :], "_wpnonce")}
    form["action"] = "feedsvc_send_all"
    response = browser.post(f"{admin}/admin-post.php", data=form, timeout=60)
    assert "All published posts will be sent" in response.text
    site.deliver(posts[-1])
    assert len(listed(site, "lo hang")) == 28


def test_actions_need_nonce_and_right(site: Site) -> None:
    browser = site.wordpress.sign_in()
    admin = f"{site.wordpress.url}/wp-admin"
    for action in ("feedsvc_send_all", "feedsvc_test", "feedsvc_resend"):
        response = browser.post(
            f"{admin}/admin-post.php", data={"action": action}, timeout=60
        )
        assert response.status_code == 403
    site.wordpress.php(
        "wp_create_user('tac-gia', 'password', 'b@portal.example');"
        "get_user_by('login', 'tac-gia')->set_role('author');"
    )
    page = site.wordpress.sign_in("tac-gia").get(
        f"{admin}/options-general.php?page=feedsvc", timeout=60
    )
    assert page.status_code == 403


def test_settings_page_never_shows_the_token(site: Site) -> None:
    browser = site.wordpress.sign_in()
    admin = f"{site.wordpress.url}/wp-admin"
    address = f"{admin}/options-general.php?page=feedsvc"
    page = browser.get(address, timeout=60).text
    assert site.service.token not in page
    assert f"fsv_…{site.service.token[-4:]}" in page
    form = {
        "option_page": "feedsvc",
        "action": "update",
        "_wpnonce": nonce(page, "_wpnonce"),
        "feedsvc_settings[url]": site.service.url + "/",
        "feedsvc_settings[token]": "",
    }
    browser.post(f"{admin}/options.php", data=form, timeout=60)
    stored = site.wordpress.php("return get_option('feedsvc_settings');")
    assert stored == {"url": site.service.url, "token": site.service.token}
    form["feedsvc_settings[url]"] = "https://thief.example"
    page = browser.post(f"{admin}/options.php", data=form, timeout=60).text
    assert "A new URL needs the token again." in page
    stored = site.wordpress.php("return get_option('feedsvc_settings');")
    assert stored == {"url": "https://thief.example", "token": ""}
    form["feedsvc_settings[token]"] = "password"
    page = browser.post(f"{admin}/options.php", data=form, timeout=60).text
    assert "a token starts with fsv_" in page
    site.configure()


@pytest.mark.parametrize(
    ("token", "text"),
    [("", "accepts the token"), ("fsv_wrong", "The token is")],
)
def test_connection_test(site: Site, token: str, text: str) -> None:
    site.configure(token=token or None)
    browser = site.wordpress.sign_in()
    admin = f"{site.wordpress.url}/wp-admin"
    page = browser.get(f"{admin}/options-general.php?page=feedsvc", timeout=60).text
    form = {"_wpnonce": nonce(page[page.index("<h2>Posts") :], "_wpnonce")}
    form["action"] = "feedsvc_test"
    response = browser.post(f"{admin}/admin-post.php", data=form, timeout=60)
    site.configure()
    assert text in response.text


def test_constants_come_before_the_form(site: Site) -> None:
    settings = site.wordpress.command_line(
        "return [feedsvc_settings(), feedsvc_has_constants()];",
        "define('FEEDSVC_URL', 'https://a.example/'); define('FEEDSVC_TOKEN', 'fsv_a');",
    )
    assert settings == [{"url": "https://a.example", "token": "fsv_a"}, True]


def test_check_finds_what_the_feeds_of_wordpress_lack(site: Site) -> None:
    """A compressing CDN makes the ETag weak, which WordPress does not recognise."""
    site.publish(title="Bài", content="Nội dung. " * 200)
    for format in ("rss2", "atom"):
        url = f"{site.wordpress.url}/?feed={format}"
        details = {row.name: row.detail for row in check_feed(Client(interval=0), url)}
        assert details == {
            "compression-lost": "no gzip for all readers",
            "no-304": "for a weak If-None-Match (200)",
        }


def test_uninstalling_leaves_nothing(site: Site) -> None:
    left = site.wordpress.php(
        """global $wpdb;
        require_once ABSPATH . 'wp-admin/includes/plugin.php';
        $settings = get_option('feedsvc_settings');
        deactivate_plugins('feedsvc/feedsvc.php');
        $scheduled = wp_next_scheduled('feedsvc_send');
        uninstall_plugin('feedsvc/feedsvc.php');
        $left = [$scheduled, $wpdb->get_col("SHOW TABLES LIKE '%feedsvc%'"),
            $wpdb->get_col("SELECT option_name FROM $wpdb->options
                WHERE option_name LIKE 'feedsvc%'")];
        activate_plugin('feedsvc/feedsvc.php');
        update_option('feedsvc_settings', $settings);
        return $left;"""
    )
    assert left == [False, [], []]
