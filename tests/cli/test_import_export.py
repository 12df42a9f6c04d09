"""The commands export and import."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from feedsvc.errors import Conflict
from feedsvc.models import Entry
from feedsvc.storage import Storage
from tests.conftest import MakeApp, RecordMeasurement
from tests.server import ROOT, Service


@pytest.mark.sqlite
def test_export_is_imported_unchanged(
    make_app: MakeApp, storage: Storage, tmp_path: Path
) -> None:
    with storage.writer("test") as writer:
        writer.entries.put(Entry("a", "news", "Một", "vi"))
    old = make_app().test_cli_runner()
    new = make_app(database_url=f"sqlite:///{tmp_path}/b").test_cli_runner()
    file = str(tmp_path / "all.ndjson")
    assert old.invoke(args=["export", file]).exit_code == 0
    printed = old.invoke(args=["export", "-"]).output
    assert printed == Path(file).read_text("utf-8")
    refused = new.invoke(args=["import", "-"], input=printed)
    assert refused.exit_code == 1
    assert "--trusted" in str(refused.exception)
    done = new.invoke(args=["import", "-", "--trusted"], input=printed)
    assert "rows imported" in done.output
    assert new.invoke(args=["export", "-"]).output == printed
    assert isinstance(
        new.invoke(args=["import", file, "--trusted"]).exception, Conflict
    )


@pytest.mark.sqlite
def test_export_that_fails_leaves_no_file(app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "all.ndjson"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        done = app.test_cli_runner().invoke(args=["export", str(path)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert done.exit_code == 1
    assert done.stderr == f"Error: {path} cannot be written: File too large.\n"
    assert not path.exists()


def test_export_overwrites_no_file(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "all.ndjson"
    file.write_text("mine")
    done = app.test_cli_runner().invoke(args=["export", str(file)])
    assert done.exit_code == 1
    assert "exists" in done.output
    assert file.read_text() == "mine"


MEASURED = """
import atexit, sys
from pathlib import Path
from feedsvc.__main__ import main
atexit.register(lambda: print(*(line for line in Path("/proc/self/status").open() if "VmHWM" in line), file=sys.stderr))
main()
"""
"""The command line, which prints its peak memory at its end."""


def large_export(template: list[str], entries: int, size: int) -> Iterator[str]:
    """Return an export of many long entries, made from an export of one."""
    names = [next(iter(json.loads(line))) for line in template]
    row = json.loads(template[names.index("entries")])["entries"]
    for name, line in zip(names[:-1], template, strict=False):
        if name == "entries":
            for pk in range(1, entries + 1):
                body = f"{pk} " * (size // (len(str(pk)) + 1))
                own = {
                    "pk": pk,
                    "id": f"a{pk}",
                    "guid": f"urn:x:{pk}",
                    "content_text": body,
                }
                yield json.dumps({"entries": {**row, **own}}) + "\n"
        else:
            yield line
    yield json.dumps({"end": len(names) - 3 + entries}) + "\n"


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("entries", "size"),
    [(1500, 50_000), pytest.param(1_000_000, 500, marks=pytest.mark.soak)],
)
def test_memory_does_not_grow_with_the_number_of_entries(
    storage: Storage,
    tmp_path: Path,
    entries: int,
    size: int,
    record_measurement: RecordMeasurement,
) -> None:
    with storage.writer("test") as writer:
        writer.entries.put(Entry("a", "news", "Một", "vi"))
    file, url = tmp_path / "big.ndjson", f"sqlite:///{tmp_path}/big.db"
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(large_export(list(storage.dump()), entries, size))
    service = Service(url)
    service.command("db", "upgrade")
    peaks = []
    for arguments in (
        ("import", str(file), "--trusted"),
        ("export", str(tmp_path / "again.ndjson")),
    ):
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, *arguments],
            cwd=ROOT,
            env=service.environ,
            check=True,
            capture_output=True,
            text=True,
        )
        rate = entries / (time.monotonic() - begun)
        record_measurement(
            f"entries a second, {arguments[0]} of {entries}", f"{rate:.0f}", "> 1000"
        )
        peaks.append(int(done.stderr.split()[-2]) / 1024)
    assert (
        (tmp_path / "again.ndjson").stat().st_size
        > 0.9 * file.stat().st_size
        > 50_000_000
    )
    record_measurement(
        f"MiB at most to import and export {entries} entries",
        f"{max(peaks):.0f}",
        "< 200",
    )
    assert max(peaks) < 200
