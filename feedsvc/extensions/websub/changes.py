"""The categories whose entries have changed."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.models import Category
from feedsvc.storage.tables import CategoryRow, EntryCategoryRow, EntryRow


def list_changed_categories(
    session: Session, after: datetime
) -> dict[tuple[str, Category | None, str], datetime]:
    """Return the kinds and categories with public entries that changed later.

    A kind alone has None. With each category come those above it. The third member is a
    language of these entries, in lower case. The value is the revision of the last
    change of those in it.
    """
    # The statement reads keys alone, since every entry may have changed.
    statement = (
        sa.select(
            EntryRow.kind,
            EntryRow.language,
            EntryCategoryRow.category_id,
            sa.func.max(EntryRow.changed_at),
        )
        .outerjoin(EntryCategoryRow, EntryCategoryRow.entry_pk == EntryRow.pk)
        .where(EntryRow.changed_at > after, EntryRow.is_public)
        .group_by(EntryRow.kind, EntryRow.language, EntryCategoryRow.category_id)
        # So the last revision of those below one category is set last.
        .order_by(sa.func.max(EntryRow.changed_at))
    )
    changes: dict[tuple[str, Category | None, str], datetime] = {}
    for kind, language, category_id, revision in session.execute(statement):
        changes[kind, None, language] = revision
        if category_id:
            category = session.get_one(CategoryRow, category_id)
            for row in category.iter_upwards():
                changes[kind, row.category, language] = revision
    return changes
