"""The oldest schema whose code may use the database."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    oldest = sa.Column(
        "oldest_schema",
        sa.String().with_variant(sa.String(collation="C"), "postgresql"),
        nullable=False,
        server_default=revision,
    )
    op.add_column("installation", oldest)
