"""An entry as readers see it: what every format takes instead of its raw members."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from html import escape

from feedsvc.feeds.feed import Feed
from feedsvc.formats import content, times
from feedsvc.formats.common import iri_to_uri
from feedsvc.formats.phrases import raise_first, translate
from feedsvc.formats.titles import add_label
from feedsvc.languages import is_supported
from feedsvc.models import Category, Entry, Event, Site
from feedsvc.recurrence import display_occurrence


def show(entry: Entry, feed: Feed) -> Shown:
    """Return an entry as a feed shows it."""
    return Shown(
        entry, feed.site, feed.date_of(entry), is_summary=feed.is_summary
    )


# Without slots, for cached_property, which keeps what takes long and is used twice.
# Nothing is made before it is needed: a calendar of summaries needs no bodies.
@dataclass(frozen=True)
class Shown:
    """An entry as readers see it, with the words about it in one language.

    `site` is in the language of the feed or page. `date` is the entry's date in the
    feed, elsewhere that of its publication. `page_language` is the language of the
    page; feeds and calendars have none. `is_summary` tells that readers get no content.
    """

    entry: Entry
    site: Site
    date: datetime
    page_language: str | None = None
    is_summary: bool = False

    @property
    def language(self) -> str:
        """The language of the words about the entry, which is decided here alone.

        A page has one language; in feeds it is that of the entry.
        """
        if self.page_language:
            return self.page_language
        if is_supported(self.entry.language):
            return self.entry.language
        return self.site.words_language

    @property
    def is_foreign(self) -> bool:
        """True if the entry is not in the language of the feed."""
        return self.entry.language.lower() != self.site.language.lower()

    @property
    def categories(self) -> list[Category]:
        """The categories with their titles in the language of the feed or page."""
        return [
            category.in_language(self.site)
            for category in self.entry.categories
        ]

    @property
    def url(self) -> str:
        """The URL of the entry's page: the portal's, or else this service's."""
        return self.site.entry_url(self.entry)

    @cached_property
    def occurrence(self) -> Event | None:
        """The occurrence of the event that is shown; None for an article."""
        return display_occurrence(self.entry)

    @property
    def state(self) -> str | None:
        """The state that readers must see before the title, such as `cancelled`."""
        if self.entry.status == "withdrawn":
            return "withdrawn"
        event = self.entry.event
        return event.status if event and event.status != "confirmed" else None

    @property
    def title(self) -> str:
        """The title after the state."""
        if self.state is None:
            return self.entry.title
        return add_label(
            self.language, f"state.{self.state}", self.entry.title
        )

    @property
    def notice(self) -> str:
        """The notice of a change after a label that says why it is there."""
        if not self.entry.notice:
            return ""
        key = "entry.correction"
        if self.state == "withdrawn":
            key = "state.withdrawn"
        elif self.state in ("cancelled", "postponed"):
            key = "entry.reason"
        return add_label(self.language, key, self.entry.notice)

    @property
    def hours(self) -> str:
        """The hours of an event beside its day, and how often it takes place."""
        event, occurrence = self.entry.event, self.occurrence
        if event is None or occurrence is None:
            return ""
        hours = raise_first(
            times.format_event_hours(occurrence, self.site, self.language)
        )
        if event.recurrence is None:
            return hours
        return f"{hours} · {times.describe_frequency(event, self.language)}"

    @property
    def time(self) -> str:
        """The time of an event; an empty text for an article.

        For a recurring event: how often it takes place, and the occurrence that is
        shown.
        """
        event, occurrence = self.entry.event, self.occurrence
        if event is None or occurrence is None:
            return ""
        text = times.format_event_dates(occurrence, self.site, self.language)
        if event.recurrence:
            recurrence = times.describe_recurrence(event, self.language)
            kind = "next" if self.entry.is_next else "including"
            text = translate(
                self.language, f"recurrence.{kind}", recurrence, text
            )
        return raise_first(text)

    @cached_property
    def time_and_place(self) -> str:
        """Time, place and attendance of an event; an empty text for an article."""
        event = self.entry.event
        if event is None:
            return ""
        parts = [self.time]
        if event.location:
            parts += [event.location.name, event.location.address or ""]
        if event.attendance != "in_person":
            parts.append(translate(self.language, f"event.{event.attendance}"))
        return " · ".join(part for part in parts if part)

    @property
    def summary(self) -> str:
        """The plain summary: notice, time and place, and the summary's text."""
        # Some readers, and all previews of links, show the summary but not the body.
        text = self._join(self.time_and_place, self.entry.summary)
        return self._join(self.notice, text)

    def _join(self, first: str, second: str) -> str:
        """Join two texts, the first as a sentence; one of them may be empty."""
        if not first or not second:
            return first or second
        end = translate(self.language, "punctuation.sentence")
        # Editors may have ended it with punctuation.
        if first.endswith((".", "!", "?", "…", "。", "！", "？")):
            end = end[1:]
        return first + end + second

    @property
    def content(self) -> str:
        """The content as HTML, without additions; empty in feeds with summaries."""
        if self.is_summary:
            return ""
        return self.entry.content_html or content.paragraphs(
            self.entry.content_text or ""
        )

    @property
    def source_credit(self) -> str:
        """A paragraph that names the source, unless the content ends with its name."""
        return content.source_credit(
            self.entry.source, self.content, self.language
        )

    @cached_property
    def body(self) -> str:
        """The body as HTML; empty in feeds with summaries.

        It has all that readers may show nowhere else: before the content the notice,
        the time of an event and the image; after it further facts of an event and the
        source. Instead of content that is empty it has the summary: most readers show
        the one or the other.
        """
        if self.is_summary:
            return ""
        parts = [
            f"<p><strong>{escape(line, quote=False)}</strong></p>"
            for line in (self.notice, self.time_and_place)
            if line
        ]
        image = content.lead_image(self.entry.image, self.content)
        if image:
            parts.append(content.figure(image, self.language))
        parts += (
            self.content or content.paragraphs(self.entry.summary),
            content.event_facts(self.entry.event, self.language),
            self.source_credit,
        )
        return content.iframes_to_links("\n".join(filter(None, parts)))

    @property
    def text(self) -> str:
        """The body as plain text with the addresses of its links, for calendars.

        It has the notice, tickets, performers, the organizer, the source and the
        address of the entry's page; time, place and image have their own properties.
        Instead of content that is empty it has the summary.
        """
        facts = content.event_facts(
            self.entry.event, self.language, with_organizer=True
        )
        parts = (
            self.notice,
            content.to_addressed_text(self.content) or self.entry.summary,
            content.to_addressed_text(facts),
            content.to_addressed_text(self.source_credit),
            # Google shows no URL but those in the text.
            iri_to_uri(self.url),
        )
        return "\n\n".join(part for part in parts if part)
