"""The adapters for Ghost and Drupal: webhooks of the form that these send."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import requests

from feedsvc.models import SCOPES
from tests.importers.helpers import FIXTURES
from tests.server import ROOT, Service, free_port
from tests.waiting import wait_until

FOLDER = ROOT / "deploy/webhooks"
SECRET = "bí mật"
DRUPAL = "https://so-van-hoa.example"

GHOST_POST: dict[str, Any] = {
    "id": "67447438e61fb200012f48e0",
    "uuid": "001cdb2b-98bf-4b05-b46c-15b3b93cade0",
    "title": "Thư viện & phố sách",
    "slug": "thu-vien",
    "html": '<p>Từ 8 giờ.</p><p><a href="/tin">Tin</a></p>',
    "plaintext": "Từ 8 giờ.",
    "feature_image": "https://ghost.example/content/images/a.jpg",
    "feature_image_alt": "Phố sách",
    "feature_image_caption": "Ảnh: <b>Hà</b> &amp; Nam",
    "status": "published",
    "visibility": "public",
    "published_at": "2026-11-25T12:57:31.000Z",
    "updated_at": "2026-11-25T12:57:31.000Z",
    "custom_excerpt": "Mở cửa lại.",
    "canonical_url": None,
    "url": "https://ghost.example/thu-vien/",
    "authors": [{"id": "1", "name": "Lan", "email": "lan@ghost.example"}],
    "tags": [
        {"slug": "van-hoa", "visibility": "public"},
        {"slug": "chua-co", "visibility": "public"},
        {"slug": "hash-noi-bo", "visibility": "internal"},
    ],
}

DRUPAL_NODE: dict[str, Any] = {
    "nid": [{"value": 4711}],
    "uuid": [{"value": "a91cc128-82be-48b0-bc4d-8a5ac678323b"}],
    "langcode": [{"value": "vi"}],
    "type": [{"target_id": "article", "target_type": "node_type"}],
    "status": [{"value": True}],
    "title": [{"value": "Gốm Phù Lãng"}],
    "created": [{"value": "2026-11-20T01:02:03+00:00", "format": "Y-m-d\\TH:i:sP"}],
    "path": [{"alias": "/tin/gom-phu-lang", "pid": 9, "langcode": "vi"}],
    "body": [
        {
            "value": "Gốm<script>x</script>",
            "format": "basic_html",
            "processed": "<p>Gốm</p>",
            "summary": "Triển lãm gốm.",
        }
    ],
    "field_image": [
        {
            "target_id": 5,
            "alt": "Bình gốm",
            "title": "",
            "width": 10,
            "height": 10,
            "url": "/sites/default/files/gom.jpg",
        }
    ],
    "field_tags": [
        {"target_id": 3, "target_type": "taxonomy_term", "url": "/muc/van-hoa"},
        {"target_id": 4, "target_type": "taxonomy_term", "url": "/taxonomy/term/4"},
    ],
}


@pytest.fixture(scope="module")
def service(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    path = tmp_path_factory.mktemp("webhooks") / "feedsvc.db"
    path.write_bytes(sqlite_template.read_bytes())
    running = Service(f"sqlite:///{path}", WEB_CONCURRENCY="1")
    running.make_token(*SCOPES)
    running.start()
    category = {"title": "Văn hoá"}
    assert running.request("PUT", "/api/v1/categories/van-hoa", category).ok
    yield running
    running.stop()


@contextmanager
def adapter(name: str, service: Service, **environ: str) -> Iterator[str]:
    """Run an adapter; yield its URL."""
    address = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "gunicorn", "--chdir", str(FOLDER)]
    process = subprocess.Popen(
        [*command, "--bind", address, "--log-level", "warning", f"{name}:app"],
        env={
            **os.environ,
            "FEEDS": service.url,
            "TOKEN": service.token,
            "SECRET": SECRET,
            "DRUPAL": DRUPAL,
            **environ,
        },
    )

    def is_up() -> bool:
        try:
            return requests.get(f"http://{address}/", timeout=5).status_code == 405
        except requests.ConnectionError:
            assert process.poll() is None, "the adapter has ended"
            return False

    try:
        wait_until(is_up, 30)
        yield f"http://{address}/"
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def ghost(service: Service) -> Iterator[str]:
    with adapter("ghost", service) as url:
        yield url


@pytest.fixture(scope="module")
def drupal(service: Service) -> Iterator[str]:
    # With the slashes that an operator may add.
    addresses = {"DRUPAL": f"{DRUPAL}/", "FEEDS": f"{service.url}/"}
    with adapter("drupal", service, **addresses) as url:
        yield url


def post_as_ghost(
    url: str,
    current: dict[str, Any],
    previous: dict[str, Any] | None = None,
    *,
    secret: str = SECRET,
    age: float = 0,
    old_rule: bool = False,
) -> int:
    """Send a webhook as Ghost does; return the status."""
    payload = {"post": {"current": current, "previous": previous or {}}}
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    now = str(int((time.time() - age) * 1000))
    signed = body if old_rule else body + now.encode()
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "Content-Version": "v5.101",
        "X-Ghost-Signature": f"sha256={digest}, t={now}",
    }
    return requests.post(url, data=body, headers=headers, timeout=30).status_code


def post_as_drupal(
    url: str, event: str, node: dict[str, Any], secret: str = SECRET
) -> int:
    """Send a webhook as Drupal's module does; return the status."""
    name = f"entity:node:{event}"
    payload = {"event": name, "user": {}, "entity": node}
    body = json.dumps(payload).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Drupal-Event": name,
        "X-Drupal-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature": f"sha1={digest}",
    }
    return requests.post(url, data=body, headers=headers, timeout=30).status_code


def stored(service: Service, guid: str) -> requests.Response:
    """Return the answer of the API for the entry that an import would make."""
    entry_id = uuid.uuid5(uuid.NAMESPACE_URL, guid).hex
    return service.request("GET", f"/api/v1/articles/{entry_id}")


def new_ghost_post(**changes: Any) -> dict[str, Any]:
    return {**GHOST_POST, "id": uuid.uuid4().hex[:24], **changes}


def test_ghost_published_post_has_all_members(service: Service, ghost: str) -> None:
    assert post_as_ghost(ghost, GHOST_POST, {"status": "draft"}) == 200
    entry = stored(service, GHOST_POST["id"]).json()
    assert entry["title"] == "Thư viện & phố sách"
    assert 'href="https://ghost.example/tin"' in entry["content_html"]
    assert entry["summary"] == "Mở cửa lại."
    assert entry["url"] == "https://ghost.example/thu-vien/"
    assert entry["authors"] == [{"name": "Lan"}]
    assert entry["categories"] == ["van-hoa"]
    assert entry["date_published"] == "2026-11-25T12:57:31Z"
    assert entry["image"] == {
        "url": "https://ghost.example/content/images/a.jpg",
        "alt": "Phố sách",
        "caption": "Ảnh: Hà & Nam",
    }


def test_ghost_edit_unpublish_and_publish_again(service: Service, ghost: str) -> None:
    post = new_ghost_post(feature_image=None, custom_excerpt=None, tags=[])
    assert post_as_ghost(ghost, post) == 200
    guid = stored(service, post["id"]).json()["guid"]
    edited = {**post, "title": "Đã sửa"}
    assert post_as_ghost(ghost, edited, {"title": post["title"]}) == 200
    assert stored(service, post["id"]).json()["title"] == "Đã sửa"
    draft = {**edited, "status": "draft"}
    assert post_as_ghost(ghost, draft, {"status": "published"}) == 200
    assert stored(service, post["id"]).status_code == 410
    assert post_as_ghost(ghost, edited, {"status": "draft"}) == 200
    assert stored(service, post["id"]).json()["guid"] == guid


def test_ghost_deleted_post_is_deleted(service: Service, ghost: str) -> None:
    post = new_ghost_post()
    assert post_as_ghost(ghost, post) == 200
    assert post_as_ghost(ghost, {}, post) == 200
    assert stored(service, post["id"]).status_code == 410
    assert post_as_ghost(ghost, {}, post) == 200, "also if it is deleted already"


@pytest.mark.parametrize("visibility", ["members", "paid", "tiers"])
def test_ghost_post_for_members_is_not_published(
    service: Service, ghost: str, visibility: str
) -> None:
    post = new_ghost_post()
    assert post_as_ghost(ghost, post) == 200
    assert post_as_ghost(ghost, {**post, "visibility": visibility}) == 200
    assert stored(service, post["id"]).status_code == 410


@pytest.mark.parametrize(
    "options", [{"secret": "khác"}, {"age": 301}, {"age": -301}, {"old_rule": True}]
)
def test_ghost_signature_is_checked(
    service: Service, ghost: str, options: dict[str, Any]
) -> None:
    post = new_ghost_post()
    assert post_as_ghost(ghost, post, **options) == 401
    assert stored(service, post["id"]).status_code == 404


@pytest.mark.parametrize("name", ["ghost", "drupal"])
def test_webhook_without_signature_is_refused(
    request: pytest.FixtureRequest, name: str
) -> None:
    url = request.getfixturevalue(name)
    wrong = {"X-Ghost-Signature": "sha256=é, t=1", "X-Hub-Signature": "sha1=é"}
    for headers in (None, wrong):
        answer = requests.post(url, json={"post": {}}, headers=headers, timeout=9)
        assert answer.status_code == 401


def test_refusal_of_the_service_is_reported_as_502(
    service: Service, ghost: str
) -> None:
    assert post_as_ghost(ghost, new_ghost_post(title="")) == 502
    with adapter("ghost", service, FEEDS="http://127.0.0.1:1") as url:
        assert post_as_ghost(url, new_ghost_post()) == 502


def test_ghost_post_that_was_imported_is_not_doubled(
    service: Service, ghost: str, tmp_path: Path
) -> None:
    post = new_ghost_post(title="Từng nhập")
    feed = tmp_path / "ghost.rss"
    feed.write_text(
        '<rss version="2.0"><channel><item><title>Từng nhập</title>'
        f'<guid isPermaLink="false">{post["id"]}</guid></item></channel></rss>'
    )
    service.command("import", str(feed))
    assert stored(service, post["id"]).json()["guid"] == post["id"]
    assert post_as_ghost(ghost, post) == 200
    assert stored(service, post["id"]).json()["guid"] == post["id"]
    assert stored(service, post["id"]).json()["version"] == 2


def test_drupal_article_that_was_imported_gets_all_members(
    service: Service, drupal: str
) -> None:
    service.command("import", str(FIXTURES / "drupal.rss"))
    guid = f"4711 at {DRUPAL}"
    assert stored(service, guid).json()["guid"] == guid
    assert post_as_drupal(drupal, "update", DRUPAL_NODE) == 200
    entry = stored(service, guid).json()
    assert entry["guid"] == guid
    assert entry["title"] == "Gốm Phù Lãng"
    assert entry["content_html"] == "<p>Gốm</p>"
    assert entry["summary"] == "Triển lãm gốm."
    assert entry["url"] == f"{DRUPAL}/tin/gom-phu-lang"
    assert entry["categories"] == ["van-hoa"]
    assert entry["language"] == "vi"
    assert entry["date_published"] == "2026-11-20T01:02:03Z"
    assert entry["image"] == {
        "url": f"{DRUPAL}/sites/default/files/gom.jpg",
        "alt": "Bình gốm",
    }


def new_drupal_node(number: int, **changes: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"path": [], "body": [], "field_image": []}
    return {**DRUPAL_NODE, **empty, "nid": [{"value": number}], **changes}


def test_drupal_create_unpublish_and_delete(service: Service, drupal: str) -> None:
    node = new_drupal_node(1)
    guid = f"1 at {DRUPAL}"
    assert post_as_drupal(drupal, "create", node) == 200
    assert stored(service, guid).json()["url"] == f"{DRUPAL}/node/1"
    hidden = {**node, "status": [{"value": False}]}
    assert post_as_drupal(drupal, "update", hidden) == 200
    assert stored(service, guid).status_code == 410
    assert post_as_drupal(drupal, "update", node) == 200
    assert post_as_drupal(drupal, "delete", node) == 200
    assert stored(service, guid).status_code == 410


def test_drupal_signature_is_checked(service: Service, drupal: str) -> None:
    assert post_as_drupal(drupal, "create", new_drupal_node(2), "khác") == 401
    assert stored(service, f"2 at {DRUPAL}").status_code == 404


def test_drupal_other_content_is_ignored(service: Service, drupal: str) -> None:
    page = new_drupal_node(3, type=[{"target_id": "page"}])
    assert post_as_drupal(drupal, "create", page) == 200
    assert stored(service, f"3 at {DRUPAL}").status_code == 404


@pytest.mark.parametrize("missing", ["FEEDS", "TOKEN", "SECRET", "DRUPAL"])
def test_empty_setting_is_refused(missing: str) -> None:
    environ = {"FEEDS": "http://localhost", "TOKEN": "a", "SECRET": "b"}
    environ |= {"DRUPAL": DRUPAL, missing: ""}
    done = subprocess.run(
        [sys.executable, "-c", "import drupal"],
        cwd=FOLDER,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (1, f"{missing} is not set.\n")


class Redirecting(BaseHTTPRequestHandler):
    """Redirects every request to another host name, and records the requests."""

    received: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        host, authorization = self.headers["Host"], self.headers["Authorization"]
        self.received.append((host, authorization))
        self.send_response(302 if host.startswith("127.0.0.1") else 404)
        port = host.partition(":")[2]
        self.send_header("Location", f"http://localhost:{port}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_redirect_takes_no_token_to_another_host(service: Service) -> None:
    with HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        feeds = f"http://127.0.0.1:{server.server_port}"
        with adapter("ghost", service, FEEDS=feeds) as url:
            assert post_as_ghost(url, GHOST_POST) == 502
        server.shutdown()
    others = [
        authorization
        for host, authorization in Redirecting.received
        if host.startswith("localhost")
    ]
    assert others == [None]
