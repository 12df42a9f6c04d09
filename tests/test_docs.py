"""The documents say what is so: every setting, command, field, error and link, and their curl lines."""

import json
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from feedsvc.cli.commands import commands
from feedsvc.concurrency import ALL_WORK
from feedsvc.errors import FeedsvcError
from feedsvc.feeds.query import PARAMETERS
from feedsvc.models import SCOPES
from tests.commands import command_names, run
from tests.conftest import ApiClient, MakeApp
from tests.data import read
from tests.full_entries import MEMBERS
from tests.programs import serving
from tests.server import ROOT, Service, read_project_file
from tests.settings import setting_names
from tests.wordpress.blogs import run_documented_script

DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
OPERATING = read_project_file("docs/operating.md")
API = read_project_file("docs/api.md")
FEEDS = read_project_file("docs/feeds.md")
PARTNERS = read_project_file("docs/partners.md")
CONNECTING = read_project_file("docs/connecting.md")


@pytest.mark.parametrize(
    ("file", "form", "names"),
    [
        ("docs/operating.md", "\n- `{}`", setting_names()),
        ("docs/operating.md", "`{}", command_names(commands)),
        ("docs/operating.md", "`{}`", SCOPES),
        ("docs/api.md", "`{}`", SCOPES),
        ("docs/api.md", "`{}`", MEMBERS),
        (
            "docs/api.md",
            "\n| {} | ",
            [error.status for error in FeedsvcError.__subclasses__()],
        ),
        ("docs/feeds.md", "`{}`", PARAMETERS),
    ],
)
def test_every_name_is_documented(file: str, form: str, names: Iterable[Any]) -> None:
    text = read_project_file(file)
    lacking = [name for name in names if form.format(name) not in text]
    assert not lacking, f"{file} lacks {lacking}"


def test_every_route_is_documented(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/static/"):
            stem = rule.rule.partition("<")[0].rstrip("/")
            assert stem in API + FEEDS + OPERATING, f"docs/ lack {rule.rule}"


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\((?!http)([^)]+)", path.read_text("utf-8")):
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_documented_commands_run(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = make_app()
    run(app, "demo")
    feed = '<rss version="2.0"><channel><title>t</title></channel></rss>'
    (tmp_path / "calendar.ics").write_text("BEGIN:VCALENDAR\nEND:VCALENDAR\n")
    text = "\n".join(path.read_text("utf-8") for path in DOCUMENTS)
    lines = {
        line.strip()
        for line in re.findall(r"\.venv/bin/feedsvc ([^`\n#|&;]+)", text)
        # Not those with a place to fill in.
        if not re.search("…|COMMAND", line)
    }
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
        answer = subprocess.check_output(
            ["bash", "-o", "pipefail", "-c", f"curl -sf {own}"],
            env={**service.environ, "TOKEN": service.token},
            text=True,
        )
        answers.append(answer)
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
        assert '"errors"' not in "".join(answers), "in a batch"


def test_json_of_documents_is_taken(editor: ApiClient) -> None:
    blocks = re.findall(r'^ {4}(\{"title".*\n(?: {5}.*\n)*)', FEEDS, re.MULTILINE)
    assert len(blocks) == 4
    for number, block in enumerate(blocks):
        editor.put(f"/events/{number}", json.loads(block))
    member = r'`\{?("\w{3,}": (?:null|"[^"]*")[^`}]*)\}?`'
    texts = set(re.findall(member, API + FEEDS + CONNECTING))
    assert len(texts) > 6
    for text in sorted(texts):
        path = "/events/0?dry_run=true"
        patched = editor.send("PATCH", path, json.loads(f"{{{text}}}"))
        assert patched.status_code == 200, text


LANGUAGES = {
    "python": [sys.executable, "-"],
    "php": ["php"],
    "javascript": ["node", "--input-type=module", "-"],
}
"""The languages of examples, and the commands that run a script of standard input."""


def run_script(
    language: str, script: str, environ: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    command = LANGUAGES[language]
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run(
        command, input=script, env=environ, capture_output=True, text=True
    )


def busy(service: Service) -> HTTPServer:
    """Return a server before a service, which is busy at the first two requests."""
    statuses = [503, 429]

    class Busy(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
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

    return HTTPServer(("127.0.0.1", 0), Busy)


def example(language: str) -> str:
    """Return the first example in a language that calls the API."""
    script, *_ = re.findall(rf"```{language}\n(.*?)```", CONNECTING, re.DOTALL)
    return str(script)


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_take_no_redirect_for_a_success(
    shared_service: Service, language: str
) -> None:
    """A server may redirect http to https, where a PUT would become a GET."""

    class Moved(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(301)
            self.send_header("Location", shared_service.url + self.path)
            self.end_headers()

    script = example(language)
    (path,) = set(re.findall(r"/articles/cms-\d+", script))
    shared_service.put(path, {"title": "Cũ"})
    with serving(HTTPServer(("127.0.0.1", 0), Moved)) as url:
        token = shared_service.token
        environ = {**shared_service.environ, "TOKEN": token, "FEEDS": url}
        done = run_script(language, script, environ)
    assert done.returncode != 0
    stored = shared_service.request("GET", f"/api/v1{path}").json()
    assert stored["title"] == "Cũ"
    shared_service.request("DELETE", f"/api/v1{path}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_examples_try_again_while_busy_and_say_why_a_document_is_refused(
    shared_service: Service, language: str
) -> None:
    script = example(language)
    shared_service.put("/categories/van-hoa", {"title": "Văn hóa"})
    before = shared_service.request("GET", "/api/v1/changes").json()["next"]
    with serving(busy(shared_service)) as url:
        environ = {
            **shared_service.environ,
            "TOKEN": shared_service.token,
            "FEEDS": url,
        }
        done = run_script(language, script, environ)
        assert done.returncode == 0, done.stdout + done.stderr
        changes = shared_service.request("GET", f"/api/v1/changes?after={before}")
        assert len(changes.json()["changes"]) == 1
        wrong = script.replace('"Xin chào"', '""').replace("'Xin chào'", "''")
        done = run_script(language, wrong, environ)
    assert done.returncode != 0
    assert "#/title" in done.stdout + done.stderr


PAGES = read("wordpress")
"""Pages of WordPress's REST API: a secret post, one without a title, and another one."""

EXPECTED = PAGES.pop("expected")
"""The article and the categories that the script sends."""


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


def test_headlines_of_partners_are_printed(shared_service: Service) -> None:
    for number in range(6):
        shared_service.put(f"/articles/{number}", {"title": f"Tin {number} <&>"})
    for status in ("published", "withdrawn"):
        wrong = {"title": "Đăng nhầm", "status": status}
        shared_service.put("/articles/wrong", wrong)
    (script,) = re.findall(r"```python\n(.*?)```", PARTNERS, re.DOTALL)
    script = script.replace("https://feeds.example", shared_service.url)
    printed = subprocess.check_output([sys.executable, "-c", script], text=True)
    first, *others = printed.splitlines()
    assert len(others) == 4
    link = f'<a href="{shared_service.url}/entries/5">Tin 5 &lt;&amp;&gt;</a>'
    assert first == f"<li>{link}</li>"


def test_copy_of_partners_is_made(shared_service: Service, tmp_path: Path) -> None:
    shared_service.put("/articles/copied", {"title": "Tin"})
    commands = re.findall(r"^ {4}((?:python|sqlite3) .*)$", PARTNERS, re.MULTILINE)
    replicate, select = (shlex.split(command) for command in commands)
    replicate[:3] = [
        sys.executable,
        str(ROOT / "docs/replicate.py"),
        shared_service.url,
    ]
    subprocess.run(replicate, cwd=tmp_path, check=True)
    with closing(sqlite3.connect(tmp_path / select[1])) as copy:
        assert ("Tin", "published", None) in copy.execute(select[2])


def test_script_for_wordpress_sends_all_that_the_api_takes(
    service: Service,
) -> None:
    service.put("/categories/tin", {"title": "Tin của cổng"})
    with serving(HTTPServer(("127.0.0.1", 0), Blog)) as url:
        rehearsed = run_documented_script(service, url, "--dry-run")
        assert service.request("GET", "/api/v1/articles").json()["items"] == []
        printed = run_documented_script(service, url)
    assert rehearsed == printed
    (item,) = service.request("GET", "/api/v1/articles").json()["items"]
    entry = service.request("GET", f"/api/v1/articles/{item['id']}").json()
    assert EXPECTED["article"].items() <= entry.items()
    listed = service.request("GET", "/api/v1/categories").json()
    assert [
        [category["slug"], category["title"], category.get("parent")]
        for category in listed["categories"]
    ] == EXPECTED["categories"]
    assert re.findall("^not sent: (.*): HTTP Error 422", printed, re.MULTILINE) == [
        PAGES["posts"][0][1]["link"]
    ]


POST_FOLDER = ROOT / "docs/post_folder.py"


def post_folder(service: Service, folder: Path) -> tuple[int, str]:
    """Post a folder; return the exit status, and what is printed."""
    environ = {**service.environ, "FEEDS": service.url, "TOKEN": service.token}
    script = [sys.executable, str(POST_FOLDER), str(folder)]
    done = subprocess.run(
        script, env=environ, capture_output=True, text=True, timeout=120
    )
    return done.returncode, done.stdout or done.stderr


def test_office_posts_a_folder_again_and_again(
    service: Service, tmp_path: Path
) -> None:
    folder = tmp_path / "town-hall"
    folder.mkdir()
    guide = CONNECTING.partition("## Without a CMS")[2].partition("\n## ")[0]
    article, table = re.findall(r"(?:^    .*\n|^\n(?=    ))+", guide, re.MULTILINE)[1:]
    (folder / "thông báo.md").write_text(textwrap.dedent(article), "utf-8")
    (folder / "day.md").write_text("24.12.2026\nkind: events\n\nx")
    events = folder / "events.csv"
    events.write_text(textwrap.dedent(table).strip(), "utf-8-sig")

    def post() -> tuple[int, str]:
        return post_folder(service, folder)

    script = [sys.executable, str(POST_FOLDER), str(folder)]
    done = subprocess.run(script, env=service.environ, capture_output=True, text=True)
    assert done.stderr.startswith("First: export FEEDS=")
    refused = "town-hall/thông báo.md: #/categories/0 There is no category “van-hoa”."
    returncode, printed = post()
    assert (returncode, printed.partition(" GET")[0]) == (1, refused)
    assert service.request("GET", "/api/v1/events").json()["items"] == []
    service.put("/categories/van-hoa", {"title": "Văn hóa"})
    assert post() == (0, "3 entries are posted.\n")
    events.write_text(
        events.read_text("utf-8-sig").replace("24.12.2026", "26/12/26") + "\n;;;;\n"
    )
    assert post()[0] == 0
    items = service.request("GET", "/api/v1/articles").json()["items"]
    ids = {item["title"]: item["id"] for item in items}
    assert {*ids} == {"24.12.2026", "Thư viện mở cửa"}
    path = f"/api/v1/articles/{ids['Thư viện mở cửa']}"
    stored = service.request("GET", path).json()
    assert stored["content_html"] == "<p>Từ <strong>8 giờ</strong>.</p>"
    assert stored["version"] == 1
    (event,) = service.request("GET", "/api/v1/events").json()["items"]
    assert event["start"] == "2026-12-26T19:00:00+07:00"
    assert event["location"]["name"] == "Phố sách"
    for wrong, reason in (
        (
            "title,start\nBuch,2026-12-24\n",
            "The first line needs a column `id`, and each row an `id`.",
        ),
        ("id,title\n1,a\n1,b\n", "Each row needs an `id` of its own."),
        ("id,title\n1,a\n1 ,b\n", "Each row needs an `id` of its own."),
        (
            f"id,title\n1,{'x' * 200_000}\n",
            "field larger than field limit (131072)",
        ),
        (
            "id,location.address,location\n1,a,b\n",
            "Write `location.name` in place of `location`.",
        ),
        ("id,title\n1,Bücher\n", "Save it in UTF-8, a table as “CSV UTF-8”."),
    ):
        events.write_text(wrong, "cp1252")
        assert post() == (1, f"town-hall/events.csv: {reason}\n")
    events.unlink()
    service.kill()
    assert post()[1].startswith(f"{service.url}: <urlopen error ")


@pytest.mark.parametrize(
    ("first", "last", "member"),
    [
        ("guid: a:1", "guid: a:1", "guid"),
        ("guid: 5d2c", "guid: urn:uuid:5d2c", "guid"),
        ("guid: URN:UUID:5d2c", "guid: 5d2c", "guid"),
        ("translation_key: k", "translation_key: k", "translation_key"),
        ("translation_key: k", "translation_key: k\nlanguage: VI", "translation_key"),
        (
            "translation_key: k\nlanguage: en-gb",
            "translation_key: k\nlanguage: en_GB",
            "translation_key",
        ),
    ],
)
def test_folder_with_one_refused_entry_is_not_posted(
    shared_service: Service, tmp_path: Path, first: str, last: str, member: str
) -> None:
    folder = tmp_path / "office"
    folder.mkdir()
    (folder / "000.md").write_text(f"First\n{first}\n\nx")
    for number in range(1, 100):
        (folder / f"{number:03}.md").write_text("Other\n\nx")
    (folder / "100.md").write_text(f"Last\n{last}\n\nx")
    message = f"office/100.md: #/{member} office/000.md has the same.\n"
    assert post_folder(shared_service, folder) == (1, message)
    articles = shared_service.request("GET", "/api/v1/articles").json()["items"]
    assert not {"First", "Other", "Last"} & {each["title"] for each in articles}


def test_folder_with_translations_is_posted(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "office"
    folder.mkdir()
    for number, members in enumerate(
        (
            "translation_key: k",
            "translation_key: k\nlanguage: en",
            "translation_key: k\nlanguage: en-GB",
            "translation_key: K",
            "guid: a",
            "guid: A",
        )
    ):
        (folder / f"{number}.md").write_text(f"Title\n{members}\n\nx")
    table = "id,title,start,translation_key\n1,Event,2026-12-24,k\n"
    (folder / "events.csv").write_text(table)
    assert post_folder(service, folder) == (0, "7 entries are posted.\n")


@pytest.mark.parametrize("is_file", [True, False])
def test_path_that_is_no_folder_is_named(
    shared_service: Service, tmp_path: Path, is_file: bool
) -> None:
    path = tmp_path / "office"
    if is_file:
        path.touch()
    message = f"{path}: There is no such folder.\n"
    assert post_folder(shared_service, path) == (1, message)


def figures(name: str) -> dict[str, dict[str, str]]:
    """Return the cells of a document's first table, by row and column."""
    text = read_project_file(name)
    table = re.search(r"(^\|.*\|\n)+", text, re.MULTILINE)
    assert table
    lines = re.findall(r"^\| (.*) \|$", table[0], re.MULTILINE)
    header, *rows = [line.split(" | ") for line in lines]
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def test_numbers_of_requests_at_the_same_time_are_documented() -> None:
    rows = re.findall(r"\| ([a-z ]+)[^|]* \| (\d+) \| (\d+) s \|", OPERATING)
    assert sorted(rows) == sorted(
        (work.name, str(work.places), str(work.seconds)) for work in ALL_WORK
    )


def test_figures_of_readme_are_those_of_performance() -> None:
    measured = figures("docs/performance.md")
    section = read_project_file("README.md").partition("## How large, how fast")[2]
    assert re.findall(r"\d+\.\d+", section.partition("##")[0]) == [
        measured[row][column]
        for row in ("cold RSS", "304", "first RSS", "PUT")
        for column in ("feedsvc", "Django", "by hand")
        if measured[row][column] != "–"
    ]
