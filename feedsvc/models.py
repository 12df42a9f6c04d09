"""The values that packages pass to each other: frozen dataclasses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from feedsvc.text.languages import (
    has_phrases,
    text_in,
)

KINDS = ("news", "events")
STATUSES = ("draft", "published", "withdrawn")
ENTRY_SCOPES = ("news:write", "events:write")
SCOPES = (*ENTRY_SCOPES, "categories:write")

EVENT_STATUSES = ("confirmed", "tentative", "postponed", "rescheduled", "cancelled")
ATTENDANCES = ("in_person", "online", "mixed")
AVAILABILITIES = ("in_stock", "sold_out", "pre_order")
#: By what an event is accessible, in the order in which it is shown.
ACCESSIBILITY = (
    "wheelchair",
    "accessible_toilet",
    "sign_language",
    "captions",
    "hearing_loop",
    "easy_language",
)

SLUG_PATTERN = r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?"
#: Years of all dates that are accepted: readers take earlier ones for mistakes.
YEARS = range(1970, 2201)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: The Last-Modified of what never changed: clients take 1970 for a mistake.
NEVER_MODIFIED = datetime(2000, 1, 1, tzinfo=UTC)

Clock = Callable[[], datetime]


def utcnow() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Site:
    """The portal whose entries are published.

    `titles` and `descriptions` are those in further languages. `languages` are those in
    which the portal publishes, in lower case, its own first; empty if there is one.
    `hubs` are the WebSub hubs that are told of changes.
    The other URLs have no slash at the end.
    `poll_minutes` divides an hour: readers should poll a feed no more often than that.
    """

    public_url: str
    url: str
    title: str
    description: str
    language: str
    timezone: ZoneInfo
    icon: str
    rights: str
    contact: str
    hubs: tuple[str, ...] = ()
    poll_minutes: int = 15
    titles: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    languages: tuple[str, ...] = ()

    def title_in(self, language: str) -> str:
        """Return the title in a language, or else in the portal's own."""
        return text_in(self.titles, language) or self.title

    def description_in(self, language: str) -> str:
        """Return the description in a language, or else in the portal's own."""
        return text_in(self.descriptions, language) or self.description

    def words_language(self, language: str) -> str:
        """Return a language if there are phrases in it, else the portal's own."""
        return language if has_phrases(language) else self.language

    def day_of(self, moment: datetime) -> date:
        """Return the day of a time in the site's zone."""
        return moment.astimezone(self.timezone).date()

    def start_of(self, day: date) -> datetime:
        """Return when a day begins in the site's zone."""
        return datetime.combine(day, time(), self.timezone).astimezone(UTC)

    def end_of(self, day: date) -> datetime:
        """Return when a day ends in the site's zone."""
        return self.start_of(day + timedelta(days=1))

    def permalink(self, entry_id: str) -> str:
        """Return the URL of an entry's page in this service."""
        return f"{self.public_url}/entries/{entry_id}"

    def entry_url(self, entry: Entry | Translation) -> str:
        """Return the URL of an entry's page: the portal's, or else this service's."""
        return entry.url or self.permalink(entry.id)


@dataclass(frozen=True, slots=True)
class Category:
    """A category (RFC 4287 §4.2.2): `slug` is its term, `title` its label.

    `parent` is the slug of a wider category. `titles` are those in further languages,
    by their tags.
    """

    slug: str
    title: str
    description: str | None = None
    language: str | None = None
    url: str | None = None
    parent: str | None = None
    titles: Mapping[str, str] = field(default_factory=dict, hash=False)

    def title_in(self, language: str) -> str:
        """Return the title in a language, or else its own."""
        return text_in(self.titles, language) or self.title


@dataclass(frozen=True, slots=True)
class Person:
    """A person or an organisation (RFC 4287 §3.2).

    An author, organizer or performer, or the first publisher, such as a newspaper.
    """

    name: str
    url: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """The picture of an entry; `length` in bytes, `width` and `height` in pixels."""

    url: str
    alt: str | None = None
    caption: str | None = None
    credit: str | None = None
    type: str | None = None
    length: int | None = None
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attached file; `length` in bytes, `duration` in seconds."""

    url: str
    type: str
    length: int | None = None
    title: str | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an event; `latitude` and `longitude` in degrees (WGS 84)."""

    name: str
    address: str | None = None
    url: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A ticket: `price` is a decimal number such as 12.50, `currency` of ISO 4217."""

    # A text, since a number would turn 12.50 into 12.5.
    price: str
    currency: str
    name: str | None = None
    url: str | None = None
    availability: str | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The cancellation of one occurrence of a series; `notice` is its reason."""

    start: date
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The recurrence of an event (RFC 5545 §3.8.5): an RRULE, exceptions and additions.

    `exdates` and `rdates` are dates or local times, as the start of the event is.
    `cancelled` are occurrences that were announced and do not take place, while
    `exdates` never were occurrences.
    """

    rrule: str
    exdates: tuple[date, ...] = ()
    rdates: tuple[date, ...] = ()
    cancelled: tuple[Cancellation, ...] = ()

    @property
    def cancelled_starts(self) -> tuple[date, ...]:
        """The dates or times of the cancelled occurrences."""
        return tuple(each.start for each in self.cancelled)

    @property
    def rule_parts(self) -> dict[str, str]:
        """The parts of the rule by name, such as FREQ."""
        return dict(part.split("=", 1) for part in self.rrule.split(";"))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON, with empty lists and reasons that are None.

        Times are local ones without an offset: a time that a change to daylight saving
        time skips has none.
        """
        return {
            "rrule": self.rrule,
            "exdates": [*map(local_iso, self.exdates)],
            "rdates": [*map(local_iso, self.rdates)],
            "cancelled": [
                {"start": local_iso(each.start), "notice": each.notice}
                for each in self.cancelled
            ],
        }


def local_iso(moment: date) -> str:
    """Return a date, or a time without its offset (RFC 3339)."""
    if isinstance(moment, datetime):
        moment = moment.replace(tzinfo=None)
    return moment.isoformat()


@dataclass(frozen=True, slots=True)
class Event:
    """The time and place of an event.

    `start` and `end` are dates (an all-day event; `end` is exclusive) or times in
    `timezone`; of a recurring event those of the first occurrence. `previous_start` is
    the start that a rescheduled event had before. `accessibility` has values of
    `ACCESSIBILITY`.
    """

    # datetime is a subclass of date.
    start: date
    end: date | None
    timezone: ZoneInfo
    location: Place | None = None
    organizer: Person | None = None
    status: str = "confirmed"
    recurrence: Recurrence | None = None
    attendance: str = "in_person"
    online_url: str | None = None
    offers: tuple[Offer, ...] = ()
    performers: tuple[Person, ...] = ()
    previous_start: date | None = None
    is_accessible_for_free: bool | None = None
    accessibility: tuple[str, ...] = ()

    @property
    def all_day(self) -> bool:
        """True if the event has dates instead of times."""
        return not isinstance(self.start, datetime)

    @property
    def known_status(self) -> str:
        """The status, or `confirmed` for one that a later version has stored."""
        return self.status if self.status in EVENT_STATUSES else "confirmed"

    @property
    def is_free(self) -> bool | None:
        """What the event says, or else true if all offers cost nothing."""
        if self.is_accessible_for_free is None and self.offers:
            return not any(Decimal(offer.price) for offer in self.offers) or None
        return self.is_accessible_for_free

    @property
    def access(self) -> tuple[str, ...]:
        """Who can come: `free`, and the values of `accessibility`."""
        return ("free", *self.accessibility) if self.is_free else self.accessibility

    @property
    def starts(self) -> datetime:
        """The start as an instant in UTC."""
        return self._to_utc(self.start)

    @property
    def ends(self) -> datetime:
        """The end as an instant in UTC.

        Without `end`, it is the end of the day or the start (RFC 5545 §3.6.1).
        """
        end = self.end
        if end is None:
            end = self.start + timedelta(days=1) if self.all_day else self.start
        return self._to_utc(end)

    def _to_utc(self, moment: date) -> datetime:
        # A day begins at midnight in the zone of the event.
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(), self.timezone)
        return moment.astimezone(UTC)

    def without_reasons(self) -> Event:
        """Return the event without the notices of its cancelled occurrences."""
        recurrence = self.recurrence
        if recurrence is None:
            return self
        cancelled = tuple(map(Cancellation, recurrence.cancelled_starts))
        return replace(self, recurrence=replace(recurrence, cancelled=cancelled))


@dataclass(frozen=True, slots=True)
class Translation:
    """An entry that readers see, as the translation of another one."""

    id: str
    language: str
    title: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An article or an event, validated and sanitized.

    The storage sets `guid` (unless an import has one), `version`, `updated`,
    `withdrawn` (the time), and `published` at the first publication, if it is None. Of
    an event it sets `sequence` (RFC 5545 §3.8.7.4), and `starts`: the start of the
    current or next occurrence, `is_ongoing`: that it has begun, `ends`: the end of the
    last one, and `is_over`: that it has ended. In a feed with `from`, `starts` may be
    that of another occurrence, and `is_next` false.

    Entries of a kind with the same `translation_key` are `translations` of each other;
    the storage sets the visible ones, in the order of their languages.
    """

    id: str
    kind: str
    title: str
    language: str
    status: str = "published"
    url: str | None = None
    summary: str = ""
    content_html: str | None = None
    content_text: str | None = None
    authors: tuple[Person, ...] = ()
    source: Person | None = None
    rights: str | None = None
    categories: tuple[Category, ...] = ()
    image: Image | None = None
    attachments: tuple[Attachment, ...] = ()
    event: Event | None = None
    notice: str | None = None
    expires: datetime | None = None
    translation_key: str | None = None
    published: datetime | None = None
    guid: str = ""
    updated: datetime = EPOCH
    version: int = 0
    withdrawn: datetime | None = None
    sequence: int = 0
    starts: datetime | None = None
    ends: datetime | None = None
    is_ongoing: bool = False
    is_next: bool = True
    is_over: bool = False
    translations: tuple[Translation, ...] = ()

    def public_view(self) -> Entry:
        """Return the entry as readers see it: a withdrawn one without its content."""
        if self.status != "withdrawn":
            return self
        event = self.event
        if event is not None:
            event = replace(
                event.without_reasons(),
                **_defaults_except(WITHDRAWN_EVENT_MEMBERS, event),
            )
        return replace(self, event=event, **_defaults_except(WITHDRAWN_MEMBERS, self))

    def erased(self) -> Entry:
        """Return the entry's next version, with what stays after its deletion."""
        members = _defaults_except(DELETED_MEMBERS, self)
        # Title and language have no defaults.
        members |= {"title": "", "language": "", "status": "deleted"}
        members |= {"version": self.version + 1, "sequence": self.sequence + 1}
        return replace(self, **members)

    @property
    def date(self) -> datetime:
        """The time of publication; of a draft, which no feed has, of its last edit."""
        return self.published or self.updated

    @property
    def state(self) -> str:
        """`withdrawn`, else the status of an event; of an article `confirmed`."""
        if self.status == "withdrawn":
            return self.status
        return self.event.known_status if self.event else "confirmed"

    @property
    def is_cancelled(self) -> bool:
        """True of a withdrawn entry and a cancelled event: pages strike out both."""
        return self.state in ("withdrawn", "cancelled")


class Stamp(NamedTuple):
    """The revisions and values of which an entry in a feed is made.

    Entries with equal stamps are equal. `changed_at` stands for the stored document of
    `pk`. Each of `translations` is the key of another entry that readers see, and when
    it changed. `occurrence` is the start of the one that is shown, if that is not the
    current or next one. Instants are in microseconds, as they are stored: of thousands
    that are read, few are needed.
    """

    pk: int
    changed_at: int
    updated_at: int
    starts_at: int | None
    listed_at: int | None
    ends_at: int | None
    is_over: bool
    categories: tuple[Category, ...] = ()
    translations: tuple[tuple[int, int], ...] = ()
    occurrence: datetime | None = None


# These are lists of the members that stay, so that a member which is added later is
# erased and hidden.
#: Members that stay of a deleted entry.
DELETED_MEMBERS = frozenset("id kind guid published updated version sequence".split())

#: Members of a withdrawn entry that readers still see.
WITHDRAWN_MEMBERS = frozenset(
    "id kind title language status url categories event notice expires published guid "
    "updated version withdrawn sequence starts is_ongoing".split()
)

#: Members of a withdrawn event that readers still see, so that calendars cancel it.
WITHDRAWN_EVENT_MEMBERS = frozenset("start end timezone status recurrence".split())


def _defaults_except(remaining: frozenset[str], value: Any) -> dict[str, Any]:
    """Return the defaults of the members of a value that do not remain."""
    return {
        member.name: member.default
        for member in dataclasses.fields(value)
        if member.name not in remaining and member.default is not MISSING
    }
