"""`feedsvc serve` migrates the database and becomes gunicorn."""

import re
import shutil
import socket
import sqlite3
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.conftest import MakeApp
from tests.fork_server import run_module
from tests.integration.tmpfs import small_disk
from tests.programs import running
from tests.server import ROOT, Service, free_port
from tests.waiting import wait_until

NO_TITLE = (
    "Warning: FEEDSVC_SITE_TITLE is not set: this portal is published as "
    "“Cổng thông tin điện tử thành phố Hà Nội”."
)


def test_serve_creates_the_database_and_leaves_addresses_to_gunicorn(
    tmp_path: Path,
) -> None:
    service = Service(
        f"sqlite:///{tmp_path}/new/feedsvc.db",
        FEEDSVC_HUBS=f"http://127.0.0.1:{free_port()}/",
        FEEDSVC_QQQ="1",
    )
    service.is_forked = False
    with socket.create_server(("127.0.0.1", service.port)):
        port = free_port()
        service.url = f"http://127.0.0.1:{port}"
        service.environ["GUNICORN_CMD_ARGS"] = f"--bind=127.0.0.1:{port}"
        service.start(tmp_path / "log")
        assert service.request("GET", "/feeds/news.rss").status_code == 200
        service.kill()
    assert (tmp_path / "new/feedsvc.db").stat().st_mode & 0o777 == 0o600
    # Without pysqlite3, the journal mode is another one.
    warnings = [
        line
        for line in (tmp_path / "log").read_text().splitlines()
        if "warning" in line.lower() and "journal mode" not in line
    ]
    assert warnings == ["Warning: FEEDSVC_QQQ is not a setting.", NO_TITLE]


@pytest.mark.parametrize(
    ("options", "settings", "expected"),
    [
        ([], {}, [NO_TITLE]),
        ([], {"FEEDSVC_SITE_TITLE": ""}, [NO_TITLE]),
        # A translation is no title.
        ([], {"FEEDSVC_SITE_TITLE_EN": "City of Example"}, [NO_TITLE]),
        ([], {"FEEDSVC_SITE_TITLE": "City of Example"}, []),
        ([], {"FEEDSVC_SITE_TITLE_FILE": "{folder}/title"}, []),
        ([], {"FEEDSVC_SETTINGS": "{folder}/settings"}, []),
        (["--demo"], {}, []),
    ],
)
def test_serve_warns_once_if_no_title_is_set(
    tmp_path: Path, options: list[str], settings: dict[str, str], expected: list[str]
) -> None:
    (tmp_path / "title").write_text("City of Example\n")
    (tmp_path / "settings").write_text("FEEDSVC_SITE_TITLE=City of Example\n")
    named = {name: value.format(folder=tmp_path) for name, value in settings.items()}
    service = Service(
        f"sqlite:///{tmp_path}/feedsvc.db",
        # gunicorn loads the application in this process, and ends.
        GUNICORN_CMD_ARGS="--check-config",
        **named,
    )
    done = run_module(["feedsvc", "serve", *options], ROOT, service.environ)
    assert done.returncode == 0
    warnings = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert warnings == expected


def fail_to_serve(service: Service, error: str) -> None:
    command = ["feedsvc", "serve", "--demo"]
    done = run_module(command, ROOT, service.environ)
    # No token is printed, since no service takes it.
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(f"Error: {error}\n", done.stderr)


def test_serve_ends_with_one_line_without_its_database() -> None:
    service = Service(f"postgresql+psycopg://127.0.0.1:{free_port()}/x")
    fail_to_serve(service, "Database: connection failed.*")


def test_serve_ends_with_one_line_if_the_port_is_taken(tmp_path: Path) -> None:
    service = Service(f"sqlite:///{tmp_path}/feedsvc.db")
    with socket.create_server(("127.0.0.1", service.port)):
        fail_to_serve(service, ".*in use.*another PORT.*")


def test_demos_may_start_on_one_database_at_once(tmp_path: Path) -> None:
    service = Service(f"sqlite:///{tmp_path}/feedsvc.db")
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(service.command, ["demo"] * 4))
    assert sum("TOKEN=fsv_" in output for output in outputs) == 1


def test_own_sqlite_of_python_has_the_journal_mode_that_loses_nothing(
    sqlite_url: str, tmp_path: Path
) -> None:
    without_pysqlite3 = str(ROOT / "tests/own_sqlite")
    service = Service(sqlite_url, PYTHONPATH=without_pysqlite3)
    service.is_forked = False
    with closing(sqlite3.connect(tmp_path / "feedsvc.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    service.start(tmp_path / "log")
    service.token = service.command("token", "create", "cms").strip()
    service.put("/articles/a", {"title": "Một"})
    service.kill()
    with closing(sqlite3.connect(tmp_path / "feedsvc.db")) as connection:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    is_fixed = sqlite3.sqlite_version_info >= (3, 51, 3)
    assert mode == ("wal" if is_fixed else "delete")
    warnings = (tmp_path / "log").read_text().count("journal mode")
    assert warnings == (0 if is_fixed else 1)


def test_make_dev_reloads_a_template(tmp_path: Path) -> None:
    for name in ("Makefile", "wsgi.py"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "feedsvc", tmp_path / "feedsvc")
    service = Service(f"sqlite:///{tmp_path}/feedsvc.db", PYTHONPATH=str(tmp_path))
    programs = Path(sys.executable).parent

    def shows(text: str) -> bool:
        # While it starts anew, a response may also be cut off.
        with suppress(requests.RequestException):
            return text in service.request("GET", "/").text
        return False

    with running(
        ["make", f"BIN={programs}", "-o", f"{programs}/feedsvc", "dev"],
        tmp_path / "log",
        lambda: shows("<title>"),
        tmp_path,
        **service.environ,
    ):
        template = tmp_path / "feedsvc/pages/templates/base.html"
        with template.open("a") as file:
            file.write("new template")
        wait_until(lambda: shows("new template"))


def test_database_before_its_upgrade_is_reported(
    make_app: MakeApp, tmp_path: Path
) -> None:
    path = tmp_path / "none.db"
    app = make_app(database_url=f"sqlite:///{path}", migrate=False)
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    for url in ("/feeds/news.rss", "/", "/readyz", "/api/v1/changes"):
        response = client.get(url)
        assert response.status_code == 503, url
    assert "run `feedsvc db upgrade`" in client.get("/readyz").text
    assert not path.exists()


def test_writes_go_on_after_the_file_system_was_read_only(
    tmp_path: Path,
) -> None:
    document = {"title": "Một"}
    with small_disk(tmp_path / "disk") as disk:
        # A name that a URI must escape.
        service = Service(f"sqlite:///{disk.path}/50%20 #1?.db", WEB_CONCURRENCY="1")
        service.within = disk.within
        with service:
            assert service.request("PUT", "/api/v1/articles/a", document).ok
        disk.mount("ro")
        with service, ThreadPoolExecutor(8) as pool:
            # Connections that are in use when the file system changes, and after it.
            paths = [
                f"/feeds/news.{format}?limit={n}"
                for n in range(1, 101)
                for format in ("rss", "atom", "json")
            ]
            feeds = pool.map(partial(service.request, "GET"), paths)
            response = service.request("PUT", "/api/v1/articles/b", document)
            assert response.status_code == 503
            disk.mount("rw")
            assert all("Một" in feed.text for feed in feeds)
            wait_until(lambda: service.request("PUT", "/api/v1/articles/b", document))
