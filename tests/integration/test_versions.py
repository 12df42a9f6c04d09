"""While instances are upgraded one by one, those of the earlier version go on."""

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

revision = "{later:04}"
down_revision = "{earlier:04}"


def upgrade():
    column = sa.Column("later", sa.Integer, nullable=False, server_default="0")
    op.add_column("{table}", column)
"""
TABLES = ("categories", "entries", "entry_categories", "revisions")
NEWEST = int(HEAD) + len(TABLES)


def make_later_version(folder: Path) -> None:
    """Copy the code, and add a column to several tables."""
    package = folder / "feedsvc"
    shutil.copytree(ROOT / "feedsvc", package)
    versions = package / "storage/migrations/versions"
    for later, table in enumerate(TABLES, int(HEAD) + 1):
        text = MIGRATION.format(later=later, earlier=later - 1, table=table)
        (versions / f"{later:04}_later.py").write_text(text)
    (package / "__init__.py").write_text('__version__ = "99.0.0"\n')


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
        assert f"schema {NEWEST:04}," in earlier.command("db", "upgrade")
        # An instance of the earlier version that starts now goes on too.
        stack.enter_context(started)
        writers += stack.enter_context(writing(started, 1))
        wait_until_acknowledged(writers)
    assert not any(writer.refusals for writer in writers)
    assert not any(writer.broken_connections for writer in writers)
