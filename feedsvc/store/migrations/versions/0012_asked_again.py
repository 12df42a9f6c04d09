"""How often a callback was asked in vain; up to when a hub was told of the ends of events."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    failures = sa.Column("failures", sa.Integer, nullable=False, server_default="0")
    op.add_column("subscription_requests", failures)
    op.add_column("hubs", sa.Column("looked", sa.DateTime(timezone=True)))
