"""The document of an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import OneOf, Range

from feedsvc.api import fields as own
from feedsvc.api import recurrence_validation
from feedsvc.api.schemas import BaseSchema, EntrySchema, PersonSchema, validate_field
from feedsvc.models import Event, Place, Recurrence


class PlaceSchema(BaseSchema):
    """A place; WGS 84 degrees."""

    model_class = Place
    name = own.Text(500, required=True)
    address = own.Text(1000)
    url = own.url()
    latitude = own.Float(validate=Range(-90, 90))
    longitude = own.Float(validate=Range(-180, 180))

    @validates_schema
    def validate_coordinates(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """One coordinate alone is no place."""
        if ("latitude" in data) != ("longitude" in data):
            missing = "longitude" if "latitude" in data else "latitude"
            raise ValidationError({missing: ["Latitude and longitude go together."]})


class RecurrenceSchema(BaseSchema):
    """When a series takes place again: a RRULE's value (RFC 5545 §3.3.10), days left out, days added."""

    model_class = Recurrence
    rrule = own.ValidatedString(
        recurrence_validation.validate_rrule,
        required=True,
        metadata={
            "maxLength": recurrence_validation.MAX_RULE_LENGTH,
            "pattern": f"^{recurrence_validation.PATTERN}$",
        },
    )
    exdates = own.BoundedList(
        own.LocalDateOrTime(), recurrence_validation.MAX_OCCURRENCES
    )
    rdates = own.BoundedList(
        own.LocalDateOrTime(), recurrence_validation.MAX_OCCURRENCES
    )


class EventSchema(EntrySchema):
    """An event."""

    kind_name = "events"
    start = own.DateOrTime(required=True, attribute="event.start")
    end = own.DateOrTime(attribute="event.end")
    timezone = own.timezone(attribute="event.timezone")
    all_day = fields.Boolean(attribute="event.all_day", dump_only=True)
    location = fields.Nested(PlaceSchema, attribute="event.location")
    organizer = fields.Nested(PersonSchema, attribute="event.organizer")
    event_status = fields.String(
        attribute="event.status",
        validate=OneOf(("confirmed", "tentative", "postponed", "cancelled")),
    )
    recurrence = fields.Nested(RecurrenceSchema, attribute="event.recurrence")

    def build_event(self, details: dict[str, Any] | None) -> Event | None:
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
                moment = (
                    moment if moment.tzinfo else moment.replace(tzinfo=zone)
                ).astimezone(UTC)
                details[name] = validate_field(
                    own.check_year, moment.astimezone(zone), name
                )
                validate_field(own.check_year, moment, name)
        found = Event(**{"end": None, **details})
        if found.end is not None:
            if isinstance(found.end, datetime) == found.all_day:
                raise ValidationError(
                    "Must be a date if the start is one, else a time.", "end"
                )
            if found.ends < found.starts:
                raise ValidationError("Lies before the start.", "end")
            if found.all_day and found.ends == found.starts:
                sentence = (
                    "Must be after the start: the end of all-day events is exclusive."
                )
                raise ValidationError(sentence, "end")
        if found.recurrence is not None:
            found = replace(
                found, recurrence=recurrence_validation.localize(found.recurrence, zone)
            )
            wrong = recurrence_validation.validate(found)
            if wrong:
                raise ValidationError({"recurrence": wrong})
        return found
