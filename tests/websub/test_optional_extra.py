"""The extra `websub` is optional: the application works without its libraries."""

from __future__ import annotations

import subprocess
import sys

import pytest

from feedsvc.services import get_services
from tests.conftest import ApiClient, MakeApp
from tests.server import ROOT, Service

LIBRARIES = ("aiohttp", "publicsuffixlist")


def test_wsgi_imports_no_library_of_the_extra(sqlite_url: str) -> None:
    code = f"import sys, wsgi; print([m for m in {LIBRARIES} if m in sys.modules])"
    output = subprocess.check_output(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=Service(sqlite_url).environ,
        text=True,
    )
    assert output == "[]\n"


def test_app_without_public_suffix_list_has_no_hub(
    make_app: MakeApp,
    editor: ApiClient,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "publicsuffixlist", None)  # as if not installed
    monkeypatch.setattr("feedsvc.services.run_periodically", lambda *_: None)
    app = make_app()
    get_services(app).start()
    client = app.test_client()
    assert "install feedsvc[websub]" in caplog.text
    assert client.post("/hub").status_code == 404
    assert 'rel="hub"' not in client.get("/feeds/news.rss").headers["Link"]


def test_deliver_without_aiohttp_names_the_extra(sqlite_url: str) -> None:
    code = (
        "import sys; sys.modules['aiohttp'] = None; sys.argv = ['feedsvc', 'deliver'];"
        "from feedsvc.__main__ import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=Service(sqlite_url).environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "pip install feedsvc[websub]" in done.stderr
    assert done.stderr.count("\n") == 1
