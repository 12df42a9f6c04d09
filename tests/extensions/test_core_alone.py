"""Without the folder of an extension, or of all, the service starts, stores and publishes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from feedsvc.extension import EXTENSIONS
from tests.server import ROOT

NAMES = tuple(name.rpartition(".")[2] for name in EXTENSIONS)

USE = Path(__file__).with_name("use_core.py")
"""Uses the copy, and prints what it found."""


@pytest.mark.parametrize(
    "missing", [(), *((name,) for name in NAMES), NAMES], ids="+".join
)
def test_core_needs_no_extension(tmp_path: Path, missing: tuple[str, ...]) -> None:
    shutil.copytree(
        ROOT / "feedsvc",
        tmp_path / "feedsvc",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    for name in missing:
        shutil.rmtree(tmp_path / "feedsvc/extensions" / name)
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(
            [str(tmp_path), os.environ.get("PYTHONPATH", "")]
        ),
        "FEEDSVC_DATABASE_URL": f"sqlite:///{tmp_path}/feedsvc.db",
        "FEEDSVC_PUBLIC_URL": "https://feeds.example",
        "FEEDSVC_HUBS": "https://hub.example/",
    }
    done = subprocess.run(
        [sys.executable, "-P", str(USE)],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("package") == str(tmp_path / "feedsvc")
    assert set(found.pop("core").values()) <= {200, 201, 204}
    assert found == {
        "import": "importers" not in missing,
        "db copy": "copy" not in missing,
        "demo": "demo" not in missing,
        "serve --demo": "demo" not in missing,
        "/static/samples/ho-guom.svg": 404 if "demo" in missing else 200,
        "/feeds.opml": 404 if "opml" in missing else 200,
        "link to the hub": "websub" not in missing,
        "threads of hubs": 0 if "websub" in missing else 1,
        "warnings": ["FEEDSVC_HUBS is not a setting."] if "websub" in missing else [],
    }
