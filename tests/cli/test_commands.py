"""Commands for the database and tokens; each error is one sentence."""

import os
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from feedsvc.models import SCOPES, Category
from feedsvc.services import get_services
from feedsvc.storage.categories import put_category
from tests.commands import invoke, run
from tests.conftest import ApiClient, MakeApp
from tests.data import read_tables
from tests.fake_clock import Clock
from tests.server import ROOT, Service


@pytest.mark.parametrize(
    ("arguments", "status"),
    read_tables("commands")["wrong_usage"],
)
def test_wrong_usage_is_one_sentence(app: Flask, arguments: str, status: int) -> None:
    done = invoke(app, *arguments.split())
    assert done.exit_code == status
    assert re.search(r"(?m)^Error: [^\n]+\Z", done.output.rstrip())


def test_tokens_are_listed_with_their_state_and_categories(
    app: Flask, editor: ApiClient, clock: Clock
) -> None:
    create, revoke = ("token", "create"), ("token", "revoke")
    run(app, *create, "lan", "--category", "giao-thong")
    run(app, *create, "nam", "--scope", "news:write")
    for name in ("lan", "nam", "nam"):
        run(app, *revoke, name)
        clock.forward(days=1)
    for slug in ("giao-thong", "van-hoa"):
        editor.send("PATCH", f"/categories/{slug}", {"slug": f"{slug}-moi"})
    # A revoked one is replaced, and slugs are the current ones.
    run(
        app,
        *create,
        "lan",
        "--category",
        "giao-thong",
        "--category",
        "van-hoa-moi",
    )
    run(app, *create, "hoa", "--days", "1")
    assert run(app, "token", "list").splitlines() == [
        "editor\tcategories:write events:write news:write\t2026-11-25\tactive",
        f"hoa\t{' '.join(sorted(SCOPES))}\t2026-11-28\texpires 2026-11-29",
        "lan\tevents:write news:write\t2026-11-28\tactive\tgiao-thong-moi\tvan-hoa-moi",
        "nam\tnews:write\t2026-11-25\trevoked 2026-11-26",
    ]


def test_token_ends_after_its_days_and_leaves_its_name(
    app: Flask, client: FlaskClient, clock: Clock
) -> None:
    create = ("token", "create", "lan", "--days", "30")
    cms = ApiClient(client, run(app, *create).strip())
    clock.forward(days=30, seconds=-1)
    cms.put("/articles/a", {"title": "x"})
    assert invoke(app, *create).exit_code == 1
    clock.forward(seconds=1)
    refused = cms.send("GET", "/articles/a")
    assert refused.status_code == 401
    assert "The token has expired" in refused.get_json()["detail"]
    forever = ApiClient(client, run(app, *create[:3]).strip())
    clock.forward(days=9999)
    forever.put("/articles/a", {"title": "y"})
    run(app, "token", "revoke", "lan")
    assert "was revoked" in forever.send("GET", "/articles/a").get_json()["detail"]


def test_token_of_the_settings_file_works_against_its_service(
    tmp_path: Path,
) -> None:
    """As documented: the service and commands read the same file."""
    file = tmp_path / "feedsvc.env"
    template = (ROOT / "deploy/feedsvc.env").read_text("utf-8")
    file.write_text(template.replace("/var/lib/feedsvc/", f"{tmp_path}/lib/"))
    with Service("", FEEDSVC_SETTINGS=str(file)) as service:
        create = ("token", "create", "cms", "--scope", "news:write")
        service.token = service.command(*create).strip()
        assert service.request("GET", "/api/v1/articles").status_code == 200


def test_help_needs_no_settings() -> None:
    output = Service("", PORT="http").command("--help")
    for name in ("db", "demo", "import", "serve", "token"):
        assert re.search(rf"(?m)^  {name} ", output)


def test_files_with_data_are_readable_by_their_owner_alone(
    make_app: MakeApp, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    url = f"sqlite:///{folder}/feedsvc.db"
    old_umask = os.umask(0)
    try:
        app = make_app(database_url=url)
        with get_services(app).database.write() as transaction:
            put_category(transaction, Category("a", "A"))
            transaction.session.flush()
            modes = {
                path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()
            }
    finally:
        os.umask(old_umask)
    assert set(modes.values()) == {0o600}
    assert modes.keys() & {"feedsvc.db-wal", "feedsvc.db-journal"}


def test_restored_names_the_time_from_which_cursors_are_valid(
    app: Flask, editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    clock.forward(hours=1)
    editor.put("/articles/later", {"title": "x"})
    cursor = client.get("/api/v1/changes").get_json()["next"]
    # The entry is lost by the restore, and the clock is behind.
    editor.send("DELETE", "/articles/later")
    clock.forward(hours=-0.5)
    assert "2026-11-25 04:00:00 UTC" in run(app, "db", "restored")
    clock.forward(hours=1)
    assert "2026-11-25 04:30:00 UTC" in run(app, "db", "restored")
    changes = client.get(f"/api/v1/changes?after={cursor}")
    assert changes.status_code == 410
