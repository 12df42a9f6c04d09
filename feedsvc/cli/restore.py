"""What `feedsvc db restored` does with the changes."""

from datetime import datetime

import sqlalchemy as sa

from feedsvc.models import KINDS
from feedsvc.storage.database import Transaction
from feedsvc.storage.migrations.runner import lift_timeouts
from feedsvc.storage.tables import EntryRow, to_microseconds


def renew_revisions(transaction: Transaction) -> datetime:
    """Give all entries later revisions, in their order, after a restore of a backup.

    Return the new `floor`. Cursors of the changes from before are below it: with them,
    clients would miss that changes which they saw are lost.
    """
    revisions = transaction.revisions
    revisions.floor = transaction.next_revision(*KINDS)
    order = sa.select(
        EntryRow.pk,
        sa.func.row_number().over(order_by=EntryRow.changed_at).label("number"),
    ).subquery()
    lift_timeouts(transaction.session.connection())
    transaction.session.execute(
        sa.update(EntryRow)
        .where(EntryRow.pk == order.c.pk)
        .values(changed_at=to_microseconds(revisions.floor) + order.c.number)
        .execution_options(synchronize_session=False)
    )
    newest = transaction.session.scalar(sa.select(sa.func.max(EntryRow.changed_at)))
    revisions.last = newest or revisions.floor
    return revisions.floor
