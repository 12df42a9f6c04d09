"""Use the package that is found first, and print as JSON what it can do."""

import json
from pathlib import Path

import feedsvc
from feedsvc.app import create_app
from feedsvc.cli.commands import commands
from feedsvc.config import Config, unknown_settings
from feedsvc.feeds.query import FORMATS
from feedsvc.services import get_services

app = create_app(Config.from_env())
services = get_services(app)
runner = app.test_cli_runner()
assert runner.invoke(commands, ["db", "upgrade"]).exit_code == 0
token = runner.invoke(commands, ["token", "create", "editor"]).output.strip()
services.background.tick()
client = app.test_client()
headers = {"Authorization": f"Bearer {token}"}

article = {"title": "Article", "categories": ["a"]}
event = {"title": "Event", "start": "2030-01-01T10:00:00Z", "categories": ["a"]}
writes = [
    ("PUT", "/categories/a", {"title": "A"}),
    ("PUT", "/articles/x", article),
    ("PUT", "/events/y", event),
    ("PUT", "/events/z", event),
    ("PATCH", "/articles/x", {"title": "Other"}),
    ("DELETE", "/events/z", None),
]
statuses = {
    f"{method} {path}": client.open(
        f"/api/v1{path}", method=method, json=document, headers=headers
    ).status_code
    for method, path, document in writes
}
reads = [
    "/",
    "/entries/x",
    "/entries/y.ics",
    "/static/style.css",
    "/api/v1/changes",
    *(
        f"/feeds/{kind}{category}.{name}"
        for name, format in FORMATS.items()
        for kind in format.kinds
        for category in ("", "/a")
    ),
]
rss = client.get("/feeds/news/a.rss").text
others = ["/feeds.opml", "/static/samples/ho-guom.svg"]
for path in (*reads, *others):
    statuses[path] = client.get(path, buffered=True).status_code

db, serve = (commands.commands[name] for name in ("db", "serve"))
found = {
    "package": str(Path(feedsvc.__file__).parent),
    "import": "import" in commands.commands,
    "db copy": "copy" in db.commands,  # type: ignore[attr-defined]
    "demo": "demo" in commands.commands,
    "serve --demo": any("--demo" in option.opts for option in serve.params),
    "link to the hub": "https://hub.example/" in rss,
    "threads of hubs": len(services.background.tasks),
    "warnings": unknown_settings(),
    **{path: statuses.pop(path) for path in others},
    "core": statuses,
}
print(json.dumps(found))
