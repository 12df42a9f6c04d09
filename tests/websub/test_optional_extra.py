"""The extra `websub` is optional: the application works without its library."""

from __future__ import annotations

import subprocess
import sys

from tests.server import ROOT, Service


def test_wsgi_does_not_import_aiohttp(sqlite_url: str) -> None:
    code = "import sys, wsgi; print('aiohttp' in sys.modules)"
    output = subprocess.check_output(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=Service(sqlite_url).environ,
        text=True,
    )
    assert output == "False\n"


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
