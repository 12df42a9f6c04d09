"""No change of a table: versions before 3.1.1 fail at events that are rescheduled."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Name the schema of 3.1.1 as the oldest that may be beside this one."""
    op.execute("UPDATE installation SET oldest_schema = '0008'")
