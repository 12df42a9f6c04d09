"""While instances are upgraded one by one, those of the earlier version go on."""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from feedsvc.storage.migrations.runner import HEAD
from tests.integration.writers import wait_until_acknowledged, writing
from tests.server import ROOT, Service

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down_revision}"


def upgrade():
    column = sa.Column("later", sa.Integer, nullable=False, server_default="0")
    op.add_column("{table}", column)
"""
NUMBER = int(HEAD)
TABLES = ("categories", "entries", "entry_categories", "revisions")


def make_later_version(folder: Path) -> None:
    """Copy the code, and add a column to several tables."""
    shutil.copytree(ROOT / "feedsvc", folder / "feedsvc")
    for number, table in enumerate(TABLES, NUMBER + 1):
        text = MIGRATION.format(
            revision=f"{number:04}",
            down_revision=f"{number - 1:04}",
            table=table,
        )
        name = f"feedsvc/storage/migrations/versions/{number:04}_later.py"
        (folder / name).write_text(text)
    path = folder / "feedsvc/__init__.py"
    text, count = re.subn('"[0-9.]+"', '"99.0.0"', path.read_text("utf-8"))
    assert count == 1
    path.write_text(text, "utf-8")


@pytest.mark.postgresql
def test_instances_go_on_beside_a_later_version(
    database_url: str, tmp_path: Path
) -> None:
    make_later_version(tmp_path)
    earlier = Service(database_url)
    later = Service(database_url)
    later.root = tmp_path
    later.token = earlier.make_token()
    started = Service(database_url)
    started.token = later.token
    with ExitStack() as stack:
        stack.enter_context(earlier)
        writers = stack.enter_context(writing(earlier, 1))
        stack.enter_context(later)
        writers += stack.enter_context(writing(later, 1))
        assert "99.0.0" in later.command("--version")
        newest = f"{NUMBER + len(TABLES):04}"
        assert f"schema {newest}," in earlier.command("db", "upgrade")
        # An instance of the earlier version that starts now goes on too.
        stack.enter_context(started)
        writers += stack.enter_context(writing(started, 1))
        wait_until_acknowledged(writers)
    assert not any(writer.refusals for writer in writers)
    assert not any(writer.broken_connections for writer in writers)
