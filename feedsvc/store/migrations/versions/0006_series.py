"""Series of events, and what calendars must know of changes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("entries", sa.Column("sequence", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("event_details", sa.Column("recurrence", sa.JSON()))
    op.add_column("event_details", sa.Column("previous", sa.String()))
