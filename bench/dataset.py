"""A large database for the most expensive requests."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from feedsvc.models import Category, Entry, Event, Recurrence, utcnow
from feedsvc.storage.categories import put_category
from feedsvc.storage.database import Database, Transaction
from feedsvc.storage.documents import encode_document
from feedsvc.storage.migrations.runner import upgrade
from feedsvc.storage.search import store_words
from feedsvc.storage.tables import CategoryRow, EntryCategoryRow, EntryRow
from tests.postgres import throw_away

BODY = "<p>" + "Nội dung của bài. " * 80 + "</p>"
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
TOPICS = [f"topic-{number:02}" for number in range(36)]
PLACES = [f"place-{number:04}" for number in range(2_000)]
SLUGS = ["all", "even", "odd", *TOPICS, *PLACES]
"""Each entry is in `all`, in `even` or `odd`, in one topic, and in one place."""

DISTRICT = set(PLACES[1:10])
"""The places below the first one."""

SERIES = 2_000
UPCOMING = 1_000
ENGLISH = 30
"""Numbers of series, of other upcoming events, and of articles in English."""

RULES = ("FREQ=DAILY", "FREQ=DAILY;COUNT=1000")
"""Those of the series, which end not before the last upcoming event."""

_BATCH_SIZE = 200


@contextmanager
def new_database(kind: str) -> Iterator[tuple[str, int | None]]:
    """Yield the URL of an empty database, and its server's process id, if it has one.

    :param kind: `sqlite` or `postgresql`.
    """
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/bench.db", None
        return
    with throw_away() as cluster, cluster.database() as url:
        assert cluster.process
        yield url, cluster.process.pid


def fill(url: str, count: int) -> None:
    """Store half articles and half events, a minute apart."""
    database = Database(url, utcnow)
    upgrade(database)
    with database.write() as transaction:
        for slug in SLUGS:
            parent = PLACES[0] if slug in DISTRICT else None
            put_category(transaction, Category(slug, slug, parent=parent))
        rows = transaction.session.query(CategoryRow)
        category_ids = {row.slug: row.id for row in rows}
    for first in range(0, count, _BATCH_SIZE):
        with database.write() as transaction:
            for number in range(first, min(first + _BATCH_SIZE, count)):
                entry = _entry(number, count, transaction.now)
                _add(transaction, entry, number, category_ids)
    if not database.is_sqlite:
        # As autovacuum does in time; it needs to be outside of a transaction.
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM ANALYZE")
    database.close()


def _entry(number: int, count: int, now: datetime) -> Entry:
    position = number // 2
    half = count // 2
    published = now - timedelta(minutes=half - position)
    article = Entry(
        f"n{number}",
        "news",
        f"Bài {number}",
        "en-GB" if position * ENGLISH % half < ENGLISH else "vi",
        summary=f"Tóm tắt của bài {number}.",
        content_html=BODY,
        published=published,
    )
    if number % 2 == 0:
        return article
    recurrence = None
    start = published
    if position >= half - SERIES:
        start = now - timedelta(days=900)
        recurrence = Recurrence(RULES[position % len(RULES)])
    elif position >= half - SERIES - UPCOMING:
        start = now + timedelta(hours=position % 2000 + 1)
    event = Event(start.astimezone(ZONE), None, ZONE, recurrence=recurrence)
    return replace(article, kind="events", event=event)


def _add(
    transaction: Transaction,
    entry: Entry,
    number: int,
    category_ids: dict[str, int],
) -> None:
    # The version before, whose requests `worst` measures, has no such module.
    from feedsvc.storage.visibility import state_at

    row = EntryRow(
        id=entry.id,
        kind=entry.kind,
        guid=f"urn:uuid:00000000-0000-4000-8000-{number:012}",
        version=1,
        sequence=0,
        is_imported=False,
        updated_at=entry.published,
        changed_at=transaction.next_revision(entry.kind),
    )
    row.set_document(entry, encode_document(entry))
    half = "odd" if number // 2 % 2 else "even"
    topic = TOPICS[number // 4 % len(TOPICS)]
    slugs = ("all", half, topic, PLACES[number // 4 % len(PLACES)])
    row.memberships = [
        EntryCategoryRow(category_id=category_ids[slug], position=position)
        for position, slug in enumerate(slugs)
    ]
    row.set_state(state_at(entry, transaction.now, was_public=False))
    transaction.session.add(row)
    transaction.session.flush()
    store_words(transaction.session, row.pk, entry)
