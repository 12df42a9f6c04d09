"""An index to ask which topics moved since a step."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_topics_seq", "topics", ["seq"])
