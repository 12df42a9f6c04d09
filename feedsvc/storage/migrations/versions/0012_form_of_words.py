"""The form of words of 3.3: an entry with that of 3.2 is read anew by the tick.

Entries of before the next migration are filled by it. Those that an instance of 3.2.1
stores after this one have the older form.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Set the form, but of words that are still to be renewed."""
    op.execute("UPDATE entry_words SET form = 3 WHERE form = 2")
