"""No change of a table: version 3.3 can name this schema as the oldest beside it."""

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing."""
