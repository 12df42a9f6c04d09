"""A copy of the code with one more migration, to test upgrades before there is a second version."""

from __future__ import annotations

import shutil
from pathlib import Path

from feedsvc.storage.tables import REVISION
from tests.server import ROOT

NEXT_REVISION = "9001"

_MIGRATION = f'''"""Add a column with a default, and a table."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT_REVISION}"
down_revision = "{REVISION}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entries", sa.Column("views", sa.Integer, nullable=False, server_default="0"))
    op.create_table("badges", sa.Column("id", sa.Integer, primary_key=True))
'''


def make_next_version(folder: Path) -> Path:
    """Copy the service's code into a folder and add a migration; return the folder."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "feedsvc", folder / "feedsvc", ignore=ignore)
    for name in ("config.py", "wsgi.py"):
        shutil.copy(ROOT / name, folder)
    migrations = folder / "feedsvc/storage/migrations/versions"
    (migrations / f"{NEXT_REVISION}_next_version.py").write_text(_MIGRATION)
    tables = folder / "feedsvc/storage/tables.py"
    source = tables.read_text()
    current = f'REVISION = "{REVISION}"'
    assert source.count(current) == 1
    tables.write_text(source.replace(current, f'REVISION = "{NEXT_REVISION}"'))
    return folder
