"""The document of an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import OneOf, Range

from feedsvc.ingest import fields as own
from feedsvc.ingest import recurrence
from feedsvc.ingest.schemas import Document, EntrySchema, PersonSchema, checked
from feedsvc.model import EventDetails, Place
from feedsvc.recurrence import Recurrence


class PlaceSchema(Document):
    """A place; WGS 84 degrees."""

    makes = Place
    name = own.Text(500, required=True)
    address = own.Text(1000)
    url = own.url()
    latitude = own.Float(validate=Range(-90, 90))
    longitude = own.Float(validate=Range(-180, 180))

    @validates_schema
    def both_or_neither(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """One coordinate alone is no place."""
        if ("latitude" in data) != ("longitude" in data):
            missing = "longitude" if "latitude" in data else "latitude"
            raise ValidationError({missing: ["Latitude and longitude go together."]})


class RecurrenceSchema(Document):
    """When a series takes place again: a RRULE's value (RFC 5545 §3.3.10), days left out, days added."""

    makes = Recurrence
    rrule = own.Cleaned(
        recurrence.rule,
        required=True,
        metadata={"maxLength": recurrence.LONGEST, "pattern": f"^{recurrence.PATTERN}$"},
    )
    exdates = own.Few(own.LocalDateOrTime(), recurrence.MOST)
    rdates = own.Few(own.LocalDateOrTime(), recurrence.MOST)


class EventSchema(EntrySchema):
    """An event."""

    kind_name = "events"
    start = own.DateOrTime(required=True, attribute="event.start")
    end = own.DateOrTime(attribute="event.end")
    timezone = own.zone(attribute="event.timezone")
    all_day = fields.Boolean(attribute="event.all_day", dump_only=True)
    location = fields.Nested(PlaceSchema, attribute="event.location")
    organizer = fields.Nested(PersonSchema, attribute="event.organizer")
    event_status = fields.String(
        attribute="event.status", validate=OneOf(("confirmed", "tentative", "postponed", "cancelled"))
    )
    recurrence = fields.Nested(RecurrenceSchema, attribute="event.recurrence")

    def event(self, details: dict[str, Any] | None) -> EventDetails | None:
        """The event's details, its times in its own zone.

        :raises ValidationError: `end` is not of the kind of `start`, or does not follow it; or the recurrence
            does not fit.
        """
        assert details is not None
        zone = details.setdefault("timezone", self.site.timezone)
        for name in ("start", "end"):
            moment = details.get(name)
            if isinstance(moment, datetime):
                # By way of UTC, so that a time which a change of the clock skips becomes one that exists.
                moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
                details[name] = checked(own.in_range, moment.astimezone(zone), name)
                checked(own.in_range, moment, name)
        found = EventDetails(**{"end": None, **details})
        if found.end is not None:
            if isinstance(found.end, datetime) == found.all_day:
                raise ValidationError("Must be a date if the start is one, else a time.", "end")
            if found.ends < found.starts:
                raise ValidationError("Lies before the start.", "end")
            if found.all_day and found.ends == found.starts:
                sentence = "Must be after the start: the end of all-day events is exclusive."
                raise ValidationError(sentence, "end")
        if found.recurrence is not None:
            found = replace(found, recurrence=recurrence.local(found.recurrence, zone))
            wrong = recurrence.faults(found)
            if wrong:
                raise ValidationError({"recurrence": wrong})
        return found
