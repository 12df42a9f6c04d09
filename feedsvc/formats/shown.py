"""An entry as readers see it: what every format takes instead of its raw members."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from html import escape

from feedsvc.feeds.feed import FeedHead
from feedsvc.formats import content, times, titles
from feedsvc.formats.phrases import is_right_to_left, raise_first, translate
from feedsvc.formats.titles import TitleState
from feedsvc.models import Cancellation, Entry, Event, Site
from feedsvc.recurrence import (
    cancelled_occurrences,
    display_occurrence,
    next_that_takes_place,
    without_cancelled,
)
from feedsvc.text.iframes import iframes_to_links
from feedsvc.text.languages import has_phrases

#: Cancelled dates of a series that are listed.
_MAX_DATES = 10

#: The label of a notice by the state of its entry; in any other state it is a
#: correction.
_NOTICE_LABELS = {
    "withdrawn": "state.withdrawn",
    "cancelled": "entry.reason",
    "postponed": "entry.reason",
    "rescheduled": "entry.change",
}


def show(entry: Entry, presentation: FeedHead) -> Shown:
    """Return an entry as all feeds with the same presentation show it.

    :param presentation: a feed with the `presentation` of their queries.
    """
    date = entry.date
    if entry.starts and presentation.query["date"] == "start":
        date = entry.starts
    is_whole = presentation.query.format.is_calendar
    if is_whole and presentation.query["cancelled"] == "hide":
        event = entry.event and without_cancelled(entry.event)
        entry = replace(entry, event=event)
    return Shown(
        entry,
        presentation.site,
        date,
        presentation.language,
        is_summary=presentation.is_summary,
        is_whole=is_whole,
    )


# Without slots, for cached_property, which keeps what takes long and is used twice.
# Nothing is made before it is needed: a calendar of summaries needs no bodies.
@dataclass(frozen=True)
class Shown:
    """An entry as readers see it, with the words about it in one language.

    `date` is the entry's date in the feed, elsewhere that of its publication.
    `feed_language` is the language of the feed, or of the page if `is_on_page`.
    `is_summary` tells that readers get no content, `is_whole` that they get a series as
    a whole, with its cancelled dates beside it, as in calendars.
    """

    entry: Entry
    site: Site
    date: datetime
    feed_language: str
    is_on_page: bool = False
    is_summary: bool = False
    is_whole: bool = False

    @cached_property
    def language(self) -> str:
        """The language of the words about the entry, which is decided here alone.

        A page has one language; in feeds it is that of the entry, if it has phrases.
        """
        if has_phrases(self.entry.language) and not self.is_on_page:
            return self.entry.language
        return self.site.words_language(self.feed_language)

    @property
    def is_foreign(self) -> bool:
        """True if the entry is not in the language of the feed."""
        return self.entry.language.lower() != self.feed_language.lower()

    @property
    def category_titles(self) -> list[str]:
        """The titles of the categories in the language of the feed or page."""
        return [
            category.title_in(self.feed_language) for category in self.entry.categories
        ]

    @property
    def url(self) -> str:
        """The URL of the entry's page: the portal's, or else this service's."""
        return self.site.entry_url(self.entry)

    @cached_property
    def occurrence(self) -> Event | None:
        """The occurrence of the event that is shown; None for an article."""
        return display_occurrence(self.entry)

    @cached_property
    def cancelled_occurrences(self) -> list[tuple[Cancellation, Event]]:
        """The cancelled occurrences of a series, in order; none if all of it is off."""
        event = self.entry.event
        if event is None or self.entry.is_cancelled:
            return []
        return cancelled_occurrences(event)

    @cached_property
    def cancellation(self) -> Cancellation | None:
        """The cancellation of the occurrence that is shown."""
        if self.is_whole or self.occurrence is None:
            return None
        starts = self.occurrence.starts
        # By instants, since a time that the clocks skip has another local time.
        return next(
            (
                each
                for each, event in self.cancelled_occurrences
                if event.starts == starts
            ),
            None,
        )

    @cached_property
    def next_date(self) -> Event | None:
        """The occurrence that is shown, or if it is cancelled the next that is not."""
        event, occurrence = self.entry.event, self.occurrence
        if event is None or occurrence is None or not self.cancellation:
            return occurrence
        return next_that_takes_place(event, occurrence, self.entry.ends)

    @cached_property
    def state(self) -> TitleState | None:
        """The state before the title: that of the shown date, or else of the entry."""
        if self.cancellation and self.occurrence:
            return TitleState("cancelled", (self._day(self.occurrence, "short"),))
        state = self.entry.state
        if state == "confirmed":
            return None
        if state == "rescheduled":
            return TitleState(state, self._former_day)
        return TitleState(state)

    @property
    def _former_day(self) -> tuple[str, ...]:
        """The day from which an event was moved to another, if it is known."""
        event = self.occurrence
        if event is None or event.previous_start is None:
            return ()
        former = times.local_day(replace(event, start=event.previous_start))
        day = times.local_day(event)
        if former == day:
            return ()
        return times.format_days(former, day, "long", self.language)[:1]

    @property
    def title(self) -> str:
        """The title after the state, which may name a day."""
        return titles.add_state(self.language, self.state, self.entry.title)

    def _day(self, occurrence: Event, style: str = "full") -> str:
        day = times.local_day(occurrence)
        return times.format_day(day, style, self.language)

    @property
    def notice(self) -> str:
        """The notice of a change after a label that says why it is there.

        Before it is the reason of the cancellation of the occurrence that is shown.
        """
        notice = self.entry.notice or ""
        if notice:
            key = _NOTICE_LABELS.get(self.entry.state, "entry.correction")
            notice = titles.add_label(self.language, key, notice)
        return self._join(self.reason_of(self.cancellation), notice)

    def reason_of(self, cancellation: Cancellation | None) -> str:
        """Return the notice of a cancellation after its label; it may be empty."""
        if not cancellation or not cancellation.notice:
            return ""
        return titles.add_label(self.language, "entry.reason", cancellation.notice)

    @property
    def cancelled_dates(self) -> list[str]:
        """The next cancelled dates with their reasons, and a count of the rest.

        Formats have no clock, so they are those from the occurrence that is shown on.
        """
        if self.occurrence is None or self.entry.is_over:
            return []
        dates = [
            " – ".join(filter(None, (self._day(event), cancellation.notice)))
            for cancellation, event in self.cancelled_occurrences
            if event.starts >= self.occurrence.starts
        ]
        count = len(dates) - _MAX_DATES
        if count > 0:
            rest = translate(self.language, "event.more_dates", str(count))
            dates[_MAX_DATES:] = [rest]
        return dates

    @property
    def cancelled_line(self) -> str:
        """The next cancelled dates in one line; empty without any."""
        return content.labelled_list(
            self.language, "event.cancelled_dates", self.cancelled_dates
        )

    @property
    def time(self) -> str:
        """The time of an event; an empty text for an article.

        For a recurring event: how often it takes place, and the occurrence that is
        shown, or if it is cancelled the next that takes place.
        """
        event, date, text = self.entry.event, self.next_date, ""
        if date:
            text = times.format_event_dates(date, self.site, self.language)
        if event and event.recurrence:
            recurrence = times.describe_recurrence(
                event, self.entry.ends, self.language
            )
            is_next = self.entry.is_next or self.cancellation
            key = "recurrence.next" if is_next else "recurrence.including"
            text = (
                translate(self.language, key, recurrence, text) if text else recurrence
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
        return "" if self.is_summary else self.whole_content

    @property
    def whole_content(self) -> str:
        """The content as HTML, also in feeds with summaries."""
        return self.entry.content_html or content.paragraphs(
            self.entry.content_text or ""
        )

    @property
    def source_credit(self) -> str:
        """A paragraph that names the source, unless the content ends with its name."""
        return content.source_credit(self.entry.source, self.content, self.language)

    @cached_property
    def body(self) -> str:
        """The body as HTML; empty in feeds with summaries.

        It has all that readers may show nowhere else: before the content the notice,
        the time of an event, its cancelled dates and the image; after it further facts
        of an event and the source. Instead of content that is empty it has the summary:
        most readers show the one or the other.
        """
        if self.is_summary:
            return ""
        parts = [
            f"<p><strong>{escape(line, quote=False)}</strong></p>"
            for line in (
                self.notice,
                self.time_and_place,
                self.cancelled_line,
            )
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
        # Most readers drop iframes, and validators warn of them.
        body = iframes_to_links("\n".join(filter(None, parts)))
        if body and is_right_to_left(self.entry.language):
            # Readers do not derive the direction from the language.
            return f'<div dir="rtl">\n{body}\n</div>'
        return body
