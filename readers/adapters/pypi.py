"""Programs of PyPI."""

from __future__ import annotations

import itertools
import json
import mailbox
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from email import message_from_binary_file, policy
from typing import Any

from readers.adapters.common import (
    BEGIN,
    END,
    Facts,
    Source,
    main,
    pick,
    shows,
)


@shows("feed library")
def feedparser(source: Source) -> Iterator[Facts]:
    import feedparser

    for entry in feedparser.parse(source.path.read_bytes()).entries:
        type = pick(entry, "text=content.0.type|summary_detail.type")["text"]
        name = "plain_text" if type == "text/plain" else "text"
        yield pick(
            entry,
            f"id title link date=published {name}=content.0.value|summary authors=authors.name enclosures=enclosures.href categories=tags.label|tags.term picture=media_content.url|media_thumbnail.url",
        )


@shows("feed library")
def reader(source: Source) -> Iterator[Facts]:
    from reader import make_reader

    with make_reader(str(source.home / "reader.db")) as reader:
        reader.add_feed(source.url, exist_ok=True)
        reader.update_feed(source.url)
        for entry in reader.get_entries():
            content = entry.get_content()
            name = "text" if content and content.is_html else "plain_text"
            yield {
                **pick(
                    entry,
                    "id title link date=published authors=authors.name enclosures=enclosures.href",
                ),
                **pick(content, f"{name}=value"),
            }


R2E = """[DEFAULT]
from = a@portal.example
to = b@portal.example
email-protocol = maildir
maildir-path = {home}
maildir-mailbox = inbox
"""


@shows("feed reader")
def rss2email(source: Source) -> Iterator[Facts]:
    config = source.home / "r2e.cfg"
    r2e = ("r2e", "-c", config, "-d", source.home / "r2e.json")
    if not config.exists():
        config.write_text(R2E.format(home=source.home))
        source.run(*r2e, "add", "feed", source.url)
    source.run(*r2e, "run")
    for mail in mailbox.Maildir(source.home / "inbox", _read_mail):
        yield pick(
            mail,
            "id=X-RSS-ID shown_title=Subject link=X-RSS-URL plain_text=text",
        )


def _read_mail(file: Any) -> Any:
    mail = message_from_binary_file(file, policy=policy.default)
    return {**dict(mail), "text": mail.get_content()}


@shows("calendar library")
def recurring_ical_events(source: Source) -> Iterator[Facts]:
    import recurring_ical_events
    from icalendar import Calendar

    calendar = Calendar.from_ical(source.path.read_bytes())
    for event in recurring_ical_events.of(calendar).between(BEGIN, END):
        yield pick(
            event,
            "id=UID shown_title=SUMMARY link=URL plain_text=DESCRIPTION categories=CATEGORIES.cats start end",
        )


@shows("calendar library")
def ics(source: Source) -> Iterator[Facts]:
    from ics import Calendar

    for event in Calendar(source.path.read_text("utf-8")).events:
        yield pick(
            event,
            "id=uid shown_title=name link=url plain_text=description start=begin end all_day",
        )


@shows("calendar library")
def vobject(source: Source) -> Iterator[Facts]:
    import vobject

    for event in vobject.readOne(source.path.read_text("utf-8")).vevent_list:
        facts = pick(
            event,
            "id=uid.value shown_title=summary.value link=url.value plain_text=description.value",
        )
        start = event.dtstart.value
        length = event.dtend.value - start if hasattr(event, "dtend") else None
        for first in event.getrruleset(addRDate=True) or [start]:
            end = first + length if length else None
            is_all_day = not isinstance(start, datetime)
            yield {**facts, "start": first, "end": end, "all_day": is_all_day}


@shows("calendar library")
def icalevents(source: Source) -> Iterator[Facts]:
    from icalevents.icalevents import events

    document = source.path.read_bytes()
    for event in events(string_content=document, start=BEGIN, end=END):
        yield pick(
            event,
            "id=uid shown_title=summary link=url plain_text=description start end all_day",
        )


@shows("calendar library")
def ical(source: Source) -> Iterator[Facts]:
    from ical.calendar_stream import IcsCalendarStream

    text = source.path.read_text("utf-8")
    calendar = IcsCalendarStream.calendar_from_ics(text)
    for event in calendar.timeline.overlapping(BEGIN, END):
        yield pick(
            event,
            "id=uid shown_title=summary link=url plain_text=description categories start end",
        )


KHAL = """[calendars]
[[feed]]
path = {home}/calendar
[locale]
local_timezone = Asia/Ho_Chi_Minh
default_timezone = Asia/Ho_Chi_Minh
timeformat = %H:%M+07:00
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%dT%H:%M+07:00
longdatetimeformat = %Y-%m-%dT%H:%M+07:00
[sqlite]
path = {home}/khal.db
"""
KHAL_FIELDS = ("uid", "title", "url", "description", "start-long", "end-long")


@shows("calendar program")
def khal(source: Source) -> Iterator[Facts]:
    config = source.home / "khal.conf"
    config.write_text(KHAL.format(home=source.home))
    (source.home / "calendar").mkdir()
    khal = ("khal", "-c", config)
    source.run(*khal, "import", "--batch", "-a", "feed", source.path)
    fields = [option for field in KHAL_FIELDS for option in ("--json", field)]
    period = (str(BEGIN.date()), str(END.date()))
    listed = source.run(*khal, "list", "--day-format", "", *fields, *period)
    # Each day is a line, also those on which an event only goes on.
    days = map(json.loads, listed.splitlines())
    events = {json.dumps(event): event for event in itertools.chain(*days)}
    for event in events.values():
        facts = pick(
            event,
            "id=uid shown_title=title link=url plain_text=description start=start-long end=end-long",
        )
        if "T" not in facts["end"]:
            facts["end"] = date.fromisoformat(facts["end"]) + timedelta(days=1)
        yield facts


if __name__ == "__main__":
    main()
