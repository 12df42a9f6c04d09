"""Blogs with the plugin: one whose functions of WordPress are replaced, and a real one."""

import getpass
import itertools
import json
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.programs import answers, running
from tests.server import ROOT, Service, free_port, read_project_file

FOLDER = Path(__file__).parent

DEBIAN = Path("/usr/share/wordpress")
"""WordPress as Debian's package installs it."""

needs_wordpress = pytest.mark.skipif(
    not DEBIAN.exists(), reason="Debian's WordPress is not installed"
)


def make_entry_id(guid: str) -> str:
    """Return the id of a post in the service."""
    return uuid.uuid5(uuid.NAMESPACE_URL, guid).hex


def _constants(service: Service | None) -> dict[str, str]:
    """Return what wp-config.php defines."""
    if not service:
        return {}
    return {"FEEDSVC_URL": service.url, "FEEDSVC_TOKEN": service.token}


class StubBlog:
    """A blog without WordPress: the plugin runs with the functions of stub.php.

    It has sent everything when a method returns.
    """

    def __init__(self) -> None:
        self.connect(None)
        self._post_ids = itertools.count(1)
        self._posts: dict[int, dict[str, Any]] = {}
        self._terms: dict[int, dict[str, Any]] = {}
        self.add_category("uncategorized", "Uncategorized")
        self._stored: dict[str, Any] = {"events": [], "options": {}}
        self._log = ""
        self.is_overtaken = False

    def connect(self, service: Service | None) -> None:
        self._constants = _constants(service)

    def add_category(self, slug: str, name: str, parent: str = "") -> int:
        """Create a category; return its id."""
        (parent_id,) = self._term_ids(parent) or [0]
        term_id = len(self._terms) + 1
        self._terms[term_id] = {
            "term_id": term_id,
            "slug": slug,
            "name": name,
            "parent": parent_id,
        }
        return term_id

    def _term_ids(self, *slugs: str) -> list[int]:
        return [id for id, term in self._terms.items() if term["slug"] in slugs]

    def save(self, post_id: int = 0, **fields: Any) -> tuple[int, str]:
        """Create or change a post; return its id here and in the service.

        :param fields: named as in WordPress; `post_category` has slugs, and `image` the
            alternative text and the caption of the featured image.
        """
        if "post_category" in fields:
            fields["post_category"] = self._term_ids(*fields["post_category"])
        before = self._posts.get(post_id)
        post_id = post_id or next(self._post_ids)
        new = {
            "ID": post_id,
            "guid": f"https://blog.example/?post_type=post&#038;p={post_id}",
            "post_type": "post",
            "post_password": "",
            "post_author": "1",
            "post_category": self._term_ids("uncategorized"),
        }
        post = self._posts[post_id] = {**(before or new), **fields}
        is_update = before is not None
        self._do("wp_after_insert_post", post_id, post, is_update, before)
        return post_id, make_entry_id(post["guid"].replace("&#038;", "&"))

    def trash(self, post_id: int) -> None:
        self.save(post_id, post_status="trash")

    def delete(self, post_id: int) -> None:
        post = self._posts.pop(post_id)
        self._do("deleted_post", post_id, post)

    def pass_hour(self) -> None:
        """Let an hour pass, and somebody visit the blog."""
        for event in self._stored["events"]:
            event["timestamp"] -= 3600
        self._do("visit")

    def check_health(self) -> dict[str, Any]:
        """Return what Site Health says of the service."""
        self._do("site_status_tests", [])
        health: dict[str, Any] = self._stored.pop("health")
        return health

    def log(self) -> str:
        """Return PHP's log."""
        return self._log

    def _do(self, hook: str, *arguments: Any) -> None:
        document = {
            "constants": self._constants,
            "posts": self._posts,
            "terms": self._terms,
            "stored": self._stored,
            "is_overtaken": self.is_overtaken,
            "hook": hook,
            "arguments": arguments,
        }
        done = subprocess.run(
            ["php", "-d", "display_errors=stderr", FOLDER / "stub.php"],
            input=json.dumps(document),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "PHP " not in done.stderr, "neither warnings nor deprecations"
        self._stored = json.loads(done.stdout)
        self._log += done.stderr


class RealBlog:
    """WordPress, served by PHP's own server, whose requests are done one by one.

    Its methods are those of `StubBlog`.
    """

    def __init__(self, site: Path, url: str, log: Path) -> None:
        self._site, self.url, self._log = site, url, log

    def install(self) -> None:
        """Create WordPress's tables and activate the plugin."""
        self._do("install")

    def connect(self, service: Service | None) -> None:
        (self._site / "feedsvc.json").write_text(json.dumps(_constants(service)))

    def add_category(self, slug: str, name: str, parent: str = "") -> int:
        term_id: int = self._do("add_category", slug=slug, name=name, parent=parent)
        return term_id

    def save(self, post_id: int = 0, **fields: Any) -> tuple[int, str]:
        saved = self._do("save", post={"ID": post_id, **fields})
        return saved["ID"], make_entry_id(saved["guid"])

    def trash(self, post_id: int) -> None:
        self._do("trash", ID=post_id)

    def delete(self, post_id: int) -> None:
        self._do("delete", ID=post_id)

    def pass_hour(self) -> None:
        self._do("pass_hour")

    def check_health(self) -> dict[str, Any]:
        health: dict[str, Any] = self._do("check_health")
        return health

    def log(self) -> str:
        return self._log.read_text()

    def _do(self, action: str, **arguments: Any) -> Any:
        document = {"action": action, **arguments}
        response = requests.post(f"{self.url}/drive.php", json=document, timeout=60)
        assert response.ok, response.text + self.log()
        # It is answered after the request for WP-Cron, which came before it.
        requests.get(f"{self.url}/readme.html", timeout=60)
        return response.json()


Blog = StubBlog | RealBlog


@contextmanager
def real_blog(folder: Path) -> Iterator[RealBlog]:
    """Install WordPress with the plugin in a folder, and run it with its database."""
    site, log = folder / "site", folder / "log"
    shutil.copytree(DEBIAN, site)
    for name in ("wp-config.php", "drive.php"):
        shutil.copy(FOLDER / name, site)
    plugins = site / "wp-content/plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "deploy/wordpress/feedsvc.php", plugins)
    (site / "feedsvc.json").write_text("{}")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    server = ["php", "-S", f"127.0.0.1:{port}", "-t", site]
    with _database(folder) as socket:
        is_ready = partial(answers, f"{url}/readme.html")
        with running(server, log, is_ready, DATABASE_SOCKET=f"{socket}", BLOG_URL=url):
            blog = RealBlog(site, url, log)
            blog.install()
            yield blog


@contextmanager
def _database(folder: Path) -> Iterator[Path]:
    """Run MariaDB with its data in a folder; yield its socket."""
    data, socket = folder / "data", folder / "socket"
    options = [f"--datadir={data}", f"--user={getpass.getuser()}"]
    subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            *options,
            "--auth-root-authentication-method=normal",
        ],
        check=True,
        capture_output=True,
    )
    server = shutil.which("mariadbd", path="/usr/sbin:/usr/bin")
    assert server
    command = [
        server,
        "--no-defaults",
        *options,
        f"--socket={socket}",
        "--skip-networking",
    ]
    with running(command, folder / "database.log", socket.exists):
        yield socket


def run_documented_script(service: Service, blog: str, *options: str) -> str:
    """Send all posts of a blog by the script of docs/; return what it prints."""
    guide = read_project_file("docs/connecting.md")
    function, script = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    return subprocess.check_output(
        [sys.executable, "-c", function.partition("\nsend(")[0] + script, *options],
        env={"TOKEN": service.token, "FEEDS": service.url, "BLOG": blog},
        text=True,
    )
