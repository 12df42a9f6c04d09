"""The documents say what is so: every setting, command, field, error and link, and their curl lines."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import click
import pytest
from flask import Flask

from feedsvc.cli.commands import commands
from feedsvc.errors import FeedsvcError
from feedsvc.feeds.query import FORMATS, PARAMETERS
from feedsvc.models import SCOPES
from feedsvc.services import get_services
from tests.commands import run
from tests.conftest import MakeApp
from tests.server import ROOT, Service
from tests.settings import setting_names

OPERATING = (ROOT / "docs/operating.md").read_text("utf-8")
API = (ROOT / "docs/api.md").read_text("utf-8")
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
    for schema in get_services(app).entry_schemas.values():
        for name in schema.fields:
            assert f"`{name}`" in API, f"docs/api.md lacks {name}"


def test_every_feed_parameter_and_format_is_documented() -> None:
    for name in (*FORMATS, *PARAMETERS):
        assert f"`{name}`" in FEEDS, f"docs/feeds.md lacks {name}"


def test_every_error_and_scope_is_documented() -> None:
    for error in FeedsvcError.__subclasses__():
        assert f"\n| {error.status} | " in API
    for scope in SCOPES:
        assert f"`{scope}`" in API
        assert f"`{scope}`" in OPERATING


def test_every_route_is_documented(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/static/"):
            stem = rule.rule.partition("<")[0].rstrip("/")
            assert stem in API + FEEDS + OPERATING, f"docs/ lack {rule.rule}"


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-")
        for each in headings
    }


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")],
    ids=lambda path: path.name,
)
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)", path.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def documented_commands() -> list[str]:
    """Return the arguments of each command that is written out in the documents."""
    paths = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("docs/*.md"),
    ]
    text = "\n".join(path.read_text("utf-8") for path in paths)
    found = {
        command.strip()
        for command in re.findall(r"\.venv/bin/feedsvc ([^`\n#|&;]+)", text)
    }
    # Not those with a place to fill in.
    return [
        command for command in found if not re.search("…|COMMAND", command)
    ]


def test_documented_commands_run(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = make_app()
    run(app, "demo")
    feed = '<rss version="2.0"><channel><title>t</title></channel></rss>'
    (tmp_path / "calendar.ics").write_text("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
    lines = documented_commands()
    assert len(lines) > 6
    # In the order in which they find what they need.
    for line in sorted(lines, key=lambda line: line.startswith("import")):
        target = app
        if line.startswith("db copy"):
            target = make_app(database_url=f"sqlite:///{tmp_path}/new.db")
            line = line.replace("/var/lib/feedsvc", str(tmp_path))
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
        assert not [answer for answer in answers if '"errors"' in answer], (
            "in a batch"
        )


LANGUAGES = {
    "python": [sys.executable, "-"],
    "php": ["php"],
    "javascript": ["node", "--input-type=module", "-"],
}
"""The languages of examples, and the commands that run a script of standard input."""


def documented_scripts(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", CONNECTING, re.DOTALL)


def run_script(
    language: str, script: str, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    command = LANGUAGES[language]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(
        command, input=script, env=environ, capture_output=True, text=True
    )


@contextmanager
def running(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Run a server, and yield its URL."""
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def busy(service: Service) -> type[BaseHTTPRequestHandler]:
    """Return a server before a service, which is busy at the first two requests."""
    statuses = [503, 429]

    class Busy(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(
                int(self.headers.get("Content-Length") or 0)
            )
            if statuses:
                self.send_response(statuses.pop())
                self.send_header("Retry-After", "0")
                self.end_headers()
                return
            headers = {"Content-Type": self.headers["Content-Type"]}
            response = service.request(
                self.command, self.path, data=body, headers=headers
            )
            self.send_response(response.status_code)
            self.end_headers()
            self.wfile.write(response.content)

        do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815

    return Busy


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_try_again_while_the_service_is_busy(
    service: Service, language: str
) -> None:
    service.make_token(*SCOPES)
    category = {"title": "Văn hóa"}
    assert service.request("PUT", "/api/v1/categories/van-hoa", category).ok
    with running(busy(service)) as url:
        environ = {**service.environ, "TOKEN": service.token, "FEEDS": url}
        done = run_script(language, documented_scripts(language)[0], environ)
    assert done.returncode == 0, done.stdout + done.stderr
    changes = service.request("GET", "/api/v1/changes?after=0").json()[
        "changes"
    ]
    assert len(changes) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_say_why_a_document_is_refused(
    service: Service, language: str
) -> None:
    service.make_token(*SCOPES)
    environ = {**service.environ, "TOKEN": service.token, "FEEDS": service.url}
    script = documented_scripts(language)[0].replace('"Xin chào"', '""')
    script = script.replace("'Xin chào'", "''")
    done = run_script(language, script, environ)
    assert done.returncode != 0
    assert "#/title" in done.stdout + done.stderr


CATEGORIES: list[dict[str, Any]] = [
    {"id": 1, "slug": "uncategorized", "name": "Uncategorized", "parent": 0},
    {"id": 2, "slug": "am-nhac", "name": "Nhạc &amp; họa", "parent": 3},
    {"id": 3, "slug": "nghe-thuat", "name": "Nghệ thuật", "parent": 0},
    {"id": 4, "slug": "tin", "name": "Tin", "parent": 0},
    {"id": 5, "slug": "%d1%82%d0%b5%d0%bc%d0%b0", "name": "Тема", "parent": 0},
]
POST: dict[str, Any] = {
    "guid": {"rendered": "https://blog.example/?post_type=post&#038;p=7"},
    "link": "https://blog.example/cau-moi/",
    "date_gmt": "2026-11-01T01:00:00",
    "title": {"rendered": "Cầu mới &#8211; <em>thông xe</em>"},
    "content": {"rendered": "<p>Hai làn.</p>", "protected": False},
    "excerpt": {"rendered": "<p>Sáng <em>nay</em></p>"},
    "categories": [5, 2, 4, 1],
    "_embedded": {
        "author": [{"name": "Lan"}],
        "wp:featuredmedia": [
            {
                "source_url": "https://blog.example/cau.jpg",
                "alt_text": "Cầu",
                "caption": {"rendered": "<p>Cầu &amp; sông</p>"},
            }
        ],
    },
}
SECRET_POST: dict[str, Any] = {
    **POST,
    "guid": {"rendered": "https://blog.example/?p=8"},
    "content": {"rendered": "", "protected": True},
}
REFUSED_POST: dict[str, Any] = {
    **POST,
    "guid": {"rendered": "https://blog.example/?p=9"},
    "title": {"rendered": ""},
}
PAGES: dict[str, list[list[dict[str, Any]]]] = {
    "categories": [CATEGORIES],
    "posts": [[SECRET_POST, REFUSED_POST], [POST]],
}


class Blog(BaseHTTPRequestHandler):
    """WordPress's REST API."""

    def do_GET(self) -> None:
        """Answer with one page."""
        query = parse_qs(urlsplit(self.path).query)
        pages = PAGES[query["rest_route"][0].removeprefix("/wp/v2/")]
        self.send_response(200)
        self.send_header("X-WP-TotalPages", str(len(pages)))
        self.end_headers()
        self.wfile.write(json.dumps(pages[int(query["page"][0]) - 1]).encode())


def test_headlines_of_partners_are_printed(service: Service) -> None:
    service.make_token(*SCOPES)
    for number in range(6):
        article = {"title": f"Tin {number} <&>"}
        assert service.request("PUT", f"/api/v1/articles/{number}", article).ok
    (script,) = re.findall(r"```python\n(.*?)```", PARTNERS, re.DOTALL)
    printed = subprocess.check_output(
        [
            sys.executable,
            "-c",
            script.replace("https://feeds.example", service.url),
        ],
        text=True,
    )
    lines = printed.splitlines()
    assert len(lines) == 5
    link = (
        f'<li><a href="{service.url}/entries/5">Tin 5 &lt;&amp;&gt;</a></li>'
    )
    assert lines[0] == link


def test_copy_of_partners_is_made(service: Service, tmp_path: Path) -> None:
    service.make_token(*SCOPES)
    assert service.request("PUT", "/api/v1/articles/a", {"title": "Tin"}).ok
    commands = re.findall(
        r"^ {4}((?:python|sqlite3) .*)$", PARTNERS, re.MULTILINE
    )
    replicate, select = (shlex.split(command) for command in commands)
    replicate[:3] = [
        sys.executable,
        str(ROOT / "docs/replicate.py"),
        service.url,
    ]
    subprocess.run(replicate, cwd=tmp_path, check=True)
    with closing(sqlite3.connect(tmp_path / select[1])) as copy:
        assert copy.execute(select[2]).fetchall() == [("Tin",)]


def test_script_for_wordpress_sends_all_that_the_api_takes(
    service: Service,
) -> None:
    service.make_token(*SCOPES)
    own = {"title": "Tin của cổng"}
    assert service.request("PUT", "/api/v1/categories/tin", own).ok
    function, script = documented_scripts("python")
    function = function.partition("\nsend(")[0]
    environ = {**service.environ, "TOKEN": service.token, "FEEDS": service.url}
    with running(Blog) as url:
        done = run_script(
            "python", function + script, {**environ, "BLOG": url}
        )
    assert done.returncode == 0, done.stderr
    (listed,) = service.request("GET", "/api/v1/articles").json()["items"]
    entry = service.request("GET", f"/api/v1/articles/{listed['id']}").json()
    expected = {
        "guid": "https://blog.example/?post_type=post&p=7",
        "title": "Cầu mới – thông xe",
        "content_html": "<p>Hai làn.</p>",
        "url": "https://blog.example/cau-moi/",
        "date_published": "2026-11-01T01:00:00Z",
        "summary": "Sáng nay",
        "authors": [{"name": "Lan"}],
        "categories": ["category-5", "am-nhac", "tin"],
        "image": {
            "url": "https://blog.example/cau.jpg",
            "alt": "Cầu",
            "caption": "Cầu & sông",
        },
    }
    assert expected.items() <= entry.items()
    categories = service.request("GET", "/api/v1/categories").json()[
        "categories"
    ]
    assert [
        (category["slug"], category["title"], category.get("parent"))
        for category in categories
    ] == [
        ("am-nhac", "Nhạc & họa", "nghe-thuat"),
        ("category-5", "Тема", None),
        ("nghe-thuat", "Nghệ thuật", None),
        ("tin", "Tin của cổng", None),
    ]
    named = re.findall(
        "^not sent: (.*): HTTP Error 422", done.stdout, re.MULTILINE
    )
    refused = uuid.uuid5(
        uuid.NAMESPACE_URL, REFUSED_POST["guid"]["rendered"]
    ).hex
    assert named == [f"/articles/{refused}"]


def figures(name: str) -> dict[str, dict[str, str]]:
    """Return the cells of a document's first table, by row and column."""
    text = (ROOT / name).read_text("utf-8")
    table = re.search(r"(^\|.*\|\n)+", text, re.MULTILINE)
    assert table
    lines = re.findall(r"^\| (.*) \|$", table[0], re.MULTILINE)
    header, *rows = [line.split(" | ") for line in lines]
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def test_figures_of_readme_are_those_of_performance() -> None:
    measured = figures("docs/performance.md")
    shown = figures("README.md")
    assert shown
    for name, row in shown.items():
        for column, figure in list(row.items())[1:]:
            assert figure == measured[name][column], (
                f"README.md: {name}, {column}"
            )
