"""Schemas of entries and categories: JSON → model, validated, and model → JSON."""

import dataclasses
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from typing import Any, ClassVar

import marshmallow as ma
from babel.numbers import get_currency_precision, is_currency
from marshmallow import ValidationError
from marshmallow.validate import OneOf, Range

from feedsvc import models
from feedsvc.input import fields, plain_text, recurrence_validation, sanitize
from feedsvc.input.recurrence_validation import (
    MAX_CANCELLED,
    MAX_OCCURRENCES,
)
from feedsvc.text import timezones
from feedsvc.text.html_text import truncate

MAX_TITLE_LENGTH = 500
MAX_SUMMARY_LENGTH = 2000
MAX_CATEGORIES = 50
#: Characters of a summary that is derived from the content.
DERIVED_SUMMARY_LENGTH = 300

_CONTENT_LIMIT = f"At most {sanitize.MAX_LENGTH:,} bytes of UTF-8."

#: Fields by their names in RSS and in content management systems.
_OTHER_NAMES = {
    "description": "summary",
    "excerpt": "summary",
    "featured": "categories",
    "headline": "title",
    "lead": "summary",
    "link": "url",
    "pubDate": "date_published",
    "rrule": "recurrence",
    "slug": "id",
    "tags": "categories",
}

_OTHER_NAMES_OF_CONTENT = ("body", "content", "html", "text")

#: Statuses as WordPress and Americans spell them.
_OTHER_SPELLINGS = {"canceled": "cancelled", "publish": "published"}

_UNKNOWN = "Unknown field."
_MAX_HINTS = 20
_MAX_HINTED_LENGTH = 50
_EVENT_MEMBERS = {member.name for member in dataclasses.fields(models.Event)}


class ClosedSchema(ma.Schema):
    """A JSON object without other members than its fields."""

    error_messages = {  # noqa: RUF012
        "type": "Must be an object.",
        "unknown": _UNKNOWN,
    }

    def handle_error(self, error: ValidationError, data: Any, **kwargs: Any) -> None:
        """Say which known field an unknown one probably is.

        :raises ValidationError: always.
        """
        messages = error.messages_dict
        unknown = [name for name in messages if messages[name] == [_UNKNOWN]]
        # To look for similar names takes long, so a few get a hint.
        for name in unknown[:_MAX_HINTS]:
            if len(str(name)) <= _MAX_HINTED_LENGTH:
                messages[name] = [_UNKNOWN + self.hint(str(name), data[name])]
        # marshmallow would raise an error that its own frame refers to. Such a cycle
        # keeps the document until a garbage collection, which may be long after.
        raise ValidationError(messages, valid_data=error.valid_data)

    def hint(self, name: str, value: Any) -> str:
        """Return a sentence after a space about an unknown field, or an empty text."""
        nearest = get_close_matches(name, self.member_names(), n=1)
        return f" Did you mean “{nearest[0]}”?" if nearest else ""

    def member_names(self) -> list[str]:
        """Return the names of the members that can be sent."""
        return [field.data_key or name for name, field in self.load_fields.items()]


class ModelSchema(ClosedSchema):
    """A JSON object that stands for a model; members without a value are left out."""

    model_class: ClassVar[Callable[..., Any]]

    @ma.pre_load
    def drop_ignored(self, data: Any, **kwargs: Any) -> Any:
        """Ignore members without a value, and read-only ones.

        Content management systems send null or an empty text for what they do not have,
        and clients may send back what they read.
        """
        if not isinstance(data, Mapping):
            return data
        ignored = self.dump_fields.keys() - self.load_fields.keys()
        ignored.update(
            name for name in self.member_names() if data.get(name) in (None, "")
        )
        return {name: value for name, value in data.items() if name not in ignored}

    @ma.post_load
    def to_model(self, data: dict[str, Any], **kwargs: Any) -> Any:
        """Return the model, whose lists are tuples."""
        return self.model_class(**_with_tuples(data))

    @ma.post_dump
    def drop_nulls(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Return the members that have a value."""
        return {name: value for name, value in data.items() if value not in (None, {})}


def _with_tuples(data: dict[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data.items()
    }


def _our_spelling(status: str) -> str:
    return _OTHER_SPELLINGS.get(status, status)


_NAME_OR_OBJECT = 'Must be a name, or an object such as {"name": "Lan"}.'


class CategorySchema(ModelSchema):
    """A category."""

    model_class = models.Category
    # The path of a PUT has it, if the body has none.
    slug = fields.CategorySlug(required=True)
    title = fields.Text(200, required=True)
    titles = fields.TextsByLanguage(200)
    description = fields.Text(2000, multiline=True)
    language = fields.language()
    url = fields.url()
    parent = fields.CategorySlug()


class NamedSchema(ModelSchema):
    """Somebody with a name and perhaps a page."""

    error_messages = {"type": _NAME_OR_OBJECT}  # noqa: RUF012
    model_class = models.Person
    name = fields.Text(200, required=True)
    url = fields.url()


class PersonSchema(NamedSchema):
    """An author or an organizer."""

    email = fields.Matching(fields.EMAIL, "Must be an e-mail address.")


class SourceSchema(NamedSchema):
    """The original publisher of an entry."""


class ImageSchema(ModelSchema):
    """A picture."""

    error_messages = {"type": "Must be a URL or an object."}  # noqa: RUF012
    model_class = models.Image
    url = fields.url(required=True)
    alt = fields.Text(1000)
    caption = fields.Text(2000)
    credit = fields.Text(500)
    type = fields.media_type()
    length = fields.non_negative_int()
    width = fields.non_negative_int(100_000)
    height = fields.non_negative_int(100_000)


class AttachmentSchema(ModelSchema):
    """An attached file, with the member names of JSON Feed."""

    error_messages = {  # noqa: RUF012
        "type": 'Must be an object such as {"url": "https://…", "mime_type": '
        '"application/pdf"}.'
    }
    model_class = models.Attachment
    url = fields.url(required=True)
    type = fields.media_type(required=True, data_key="mime_type")
    length = fields.non_negative_int(data_key="size_in_bytes")
    title = fields.Text(500)
    duration = ma.fields.Float(
        data_key="duration_in_seconds", validate=Range(0, 10_000_000)
    )


class EntrySchema(ModelSchema):
    """The members that articles and events share."""

    kind_name: ClassVar[str]
    kind = ma.fields.String(dump_only=True)
    id = fields.EntryId()
    guid = fields.guid()
    url = fields.url()
    title = fields.Text(MAX_TITLE_LENGTH, required=True)
    summary = fields.Text(MAX_SUMMARY_LENGTH, multiline=True)
    # It is no Text, since the sanitizer does the same checks.
    content_html = ma.fields.String(metadata={"description": _CONTENT_LIMIT})
    content_text = fields.Text(
        sanitize.MAX_LENGTH,
        multiline=True,
        metadata={"description": _CONTENT_LIMIT},
    )
    language = fields.language()
    authors = fields.ShortList(fields.NestedOrString(PersonSchema), 50)
    source = fields.NestedOrString(SourceSchema)
    rights = fields.Text(1000)
    categories = fields.ShortList(fields.CategorySlug(), MAX_CATEGORIES)
    image = fields.NestedOrString(ImageSchema, member="url")
    attachments = fields.ShortList(ma.fields.Nested(AttachmentSchema), 50)
    translation_key = fields.Identifier()
    date_published = fields.UtcDateTime(attribute="published")
    date_modified = fields.UtcDateTime(attribute="updated", dump_only=True)
    status = fields.ParsedString(
        _our_spelling,
        validate=OneOf(
            models.STATUSES,
            error="Must be one of: {choices}. To cancel an event, set event_status.",
        ),
    )
    notice = fields.Text(2000, multiline=True)
    expires = fields.UtcDateTime()
    version = ma.fields.Integer(dump_only=True)
    public = ma.fields.Boolean(
        dump_only=True,
        metadata={"description": "Whether readers see the entry in feeds now."},
    )
    preview_url = ma.fields.String(
        dump_only=True,
        metadata={
            "description": "The page of an entry that is not public, as readers will "
            "see it; for anyone with the link, for seven days."
        },
    )

    def __init__(self, site: models.Site, **kwargs: Any) -> None:
        self.site = site
        super().__init__(**kwargs)

    def hint(self, name: str, value: Any) -> str:
        """Return a hint at our name for a usual other one, or at the other kind."""
        other_name = _OTHER_NAMES.get(name)
        if name in _OTHER_NAMES_OF_CONTENT:
            is_html = isinstance(value, str) and sanitize.has_tags(value)
            other_name = "content_html" if is_html else "content_text"
        if other_name:
            return f" Did you mean “{other_name}”?"
        if name in _EVENT_MEMBERS:
            return " Only events have it."
        return super().hint(name, value)

    def on_bind_field(self, field_name: str, field_obj: Any) -> None:
        """Read times without an offset in the site's zone."""
        if isinstance(field_obj, fields.UtcDateTime):
            field_obj.timezone = self.site.timezone

    # It runs also if fields have errors, since all errors are reported at once.
    @ma.validates_schema(skip_on_field_errors=False)
    def validate_entry(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Check the rules that concern more than one member."""
        errors: dict[str, Any] = {}
        for name in ("content_html", "content_text"):
            content = data.get(name) or ""
            if len(content.encode("utf-8", "surrogatepass")) > sanitize.MAX_LENGTH:
                errors[name] = [f"Longer than {sanitize.MAX_LENGTH:,} bytes of UTF-8."]
        published = data.get("published", models.EPOCH)
        if "expires" in data and data["expires"] <= published:
            errors["expires"] = ["Must be after date_published."]
        if errors:
            raise ValidationError(errors)

    @ma.post_load
    def to_model(self, data: dict[str, Any], **kwargs: Any) -> models.Entry:
        """Return the entry, its HTML sanitized, with defaults for absent members."""
        data.setdefault("id", secrets.token_hex(8))
        permalink = self.site.permalink(data["id"])
        # Sent back as it was read: it stays the default, also if the host changes.
        if data.get("url") == permalink:
            del data["url"]
        if data.get("content_html") is not None:
            base_url = data.get("url") or permalink
            data["content_html"] = fields.validate(
                partial(sanitize.sanitize, base_url=base_url),
                data["content_html"],
                "content_html",
            )
            # It counts as absent, as an empty text does.
            if not data["content_html"]:
                del data["content_html"]
            elif data.get("content_text"):
                raise ValidationError(
                    "Only one of content_html and content_text. "
                    "In a PATCH, send null for the other.",
                    "content_text",
                )
        if not data.get("summary"):
            data["summary"] = derived_summary(
                data.get("content_html"), data.get("content_text")
            )
        data.setdefault("language", self.site.language)
        # Storage looks up the categories, and fills in their titles.
        data["categories"] = tuple(
            models.Category(slug, "") for slug in data.get("categories", ())
        )
        event = self.pop_event(data)
        return models.Entry(kind=self.kind_name, event=event, **_with_tuples(data))

    def pop_event(self, data: dict[str, Any]) -> models.Event | None:
        """Return the event of an entry of a kind that has one."""
        return None

    @ma.post_dump
    def add_default_url(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Add the URL of the entry's page if it has no other URL."""
        return {
            **data,
            "url": data.get("url") or self.site.permalink(data["id"]),
        }


class ArticleSchema(EntrySchema):
    """An article."""

    kind_name = "news"


_PRICE_ERROR = 'Must be a decimal string such as "12.50".'


def _check_currency(code: str) -> str:
    if not is_currency(code):
        raise ValueError("Must be a currency of ISO 4217, such as VND.")
    return code


class PlaceSchema(ModelSchema):
    """A place; WGS 84 degrees."""

    error_messages = {"type": _NAME_OR_OBJECT}  # noqa: RUF012
    model_class = models.Place
    name = fields.Text(500, required=True)
    address = fields.Text(1000)
    url = fields.url()
    latitude = ma.fields.Float(validate=Range(-90, 90))
    longitude = ma.fields.Float(validate=Range(-180, 180))

    @ma.validates_schema
    def validate_coordinates(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Refuse one coordinate without the other."""
        if ("latitude" in data) != ("longitude" in data):
            missing = "longitude" if "latitude" in data else "latitude"
            raise ValidationError({missing: ["Latitude and longitude go together."]})


class OfferSchema(ModelSchema):
    """A ticket or another offer of an event."""

    error_messages = {  # noqa: RUF012
        "type": 'Must be an object such as {"price": "12.50", "currency": "EUR"}.'
    }
    model_class = models.Offer
    name = fields.Text(200)
    # A string, since a number would lose the last zero of 12.10.
    price = fields.Matching(
        r"[0-9]{1,12}(\.[0-9]{1,4})?",
        _PRICE_ERROR,
        required=True,
        error_messages={"invalid": _PRICE_ERROR},
    )
    currency = fields.ParsedString(_check_currency, required=True)
    url = fields.url()
    availability = ma.fields.String(validate=OneOf(models.AVAILABILITIES))

    @ma.validates_schema
    def validate_decimals(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """Refuse more decimals than a currency has: 20.000 may mean 20,000 dong."""
        decimals = data["price"].partition(".")[2]
        # Content management systems may send two of any currency.
        most = max(2, get_currency_precision(data["currency"]))
        if len(decimals) > most:
            error = f"Must have at most {most} decimals, which begin with a point."
            raise ValidationError({"price": [error]})


class PerformerSchema(NamedSchema):
    """A person or a group that performs at an event."""


class CancellationSchema(ModelSchema):
    """An occurrence that was announced and does not take place."""

    error_messages = {  # noqa: RUF012
        "type": "Must be the start of an occurrence, or an object such as "
        '{"start": "2026-12-12T19:00:00", "notice": "Storm"}.'
    }
    model_class = models.Cancellation
    start = fields.LocalDateOrTime(required=True)
    notice = fields.Text(500)


class RecurrenceSchema(ModelSchema):
    """The rule of a series: an RRULE (RFC 5545 §3.3.10), exceptions and additions."""

    error_messages = {  # noqa: RUF012
        "type": 'Must be an object such as {"rrule": "FREQ=WEEKLY;BYDAY=SA"}.'
    }
    model_class = models.Recurrence
    rrule = fields.ParsedString(recurrence_validation.validate_rrule, required=True)
    exdates = fields.ShortList(fields.LocalDateOrTime(), MAX_OCCURRENCES)
    rdates = fields.ShortList(fields.LocalDateOrTime(), MAX_OCCURRENCES)
    cancelled = fields.ShortList(
        fields.NestedOrString(CancellationSchema, member="start"),
        MAX_CANCELLED,
    )


class EventSchema(EntrySchema):
    """An event."""

    kind_name = "events"
    start = fields.DateOrTime(required=True, attribute="event.start")
    end = fields.DateOrTime(attribute="event.end")
    timezone = fields.ParsedString(
        timezones.zone,
        attribute="event.timezone",
        metadata={"examples": ["Asia/Ho_Chi_Minh"]},
    )
    all_day = ma.fields.Boolean(attribute="event.all_day", dump_only=True)
    location = fields.NestedOrString(PlaceSchema, attribute="event.location")
    attendance = ma.fields.String(
        attribute="event.attendance", validate=OneOf(models.ATTENDANCES)
    )
    online_url = fields.url(attribute="event.online_url")
    offers = fields.ShortList(
        ma.fields.Nested(OfferSchema), 50, attribute="event.offers"
    )
    is_accessible_for_free = fields.StrictBoolean(
        attribute="event.is_accessible_for_free"
    )
    accessibility = fields.ShortList(
        ma.fields.String(validate=OneOf(models.ACCESSIBILITY)),
        len(models.ACCESSIBILITY),
        attribute="event.accessibility",
    )
    performers = fields.ShortList(
        fields.NestedOrString(PerformerSchema),
        50,
        attribute="event.performers",
    )
    organizer = fields.NestedOrString(PersonSchema, attribute="event.organizer")
    event_status = fields.ParsedString(
        _our_spelling,
        attribute="event.status",
        validate=OneOf(models.EVENT_STATUSES),
    )
    previous_start = fields.DateOrTime(attribute="event.previous_start")
    recurrence = ma.fields.Nested(RecurrenceSchema, attribute="event.recurrence")

    def pop_event(self, data: dict[str, Any]) -> models.Event | None:
        """Return the event, its times in its own zone, an all-day one in the site's.

        :raises ValidationError: the end does not fit the start, or the recurrence is
            wrong.
        """
        members = data.pop("event")
        # Its days are those of readers and of `from` and `to`, not of another zone.
        if not isinstance(members["start"], datetime):
            members["timezone"] = self.site.timezone
        zone = members.setdefault("timezone", self.site.timezone)
        # The zone may be another member's value, so the fields cannot do this.
        for name in ("start", "end", "previous_start"):
            moment = members.get(name)
            if not isinstance(moment, datetime):
                continue
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zone)
            # Through UTC, so that a time which the clocks skip becomes one that exists.
            utc = fields.validate(fields.check_year, moment.astimezone(UTC), name)
            members[name] = fields.validate(
                fields.check_year, utc.astimezone(zone), name
            )
        event = models.Event(**{"end": None, **_with_tuples(members)})
        _check_end(event)
        if event.online_url and event.attendance == "in_person":
            detail = "Only if attendance is online or mixed."
            raise ValidationError(detail, "online_url")
        if event.recurrence is not None:
            localized = recurrence_validation.localize(event.recurrence, zone)
            event = replace(event, recurrence=localized)
            event, errors = recurrence_validation.validate(event)
            if errors:
                raise ValidationError({"recurrence": errors})
        return event


def create_entry_schemas(site: models.Site) -> dict[str, EntrySchema]:
    """Return the schema of each kind."""
    return {schema.kind_name: schema(site) for schema in (ArticleSchema, EventSchema)}


def _check_end(event: models.Event) -> None:
    if event.end is None:
        return
    if isinstance(event.end, datetime) == event.all_day:
        error = "Must be a date if the start is one, else a time."
        raise ValidationError(error, "end")
    if event.ends < event.starts:
        raise ValidationError("Must not be before the start.", "end")
    if event.all_day and event.ends == event.starts:
        raise ValidationError(
            "Must be after the start: the end of all-day events is exclusive.",
            "end",
        )


def derived_summary(content_html: str | None, content_text: str | None) -> str:
    """Return the start of the content, the summary of an entry without one."""
    body = sanitize.to_plain_text(content_html or "")
    body = body or plain_text.normalize_line(content_text or "")
    return truncate(body, DERIVED_SUMMARY_LENGTH)
