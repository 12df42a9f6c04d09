"""The receiver and the command in docs/push.md work."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from flask.testing import FlaskClient

from feedsvc.storage import Storage
from tests.conftest import ApiClient
from tests.server import ROOT, free_port
from tests.waiting import wait_until
from tests.websub.conftest import PUBLIC

TEXT = (ROOT / "docs/push.md").read_text("utf-8")


def test_documented_receiver_works(
    client: FlaskClient,
    editor: ApiClient,
    storage: Storage,
    worker: None,
    tmp_path: Path,
) -> None:
    (script,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert script.count("\n") <= 35
    (trial, line) = re.findall(r"^    (curl .*)$", TEXT, re.MULTILINE)
    assert TEXT.index("FEEDSVC_ALLOW_PRIVATE_CALLBACKS=true make run") < TEXT.index(
        trial
    )
    assert "hub.callback=http://localhost:9000/" in trial
    form = dict(
        pair for text in shlex.split(line) if "=" in text for pair in parse_qsl(text)
    )
    port = free_port()
    file = tmp_path / "receiver.py"
    file.write_text(script)
    environ = {
        **os.environ,
        "TOPIC": form["hub.topic"],
        "SECRET": form["hub.secret"],
        "PORT": str(port),
    }
    with subprocess.Popen([sys.executable, file], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as receiver:  # fmt: skip
        try:
            assert form["hub.topic"] == f"{PUBLIC}/feeds/news/van-hoa.rss"
            wait_until(lambda: _listens(port))
            response = client.post(
                "/hub", data={**form, "hub.callback": f"http://127.0.0.1:{port}/4f7a1c"}
            )
            assert response.status_code == 202, response.text
            wait_until(lambda: storage.subscriptions.stats()["subscriptions"] == 1)
            editor.put("/articles/a", {"title": "Đã nhận", "categories": ["van-hoa"]})
            assert receiver.stdout
            output = b""
            while b"</rss>" not in output:
                output += receiver.stdout.readline()
            assert "Đã nhận" in output.decode()
            wait_until(lambda: storage.subscriptions.stats()["pending"] == 0)
        finally:
            receiver.kill()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    "word", ["hub.mode", "hub.topic", "hub.callback", "hub.secret", "hub.lease_seconds"]
)
def test_every_parameter_is_documented(word: str) -> None:
    assert f"| `{word}` |" in TEXT
