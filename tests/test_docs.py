"""The documents say what is so: every setting, command, field, error and link, and the README's curl lines."""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import click
import pytest
from flask import Flask

from feedsvc.cli.commands import commands
from feedsvc.feeds.query import FORMATS, PARAMETERS
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from feedsvc.web.errors import STATUSES
from tests.commands import run
from tests.conftest import MakeApp
from tests.server import ROOT, Service
from tests.settings import setting_names

OPERATING = (ROOT / "docs/operating.md").read_text("utf-8")
API = (ROOT / "docs/api.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
FEEDS = (ROOT / "docs/feeds.md").read_text("utf-8")
PARTNERS = (ROOT / "docs/partners.md").read_text("utf-8")
CONNECTING = (ROOT / "docs/connecting.md").read_text("utf-8")


@pytest.mark.parametrize("name", sorted(setting_names()))
def test_every_setting_is_documented(name: str) -> None:
    assert f"\n- `{name}`" in OPERATING


def command_names(group: click.Group, prefix: str = "") -> list[str]:
    return [
        name
        for key, command in group.commands.items()
        for name in (
            command_names(command, f"{key} ")
            if isinstance(command, click.Group)
            else [prefix + key]
        )
    ]


@pytest.mark.parametrize("name", command_names(commands))
def test_every_command_is_documented(name: str) -> None:
    assert f"`{name}" in OPERATING


def test_every_field_is_documented(app: Flask) -> None:
    for name in get_services(app).entry_schemas["events"].fields:
        assert f"`{name}`" in API, f"docs/api.md lacks {name}"


def test_every_feed_parameter_and_format_is_documented() -> None:
    for name in (*FORMATS, *PARAMETERS):
        assert f"`{name}`" in FEEDS, f"docs/feeds.md lacks {name}"


def test_every_error_and_scope_is_documented() -> None:
    for status in STATUSES.values():
        assert f"\n| {status} | " in API
    for scope in SCOPES:
        assert f"`{scope}`" in API
        assert f"`{scope}`" in OPERATING


def test_every_route_is_documented(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/static/"):
            stem = rule.rule.partition("<")[0].rstrip("/")
            assert stem in README + API, rule.rule


@pytest.mark.parametrize(
    "path", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda path: path.name
)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", path.read_text("utf-8")):
        assert (path.parent / target).exists(), target


def documented_commands() -> list[str]:
    """Return the arguments of each command that is written out in the documents."""
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]
    text = "\n".join(path.read_text("utf-8") for path in paths)
    found = {
        command.strip()
        for command in re.findall(r"\.venv/bin/feedsvc ([^`\n#|&;]+)", text)
    }
    # Not those with a place to fill in.
    return [command for command in found if not re.search("…|COMMAND", command)]


def test_documented_commands_run(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = make_app()
    # An empty file would be no export.
    run(app, "demo")
    feed = '<rss version="2.0"><channel><title>t</title></channel></rss>'
    (tmp_path / "calendar.ics").write_text("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
    lines = documented_commands()
    assert len(lines) > 6
    # In the order in which they find what they need.
    for line in sorted(lines, key=lambda line: line.startswith("import")):
        target = app
        if line == "import all.ndjson":
            target = make_app(database_url=f"sqlite:///{tmp_path}/new.db")
        run(target, *shlex.split(line), input=feed)


def run_curl_lines(service: Service, text: str) -> list[str]:
    """Run each curl command of a document, in order; return the answers."""
    answers = []
    for line in re.findall(r"^ {4,8}curl (.*)$", text, re.MULTILINE):
        own = line.replace("localhost:8000", f"127.0.0.1:{service.port}")
        done = subprocess.run(
            ["bash", "-c", f"curl -sf {own}"],
            env={**service.environ, "TOKEN": service.token},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, line
        answers.append(done.stdout)
    return answers


def test_commands_of_readme_run(database_url: str) -> None:
    service = Service(database_url)
    token = re.search(r"TOKEN=(fsv_\w+)", service.command("demo"))
    assert token
    service.token = token[1]
    with service:
        article, event, feed = run_curl_lines(service, README)
    assert '"title":"Xin chào"' in article
    assert '"title":"Hội sách"' in event
    assert "Xin chào" in feed


@pytest.mark.parametrize("guide", [API, CONNECTING], ids=["api", "connecting"])
def test_commands_of_guides_run_on_an_empty_database(
    database_url: str, guide: str
) -> None:
    with Service(database_url) as service:
        create = re.search(r"\.venv/bin/feedsvc (token create [^`\n]+)", guide)
        assert create
        service.token = service.command(*create[1].split()).strip()
        answers = run_curl_lines(service, guide)
        assert answers
        assert not [answer for answer in answers if '"errors"' in answer], "in a batch"


POST = {
    "guid": {"rendered": "https://blog.example/?p=7"},
    "link": "https://blog.example/cau-moi/",
    "date_gmt": "2026-11-01T01:00:00",
    "title": {"rendered": "Cầu mới &#8211; <em>thông xe</em>"},
    "content": {"rendered": "<p>Hai làn.</p>", "protected": False},
    "_embedded": {
        "wp:featuredmedia": [
            {"source_url": "https://blog.example/cau.jpg", "alt_text": "Cầu"}
        ],
        "wp:term": [
            [
                {"taxonomy": "category", "slug": "tin", "name": "Tin"},
                {"taxonomy": "category", "slug": "le-hoi", "name": "Lễ &amp; hội"},
            ],
            [{"taxonomy": "post_tag", "slug": "cau", "name": "Cầu"}],
        ],
    },
}
SECRET_POST = {
    **POST,
    "guid": {"rendered": "https://blog.example/?p=8"},
    "content": {"rendered": "", "protected": True},
}


class Blog(BaseHTTPRequestHandler):
    """WordPress's REST API, with two pages of one post."""

    def do_GET(self) -> None:
        """Answer with one page."""
        post = POST if self.path.endswith("&page=1") else SECRET_POST
        self.send_response(200)
        self.send_header("X-WP-TotalPages", "2")
        self.end_headers()
        self.wfile.write(json.dumps([post]).encode())


def test_headlines_of_partners_are_printed(service: Service) -> None:
    service.make_token(*SCOPES)
    for number in range(6):
        article = {"title": f"Tin {number} <&>"}
        assert service.request("PUT", f"/api/v1/articles/{number}", article).ok
    (script,) = re.findall(r"```python\n(.*?)```", PARTNERS, re.DOTALL)
    printed = subprocess.check_output(
        [sys.executable, "-c", script.replace("https://feeds.example", service.url)],
        text=True,
    )
    lines = printed.splitlines()
    assert len(lines) == 5
    link = f'<li><a href="{service.url}/entries/5">Tin 5 &lt;&amp;&gt;</a></li>'
    assert lines[0] == link


def test_copy_of_partners_is_made(service: Service, tmp_path: Path) -> None:
    service.make_token(*SCOPES)
    assert service.request("PUT", "/api/v1/articles/a", {"title": "Tin"}).ok
    commands = re.findall(r"^ {4}((?:python|sqlite3) .*)$", PARTNERS, re.MULTILINE)
    replicate, select = (shlex.split(command) for command in commands)
    replicate[:3] = [sys.executable, str(ROOT / "docs/replicate.py"), service.url]
    subprocess.run(replicate, cwd=tmp_path, check=True)
    with closing(sqlite3.connect(tmp_path / select[1])) as copy:
        assert copy.execute(select[2]).fetchall() == [("Tin",)]


def test_scripts_of_connecting_run(service: Service) -> None:
    service.make_token(*SCOPES)
    scripts = re.findall(r"```python\n(.*?)```", CONNECTING, re.DOTALL)
    environ = {**service.environ, "TOKEN": service.token, "FEEDS": service.url}
    # The category of the first script does not exist.
    done = subprocess.run(
        [sys.executable, "-c", scripts[0]],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 1
    assert "#/categories/0" in done.stdout
    for slug, title in (("van-hoa", "Văn hóa"), ("tin", "Tin của cổng")):
        path = f"/api/v1/categories/{slug}"
        assert service.request("PUT", path, {"title": title}).ok
    with HTTPServer(("127.0.0.1", 0), Blog) as blog:
        thread = threading.Thread(target=blog.serve_forever)
        thread.start()
        environ["BLOG"] = f"http://127.0.0.1:{blog.server_port}"
        # The second script needs a function of the first one.
        script = "\n".join(scripts)
        try:
            subprocess.run([sys.executable, "-c", script], env=environ, check=True)
        finally:
            blog.shutdown()
            thread.join()
    (listed,) = service.request("GET", "/api/v1/articles").json()["items"]
    entry = service.request("GET", f"/api/v1/articles/{listed['id']}").json()
    expected = {
        "title": "Cầu mới – thông xe",
        "content_html": "<p>Hai làn.</p>",
        "url": "https://blog.example/cau-moi/",
        "date_published": "2026-11-01T01:00:00Z",
        "categories": ["tin", "le-hoi"],
        "image": {"url": "https://blog.example/cau.jpg", "alt": "Cầu"},
    }
    assert expected.items() <= entry.items()
    categories = service.request("GET", "/api/v1/categories").json()["categories"]
    assert [(category["slug"], category["title"]) for category in categories] == [
        ("le-hoi", "Lễ & hội"),
        ("tin", "Tin của cổng"),
        ("van-hoa", "Văn hóa"),
    ]
