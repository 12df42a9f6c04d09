"""The values that packages pass to each other: frozen dataclasses without behaviour."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from feedsvc.feed_query import FORMATS, CategoryFilter, FeedQuery

STATUSES = ("draft", "published", "withdrawn")
SCOPES = ("news:write", "events:write", "categories:write")

EVENT_STATUSES = ("confirmed", "tentative", "postponed", "cancelled")
ATTENDANCES = ("in_person", "online", "mixed")
AVAILABILITIES = ("in_stock", "sold_out", "pre_order")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NEVER_MODIFIED = datetime(2000, 1, 1, tzinfo=UTC)
"""The Last-Modified of what never changed: clients take 1970 for a mistake."""

Clock = Callable[[], datetime]


def utcnow() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Site:
    """The portal whose entries are published; its URLs have no slash at the end.

    `hubs` are the WebSub hubs that are told of changes.
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
    color: str = ""
    logo: str = ""
    poll_minutes: int = 15

    def permalink(self, entry_id: str) -> str:
        """Return the URL of an entry's page in this service."""
        return f"{self.public_url}/entries/{entry_id}"

    def entry_url(self, entry: Entry | Translation) -> str:
        """Return the URL of an entry's page: the portal's, or else this service's."""
        return entry.url or self.permalink(entry.id)


@dataclass(frozen=True, slots=True)
class Category:
    """A category (RFC 4287 §4.2.2): `slug` is its term, `title` its label.

    `parent` is the slug of a wider category.
    """

    slug: str
    title: str
    description: str | None = None
    language: str | None = None
    url: str | None = None
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A person or an organisation (RFC 4287 §3.2)."""

    name: str
    url: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """The first publisher of an entry, such as a newspaper."""

    name: str
    url: str | None = None


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
class Performer:
    """A person or a group that performs at an event."""

    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """The recurrence of an event (RFC 5545 §3.8.5): an RRULE, exceptions and additions.

    `exdates` and `rdates` are dates or local times, as the start of the event is.
    """

    rrule: str
    exdates: tuple[date, ...] = ()
    rdates: tuple[date, ...] = ()

    @property
    def rule_parts(self) -> dict[str, str]:
        """The parts of the rule by name, such as FREQ."""
        return dict(part.split("=", 1) for part in self.rrule.split(";"))

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON, without the lists that are empty.

        Times are local ones without an offset: a time that a change to daylight saving
        time skips has none.
        """
        document: dict[str, Any] = {"rrule": self.rrule}
        for name, moments in (("exdates", self.exdates), ("rdates", self.rdates)):
            if moments:
                document[name] = [_local_iso(moment) for moment in moments]
        return document


def _local_iso(moment: date) -> str:
    if isinstance(moment, datetime):
        moment = moment.replace(tzinfo=None)
    return moment.isoformat()


@dataclass(frozen=True, slots=True)
class Event:
    """The time and place of an event.

    `start` and `end` are dates (an all-day event; `end` is exclusive) or times in
    `timezone`; of a recurring event those of the first occurrence. The storage sets
    `previous_start`, the start before a postponement.
    """

    # datetime is a subclass of date.
    start: date
    end: date | None
    timezone: ZoneInfo
    location: Place | None = None
    organizer: Person | None = None
    status: str = "confirmed"
    recurrence: Recurrence | None = None
    previous_start: date | None = None
    attendance: str = "in_person"
    online_url: str | None = None
    offers: tuple[Offer, ...] = ()
    performers: tuple[Performer, ...] = ()

    @property
    def all_day(self) -> bool:
        """True if the event has dates instead of times."""
        return not isinstance(self.start, datetime)

    @property
    def starts(self) -> datetime:
        """The start as an instant in UTC."""
        return self._to_utc(self.start)

    @property
    def ends(self) -> datetime:
        """The end as an instant in UTC.

        Without `end`, it is the end of the day or the start (RFC 5545 §3.6.1).
        """
        if self.end is not None:
            return self._to_utc(self.end)
        if self.all_day:
            return self._to_utc(self.start + timedelta(days=1))
        return self._to_utc(self.start)

    def _to_utc(self, moment: date) -> datetime:
        # A day begins at midnight in the zone of the event.
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(), self.timezone)
        return moment.astimezone(UTC)


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
    current or next occurrence, as the scheduler last computed it.

    Entries of a kind with the same `translation_key` are `translations` of each other;
    the storage sets the visible ones, in the order of their languages.

    `changed` is the time of the last change in the change log or, if that is later, of
    the last change of a category's title. An `abridged` entry was loaded without its
    body. `rendered` has the items of feeds that formats have made of the entry.
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
    source: Source | None = None
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
    changed: datetime = field(default=EPOCH, compare=False)
    abridged: bool = False
    translations: tuple[Translation, ...] = ()
    # Formats fill it later, although the entry is frozen. It follows from the other
    # members, so it makes no difference between two entries.
    rendered: dict[Hashable, tuple[Site, bytes]] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def public_view(self) -> Entry:
        """Return the entry as readers see it: a withdrawn one without its content."""
        if self.status != "withdrawn":
            return self
        event = self.event
        if event is not None:
            event = replace(event, **_defaults(event, WITHDRAWN_EVENT_MEMBERS))
        return replace(self, event=event, **_defaults(self, WITHDRAWN_MEMBERS))

    def feed_date(self, query: FeedQuery) -> datetime:
        """Return the date in a feed: of the publication, or of an event's start."""
        if self.event and query.date_field == "start":
            # An entry that is not stored has no `starts` yet.
            return self.starts or self.event.starts
        return self.date

    @property
    def date(self) -> datetime:
        """The time of publication; of a draft, which no feed has, of its last edit."""
        return self.published or self.updated


# Listed are the members that stay, so that a member which is added is hidden.
WITHDRAWN_MEMBERS = frozenset(
    "id kind title language status url categories event notice expires published guid "
    "updated version withdrawn sequence starts changed".split()
)
"""Members of a withdrawn entry that readers still see."""

WITHDRAWN_EVENT_MEMBERS = frozenset(
    ("start", "end", "timezone", "status", "recurrence")
)
"""Members of a withdrawn event that readers still see, so that calendars cancel it."""


def _defaults(value: Any, kept: frozenset[str]) -> dict[str, Any]:
    """Return the defaults of all members of a value that are not kept."""
    return {
        member.name: member.default
        for member in fields(value)
        if member.init and member.name not in kept
    }


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An entry that left a feed (RFC 6721).

    In a calendar it is a deleted event, with its start and zone alone.
    """

    guid: str
    deleted_at: datetime
    event: Event | None = None
    sequence: int = 0


FeedKey = tuple[str, int]
"""A kind, and the key of a category or 0: what feeds depend on and changes affect."""

Revision = tuple[int, datetime, datetime]
"""A change of the change log: its sequence number, its time, and the writer's clock.

The clock is earlier than the time if it was behind the change log.
"""


@dataclass(frozen=True, slots=True)
class FeedVersion:
    """The last change of some feed keys."""

    time: datetime
    seq: int = 0
    feed_keys: frozenset[FeedKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Check:
    """A check of the change log: its time, and the last sequence number that it saw.

    The time is by the clock of this process. `ahead` is by how much this clock may be
    ahead of the clock of a process that writes.
    """

    time: datetime
    seq: int = 0
    ahead: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of an entry in the change log: visible since then, or deleted."""

    seq: int
    is_visible: bool
    entry: Entry


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, without its secret."""

    name: str
    scopes: frozenset[str]
    created: datetime
    last_used: datetime | None = None
    revoked: datetime | None = None
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class FeedSummary:
    """The number of entries in a section or a category, and one of them.

    `shown` is the newest article, or the next event that is not cancelled. Events that
    are over do not count. `has_more` tells that more than `count` exist.
    """

    count: int = 0
    shown: Entry | None = None
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed with its entries, for a format.

    `categories` are those that its filter names. `version` is the last change of the
    feed keys that it depends on or, if that is later, the end of an event. `updated` is
    the last change of what it shows. At `expires_at` it changes without an edit.
    `previous_archive` and `next_archive` are the archive documents before and after it
    (RFC 5005 §4).
    """

    query: FeedQuery
    site: Site
    categories: tuple[Category, ...] = ()
    version: FeedVersion = FeedVersion(EPOCH)
    updated: datetime = EPOCH
    expires_at: datetime | None = None
    is_language_in_use: bool = True
    entries: tuple[Entry, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    previous_archive: FeedQuery | None = None
    next_archive: FeedQuery | None = None

    @classmethod
    def empty(
        cls, site: Site, kind: str, format: str, category: Category | None = None
    ) -> Feed:
        """Return the feed of a section or a category without entries, for its URL."""
        if category is None:
            return cls(FeedQuery(kind, format), site)
        category_filter = CategoryFilter.create([category.slug])
        return cls(FeedQuery(kind, format, category_filter), site, (category,))

    @property
    def category(self) -> Category | None:
        """The category of the feed, if it is one category's."""
        category_filter = self.query.category_filter
        if len(category_filter.all_slugs) == 1 and category_filter.include:
            return self.categories[0]
        return None

    @property
    def self_url(self) -> str:
        """The canonical URL of the feed."""
        return self.url(self.query)

    @property
    def home_url(self) -> str:
        """The web page that the feed belongs to."""
        return (self.category and self.category.url) or self.site.url

    @property
    def hubs(self) -> tuple[str, ...]:
        """The WebSub hubs that are told of changes of the feed."""
        query = self.query
        is_told = query.is_canonical_feed and FORMATS[query.format].pings_hubs
        return self.site.hubs if is_told else ()

    def with_query(self, **changes: Any) -> Feed:
        """Return the feed with another query, without its entries."""
        return Feed(replace(self.query, **changes), self.site, self.categories)

    def in_format(self, format: str) -> Feed:
        """Return the feed in another format, without its entries."""
        return Feed(self.query.in_format(format), self.site, self.categories)

    def url(self, query: FeedQuery) -> str:
        """Return the canonical URL of a feed of this service."""
        return self.site.public_url + query.path
