"""Hubs, the installation, the lowest cursor, categories of tokens, UNTIL in UTC."""

import json
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String().with_variant(sa.String(collation="C"), "postgresql")
INSTANT = sa.BigInteger()

_LOCAL_UNTIL = re.compile("UNTIL=([0-9]{8}T[0-9]{6})(?!Z)")
_UNTIL_FORMAT = "%Y%m%dT%H%M%S"


def upgrade() -> None:
    """Change the tables; hubs are told what changes from now on."""
    op.create_table(
        "hubs",
        sa.Column("url", KEY, primary_key=True),
        sa.Column("told", INSTANT, nullable=False),
        sa.Column("waiting", sa.JSON, nullable=False),
        sa.Column("claimed_until", INSTANT, nullable=False),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("fingerprint", KEY, nullable=False),
        sa.Column("secret", KEY, nullable=False),
    )
    op.execute("INSERT INTO installation SELECT id, fingerprint, secret FROM revisions")
    for name in (
        "fingerprint",
        "secret",
        "hubs_told",
        "hubs_due_at",
        "hubs_failures",
    ):
        op.drop_column("revisions", name)
    op.add_column(
        "revisions",
        sa.Column("floor", INSTANT, nullable=False, server_default="0"),
    )
    op.add_column(
        "tokens",
        sa.Column("category_ids", sa.JSON, nullable=False, server_default="[]"),
    )
    _convert_ends_of_series(op.get_bind())


def _convert_ends_of_series(connection: sa.Connection) -> None:
    """Write UNTIL in UTC.

    Version 1 stored it in the local time of the event, and 2.0 kept it so.
    """
    contents = sa.table("entry_contents", sa.column("entry_pk"), sa.column("document"))
    key, document = contents.c
    # This finds rules alone, since quotes within texts have backslashes. They are few.
    statement = sa.select(key, document).where(document.like('%"rrule":"%UNTIL=%'))
    for entry_pk, old in connection.execute(statement).all():
        event = json.loads(old)["event"]
        rule = event["recurrence"]["rrule"]
        new_rule = _with_utc_until(rule, ZoneInfo(event["timezone"]))
        # The rest of the document stays as it is, byte for byte.
        new = old.replace(f'"rrule":"{rule}"', f'"rrule":"{new_rule}"')
        connection.execute(
            sa.update(contents).where(key == entry_pk).values(document=new)
        )


def _with_utc_until(rule: str, zone: ZoneInfo) -> str:
    def to_utc(match: re.Match[str]) -> str:
        local = datetime.strptime(match[1], _UNTIL_FORMAT).replace(tzinfo=zone)
        return f"UNTIL={local.astimezone(UTC):{_UNTIL_FORMAT}}Z"

    return _LOCAL_UNTIL.sub(to_utc, rule)
