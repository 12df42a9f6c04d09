"""The frozen values that cross from one stage to another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from feedsvc.query import WEBSUB_PING_FORMATS, CategoryFilter, FeedQuery
from feedsvc.stamps import FeedVersion
from feedsvc.withdrawal import as_withdrawn

STATUSES = ("draft", "published", "withdrawn")
SCOPES = (
    "news:write",
    "news:publish",
    "events:write",
    "events:publish",
    "categories:write",
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Clock = Callable[[], datetime]


def utcnow() -> datetime:
    """The time now, aware, in UTC: the clock that create_app hands out."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Site:
    """The portal whose entries are published. URLs have no slash at their end.

    `hub` is where this service itself takes subscriptions, if it does; `hubs` are others that it tells.
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
    hub: str = ""
    hubs: tuple[str, ...] = ()
    color: str = ""
    logo: str = ""

    def permalink(self, entry_id: str) -> str:
        """The URL of the page that this service has for an entry."""
        return f"{self.public_url}/entries/{entry_id}"


@dataclass(frozen=True, slots=True)
class Category:
    """A category (RFC 4287 §4.2.2): `slug` is its term, `title` its label, `parent` a wider one's slug."""

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
    """Where an entry first appeared, such as a newspaper."""

    name: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """An entry's picture; `length` in bytes, `width` and `height` in pixels."""

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
    """Where an event takes place; WGS 84 degrees."""

    name: str
    address: str | None = None
    url: str | None = None
    latitude: float | None = None
    longitude: float | None = None


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
    """When and where an event takes place.

    `start` and `end` are both dates (an all-day event; `end` exclusive) or both times in `timezone`, of a
    series the first occurrence's. `previous_start`, the start before a postponement, is the store's to give.
    """

    start: date
    end: date | None
    timezone: ZoneInfo
    location: Place | None = None
    organizer: Person | None = None
    status: str = "confirmed"
    recurrence: Recurrence | None = None
    previous_start: date | None = None

    @property
    def all_day(self) -> bool:
        """Whether the event has dates instead of times."""
        return not isinstance(self.start, datetime)

    @property
    def starts(self) -> datetime:
        """The instant it starts, in UTC."""
        return self._to_utc(self.start)

    @property
    def ends(self) -> datetime:
        """The instant it is over, in UTC; without `end`, as RFC 5545 §3.6.1: the same day, or at once."""
        if self.end is not None:
            return self._to_utc(self.end)
        return self._to_utc(
            self.start + timedelta(days=1) if self.all_day else self.start
        )

    def _to_utc(self, moment: date) -> datetime:
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time(), self.timezone)
        return moment.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """An article or an event, cleaned; everything behind the door trusts it.

    `guid` (but for one that is imported), `updated`, `version` and `withdrawn` (when it was) are the store's
    to give; so are an event's `sequence` (RFC 5545 §3.8.7.4) and `starts`, when the occurrence starts that is
    current or next, as last settled. `published` is None until it is settled: at the first publication.
    `changed`, also the store's, is the time of its last step in the change log or, if later, of the
    last change of the title of a category that it names. An `abridged` one was loaded without its body.
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
    published: datetime | None = None
    guid: str = ""
    updated: datetime = EPOCH
    version: int = 0
    withdrawn: datetime | None = None
    sequence: int = 0
    starts: datetime | None = None
    changed: datetime = field(default=EPOCH, compare=False)
    abridged: bool = False

    def public_view(self) -> Entry:
        """Return the entry as readers see it: of a withdrawn one what `feedsvc.withdrawal` lists."""
        return as_withdrawn(self) if self.status == "withdrawn" else self

    def feed_date(self, query: FeedQuery) -> datetime:
        """The date of the entry in a feed: of publication, or of an event's start where that is asked for."""
        return (
            self.starts or self.event.starts
            if self.event and query.date_field == "start"
            else self.date
        )

    @property
    def date(self) -> datetime:
        """The instant of publication, for formats; of a draft, which is in no feed, its last edit."""
        return self.published or self.updated


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What left a feed, and when (RFC 6721); in a calendar a deleted event, with only its start and zone."""

    guid: str
    deleted_at: datetime
    event: Event | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """The newest step of an entry in the ledger: whether it is visible since, and how."""

    seq: int
    is_visible: bool
    entry: Entry


@dataclass(frozen=True, slots=True)
class FeedSummary:
    """The number of entries in a section or a category, of events those that are not over, and the newest.

    `has_more` says that there are more than `count`, because no more are counted.
    """

    count: int = 0
    latest: Entry | None = None
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed with its entries, ready to be rendered.

    `categories` are those that its selector names. `stamp` is what it rests on, and when that last changed:
    by the ledger, or by the end of an event. `updated` is the latest time in the change log of what it shows.
    `due` is when it will next change by itself. `older` and `newer` are the archive documents on both sides
    of it (RFC 5005 §4).
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
        """The feed of a section or a category without its entries, for its name and URL."""
        named = (category,) if category else ()
        return cls(
            FeedQuery(kind, format, CategoryFilter.create(one.slug for one in named)),
            site,
            named,
        )

    @property
    def category(self) -> Category | None:
        """The one category whose feed it is."""
        named = self.query.category_filter
        return (
            self.categories[0] if len(named.all_slugs) == 1 and named.include else None
        )

    @property
    def self_url(self) -> str:
        """The canonical URL of the feed."""
        return self.url(self.query)

    @property
    def home_url(self) -> str:
        """The page for people that the feed belongs to."""
        return (self.category and self.category.url) or self.site.url

    @property
    def hubs(self) -> tuple[str, ...]:
        """Return the WebSub hubs of the feed: none unless it is a topic, external ones for plain ones."""
        if not self.query.is_topic:
            return ()
        others = (
            self.site.hubs
            if self.query.is_canonical_feed and self.query.format in WEBSUB_PING_FORMATS
            else ()
        )
        return (*others, self.site.hub) if self.site.hub else others

    def with_query(self, **changes: Any) -> Feed:
        """The same feed asked for in another way, without its entries."""
        return Feed(replace(self.query, **changes), self.site, self.categories)

    def url(self, query: FeedQuery) -> str:
        """The canonical URL of another feed of this service."""
        return self.site.public_url + query.path
