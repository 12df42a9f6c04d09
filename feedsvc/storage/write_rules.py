"""Decide what a write makes of the stored entry and the new one, by values alone."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from feedsvc.errors import Conflict, FieldError, Forbidden, ValidationFailed
from feedsvc.models import Entry, Event

#: The most other entries with one translation key; lists and writes read all of them.
MAX_TRANSLATIONS = 30

#: What raises the SEQUENCE of an event if it changes (RFC 5546 §2.1.4), besides the
#: status of the entry: time, place and state.
SCHEDULE_MEMBERS = (
    # Instants, since datetimes of one zone are equal in both passes of an hour that the
    # end of daylight saving time repeats.
    "starts",
    "ends",
    "all_day",
    "timezone",
    "recurrence",
    "status",
    "location",
    "attendance",
    "online_url",
)


def check_id(old: Entry | None, new: Entry, *, create: bool) -> None:
    """Check that an entry may be stored under its id.

    :param old: the entry that has the id; a deleted one too.
    :param create: the id must never have been used.
    :raises Conflict: the id is taken.
    """
    # An id belongs to one kind for good.
    if old and (create or old.kind != new.kind):
        by_whom = "" if create else " by an entry of the other kind"
        raise Conflict(f"The id “{new.id}” is taken{by_whom}.")


def check_others(
    old: Entry | None,
    new: Entry,
    *,
    guid_owner: str | None,
    translations: Mapping[str, str],
) -> None:
    """Check that an entry may be stored beside the others.

    :param guid_owner: the id of another entry that has the new one's guid.
    :param translations: the ids of the others with its translation key, by language.
    :raises Conflict: the guid is another entry's.
    :raises ValidationFailed: the guid is not the stored one, there is a translation
        into its language already, or there are too many.
    """
    same = translations.get(new.language.lower())
    detail = ""
    if same:
        detail = f"The entry “{same}” has this key and language already."
    elif len(translations) >= MAX_TRANSLATIONS:
        detail = f"{MAX_TRANSLATIONS} other entries have this key already."
    if detail:
        raise ValidationFailed(FieldError("#/translation_key", detail))
    if old and new.guid not in ("", old.guid):
        detail = f"Must be “{old.guid}”, since a guid never changes."
        raise ValidationFailed(FieldError("#/guid", detail))
    if guid_owner:
        raise Conflict(f"The guid “{new.guid}” is that of the entry “{guid_owner}”.")


def check_permission(
    allowed: Collection[int], categories: Mapping[str, Collection[int]]
) -> None:
    """Check that a limited writer may write an entry that names some categories.

    :param allowed: the keys of the writer's categories.
    :param categories: for each slug, the keys of the category and those above it.
    :raises Forbidden: the entry names none, or others.
    """
    if not categories:
        raise Forbidden("The token writes only in its categories; the entry has none.")
    for slug, keys in categories.items():
        if not any(key in allowed for key in keys):
            raise Forbidden(f"The token may not write in category “{slug}”.")


def decide_put(
    old: Entry | None, new: Entry, now: datetime, *, is_patch: bool = False
) -> Entry:
    """Return an entry as it is to be stored, with its guid, dates and numbers.

    If it equals the stored one but for `version`, nothing has changed.

    :param old: the entry that it replaces, which may be a deleted one.
    :param is_patch: the new one was made from it.
    :raises ValidationFailed: it would expire before its publication.
    """
    published = new.published
    if published is None and old:
        published = old.published
    if published is None and new.status != "draft":
        published = now
    withdrawn = None
    if new.status == "withdrawn":
        # WITHDRAWAL_PERIOD counts from the first withdrawal.
        withdrawn = (old and old.withdrawn) or now
    # The schema compares `expires` only with a date in the document, not with a stored
    # one.
    if new.expires and published and new.expires <= published:
        raise ValidationFailed(FieldError("#/expires", "Must be after date_published."))
    event = new.event
    if event:
        event = _with_previous_start(
            old.event if old else None, event, is_patch=is_patch
        )
    has_new_schedule = old is not None and _schedule(new) != _schedule(old)
    return replace(
        new,
        guid=old.guid if old else new.guid or uuid.uuid4().urn,
        version=old.version + 1 if old else 1,
        sequence=(old.sequence if old else 0) + has_new_schedule,
        published=published,
        withdrawn=withdrawn,
        event=event,
    )


def _with_previous_start(old: Event | None, new: Event, *, is_patch: bool) -> Event:
    """Return an event with the start that it had before it was rescheduled, if any."""
    previous = new.previous_start
    # A patch that lacks the stored one removes it; other writes may not know of it.
    if old and not previous and not (is_patch and old.previous_start):
        previous = old.previous_start or old.start
    # The document has the times of an event in its zone, which may be a new one.
    if isinstance(previous, datetime):
        previous = previous.astimezone(new.timezone)
    if new.status != "rescheduled" or previous == new.start:
        previous = None
    return replace(new, previous_start=previous)


def _schedule(entry: Entry) -> tuple[object, ...] | None:
    """Return what raises SEQUENCE; None for an article and a deleted event."""
    if entry.event is None:
        return None
    # Another reason changes nobody's plans.
    event = entry.event.without_reasons()
    members = (getattr(event, name) for name in SCHEDULE_MEMBERS)
    return entry.status, *members
