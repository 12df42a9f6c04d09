"""Indexes for the API's lists by status, and for feeds in a language."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the indexes."""
    op.create_index("ix_entries_status", "entries", ["kind", "status", "changed_at"])
    op.create_index("ix_entries_language", "entries", ["kind", "is_public", "language"])
