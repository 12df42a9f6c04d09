"""No change of a table: from here on, code shows unknown event statuses as confirmed.

A later version that adds one can name this schema as the oldest that may be beside it.
"""

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing."""
