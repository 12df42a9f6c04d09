"""deploy/wordpress/feedsvc.php sends a blog's posts to a service."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server import Service
from tests.wordpress.blogs import (
    Blog,
    StubBlog,
    make_entry_id,
    needs_wordpress,
    real_blog,
)

pytestmark = pytest.mark.skipif(
    not shutil.which("php"), reason="php-cli is not installed"
)


REAL = pytest.param("real", marks=[pytest.mark.wordpress, needs_wordpress])


@pytest.fixture(scope="module")
def service(shared_service: Service) -> Service:
    """Return one for all blogs, whose posts and categories differ."""
    return shared_service


@pytest.fixture(scope="module", params=["stub", REAL])
def blog(
    request: pytest.FixtureRequest,
    service: Service,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Blog]:
    """A blog with the plugin, before a service."""
    if request.param == "stub":
        blog = StubBlog()
        blog.connect(service)
        yield blog
        return
    with real_blog(tmp_path_factory.mktemp("wordpress")) as real:
        real.connect(service)
        yield real


POST: dict[str, Any] = {
    "post_title": "Cầu mới &#8211; <em>thông xe</em> <5 tấn",
    "post_content": "Hai làn.",
    "post_excerpt": "Sáng nay",
    "post_status": "publish",
    "post_date_gmt": "2026-11-01 01:00:00",
}


def get(service: Service, path: str) -> Any:
    return service.request("GET", f"/api/v1{path}").json()


def get_entry(service: Service, entry_id: str) -> Any:
    """Return an entry, or the problem document of its status."""
    return get(service, f"/articles/{entry_id}")


def test_post_is_published_and_edited(blog: Blog, service: Service) -> None:
    blog.add_category("tin", "Tin &amp; bài")
    image = {"alt": "Cây cầu", "caption": "Cầu <em>mới</em> &amp; cũ"}
    post_id, entry_id = blog.save(**POST, image=image, post_category=["tin"])
    entry = get_entry(service, entry_id)
    expected = {
        "title": "Cầu mới – thông xe <5 tấn",
        "content_html": "<p>Hai làn.</p>",
        "summary": "Sáng nay",
        "authors": [{"name": "Lan"}],
        "date_published": "2026-11-01T01:00:00Z",
        "categories": ["tin"],
        "public": True,
    }
    assert expected.items() <= entry.items()
    assert entry["url"].endswith(f"/{post_id}/")
    assert entry["image"].pop("url").endswith("/cau.jpg")
    assert entry["image"] == {"alt": "Cây cầu", "caption": "Cầu mới & cũ"}
    assert make_entry_id(entry["guid"]) == entry_id, "it is WordPress's"
    assert get(service, "/categories/tin")["title"] == "Tin & bài"
    blog.save(post_id, post_title="Cầu cũ")
    edited = get_entry(service, entry_id)
    expected = {"title": "Cầu cũ", "categories": ["tin"], "version": 2}
    assert expected.items() <= edited.items()


SCHEDULED = {
    **POST,
    "post_status": "future",
    "post_date_gmt": "2040-01-01 01:00:00",
}


def test_scheduled_post_is_sent_at_once(blog: Blog, service: Service) -> None:
    post_id, entry_id = blog.save(**SCHEDULED)
    entry = get_entry(service, entry_id)
    assert entry["public"] is False
    assert entry["date_published"] == "2040-01-01T01:00:00Z"
    assert entry["url"].endswith(f"/{post_id}/"), "as it will be"
    blog.save(post_id, **POST)
    assert get_entry(service, entry_id)["public"] is True
    # One that nobody has read is deleted.
    post_id, entry_id = blog.save(**SCHEDULED)
    blog.save(post_id, post_status="draft")
    assert get_entry(service, entry_id)["status"] == 410


@pytest.mark.parametrize(
    "change",
    [
        {"post_status": "draft"},
        {"post_status": "private"},
        {"post_password": "x"},
    ],
    ids=str,
)
def test_post_that_is_no_longer_public_is_withdrawn(
    blog: Blog, service: Service, change: dict[str, str]
) -> None:
    never_public, never_sent = blog.save(**{**POST, **change})
    blog.save(never_public, post_title="Nháp")
    assert get_entry(service, never_sent)["status"] == 404
    post_id, entry_id = blog.save(**POST)
    blog.save(post_id, **change)
    assert get_entry(service, entry_id)["status"] == "withdrawn"
    blog.save(post_id, post_status="publish", post_password="")
    assert get_entry(service, entry_id)["status"] == "published"


def test_post_in_the_trash_is_withdrawn_until_it_is_deleted(
    blog: Blog, service: Service
) -> None:
    post_id, entry_id = blog.save(**POST)
    blog.trash(post_id)
    assert get_entry(service, entry_id)["status"] == "withdrawn"
    blog.delete(post_id)
    assert get_entry(service, entry_id)["status"] == 410


def test_all_changes_are_sent_after_an_outage(blog: Blog, service: Service) -> None:
    edited, edited_id = blog.save(**POST)
    trashed, trashed_id = blog.save(**POST)
    deleted, deleted_id = blog.save(**POST)
    service.kill()
    new, new_id = blog.save(**POST)
    assert f"feedsvc: post {new} was not sent: " in blog.log()
    blog.save(edited, post_title="Cầu cũ")
    blog.trash(trashed)
    blog.delete(deleted)
    for _ in range(4):
        blog.pass_hour()
    service.start()
    blog.pass_hour()
    assert get_entry(service, new_id)["public"]
    assert get_entry(service, edited_id)["title"] == "Cầu cũ"
    assert get_entry(service, trashed_id)["status"] == "withdrawn"
    assert get_entry(service, deleted_id)["status"] == 410


def test_post_that_another_process_has_sent_too_is_sent_again(
    service: Service,
) -> None:
    """Only the process whose request came last would know what the service has."""
    blog = StubBlog()
    blog.connect(service)
    blog.is_overtaken = True
    _, entry_id = blog.save(**POST, post_name="overtaken")
    blog.is_overtaken = False
    path = f"/api/v1/articles/{entry_id}"
    assert service.request("PATCH", path, {"status": "withdrawn"}).ok
    blog.pass_hour()
    assert get_entry(service, entry_id)["public"]
    assert get_entry(service, entry_id)["status"] == "published"
    assert service.request("PATCH", path, {"status": "withdrawn"}).ok
    blog.pass_hour()
    assert get_entry(service, entry_id)["status"] == "withdrawn"


def test_accepted_post_is_sent_once_and_without_the_default_category(
    blog: Blog, service: Service
) -> None:
    _, entry_id = blog.save(**POST)
    assert get_entry(service, entry_id)["categories"] == []
    assert get(service, "/categories/uncategorized")["status"] == 404
    edited = {"title": "Sửa ở cổng"}
    assert service.request("PATCH", f"/api/v1/articles/{entry_id}", edited).ok
    blog.pass_hour()
    assert get_entry(service, entry_id)["title"] == "Sửa ở cổng"


@pytest.mark.parametrize("title", ["", "Dài " * 200])
def test_refused_post_is_named_once_and_delays_no_other(
    blog: Blog, service: Service, title: str
) -> None:
    refused, refused_id = blog.save(**{**POST, "post_title": title})
    _, entry_id = blog.save(**POST)
    assert get_entry(service, entry_id)["public"]
    blog.pass_hour()
    assert blog.log().count(f"post {refused} was not sent: 422") == 1
    blog.save(refused, post_title="Ngắn")
    assert get_entry(service, refused_id)["public"]


def test_post_is_sent_again_after_the_token_was_missing_or_wrong(
    blog: Blog, service: Service
) -> None:
    blog.connect(None)
    post_id, entry_id = blog.save(**POST)
    assert f"post {post_id} was not sent: wp-config.php" in blog.log()
    assert blog.check_health()["status"] == "critical"
    token, service.token = service.token, "fsv_wrong"
    blog.connect(service)
    health = blog.check_health()
    assert health["status"] == "critical"
    assert "The token is unknown." in health["description"]
    service.token = token
    assert get_entry(service, entry_id)["status"] == 404
    blog.connect(service)
    assert blog.check_health()["status"] == "good"
    assert get_entry(service, "site-health")["status"] == 404
    blog.pass_hour()
    assert get_entry(service, entry_id)["public"]


def test_post_that_the_service_has_under_another_guid_is_updated(
    blog: Blog, service: Service
) -> None:
    post_id, entry_id = blog.save(**{**POST, "post_status": "draft"})
    entry = {"title": "Không có guid"}
    service.put(f"/articles/{entry_id}", entry)
    before = get_entry(service, entry_id)
    blog.save(post_id, post_status="publish")
    after = get_entry(service, entry_id)
    assert after["title"].startswith("Cầu mới – thông xe")
    assert after["guid"] == before["guid"]


def test_categories_have_their_parents_and_those_of_the_portal_survive(
    blog: Blog, service: Service
) -> None:
    service.put("/categories/portal", {"title": "Cổng"})
    of_the_portal = {"title": "Nghệ thuật của cổng", "parent": "portal"}
    service.put("/categories/nghe-thuat", of_the_portal)
    blog.add_category("nghe-thuat", "Nghệ thuật")
    blog.add_category("am-nhac", "Âm nhạc", parent="nghe-thuat")
    blog.add_category("opera", "Opera", parent="am-nhac")
    _, entry_id = blog.save(**POST, post_category=["opera"])
    assert get_entry(service, entry_id)["categories"] == ["opera"]
    categories = {
        category["slug"]: (category["title"], category.get("parent"))
        for category in get(service, "/categories")["categories"]
    }
    expected = {
        "nghe-thuat": ("Nghệ thuật của cổng", "portal"),
        "am-nhac": ("Âm nhạc", "nghe-thuat"),
        "opera": ("Opera", "am-nhac"),
    }
    assert categories.items() >= expected.items()


@pytest.mark.parametrize("slug", ["du_lich", "тема"])
def test_category_whose_slug_is_not_allowed_has_another(
    blog: Blog, service: Service, slug: str
) -> None:
    allowed = f"category-{blog.add_category(slug, 'Du lịch')}"
    child = f"bien-{len(slug)}"
    blog.add_category(child, "Biển", parent=slug)
    _, entry_id = blog.save(**POST, post_category=[slug, child])
    sent = get_entry(service, entry_id)["categories"]
    assert sorted(sent) == sorted([allowed, child])
    assert get(service, f"/categories/{allowed}")["title"] == "Du lịch"
    assert get(service, f"/categories/{child}")["parent"] == allowed


def test_post_keeps_its_category_if_the_token_may_create_none(
    blog: Blog, service: Service
) -> None:
    blog.add_category("giao-thong", "Giao thông")
    token = service.token
    command = ("token", "create", "news", "--scope", "news:write")
    service.token = service.command(*command).strip()
    blog.connect(service)
    post_id, entry_id = blog.save(**POST, post_category=["giao-thong"])
    # It is sent again later, instead of being public in no category.
    assert get_entry(service, entry_id)["status"] == 404
    assert f"feedsvc: post {post_id} was not sent: 422" in blog.log()
    service.token = token
    service.put("/categories/giao-thong", {"title": "Giao thông"})
    blog.pass_hour()
    assert get_entry(service, entry_id)["categories"] == ["giao-thong"]
    blog.connect(service)
