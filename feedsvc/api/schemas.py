"""The documents of the API: what may be posted, and how it is answered."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, TypeVar

import marshmallow as ma

from feedsvc import models
from feedsvc.api import fields as own
from feedsvc.api import sanitize, text

_Value = TypeVar("_Value")

TITLE_LENGTH, LONGEST_SUMMARY = 500, 2000
SUMMARY_LENGTH = 300
_ID = r"[A-Za-z0-9][A-Za-z0-9._~-]{0,127}"


class BaseSchema(ma.Schema):
    """A JSON object that stands for one value of the model; absent members are not answered."""

    model_class: ClassVar[Callable[..., Any]]

    class Meta:
        unknown = ma.RAISE

    @ma.pre_load
    def drop_read_only(self, data: Any, **kwargs: Any) -> Any:
        """What is only answered may be sent back."""
        if not isinstance(data, Mapping):
            return data
        return {
            name: value
            for name, value in data.items()
            if name not in self.dump_fields or name in self.load_fields
        }

    @ma.post_load
    def to_model(self, data: dict[str, Any], **kwargs: Any) -> Any:
        """The model's value."""
        return self.model_class(**data)

    @ma.post_dump
    def drop_nulls(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Members that have a value."""
        return {name: value for name, value in data.items() if value is not None}


class CategorySchema(BaseSchema):
    """A category."""

    model_class = models.Category
    slug = own.Slug(required=True)
    title = own.Text(200, required=True)
    description = own.Text(2000, lines=True)
    language = own.language()
    url = own.url()
    parent = own.Slug()


class PersonSchema(BaseSchema):
    """An author or an organizer."""

    model_class = models.Person
    name = own.Text(200, required=True)
    url = own.url()
    email = own.email()


class SourceSchema(BaseSchema):
    """Where an entry first appeared."""

    model_class = models.Source
    name = own.Text(200, required=True)
    url = own.url()


class ImageSchema(BaseSchema):
    """A picture."""

    model_class = models.Image
    url = own.url(required=True)
    alt = own.Text(1000)
    caption = own.Text(2000)
    credit = own.Text(500)
    type = own.media_type()
    length = own.non_negative_int()
    width = own.non_negative_int(100_000)
    height = own.non_negative_int(100_000)


class AttachmentSchema(BaseSchema):
    """An attached file; member names are JSON Feed's."""

    model_class = models.Attachment
    url = own.url(required=True)
    type = own.media_type(required=True, data_key="mime_type")
    length = own.non_negative_int(data_key="size_in_bytes")
    title = own.Text(500)
    duration = own.Float(
        data_key="duration_in_seconds", validate=ma.validate.Range(0, 10_000_000)
    )


class EntrySchema(BaseSchema):
    """An article, and what every entry has."""

    kind_name = "news"
    kind = ma.fields.String(dump_only=True)
    id = own.RegexString(
        _ID, "an id: 1 to 128 letters, digits and . _ ~ -, the first a letter or digit"
    )
    guid = ma.fields.String(dump_only=True)
    url = own.url()
    title = own.Text(TITLE_LENGTH, required=True)
    summary = own.Text(LONGEST_SUMMARY, lines=True)
    content_html = ma.fields.String(
        metadata={"maxLength": sanitize.MAX_LENGTH, "pattern": own.TEXT_PATTERN}
    )
    content_text = own.Text(sanitize.MAX_LENGTH, lines=True)
    language = own.language()
    authors = own.BoundedList(ma.fields.Nested(PersonSchema), 50)
    source = ma.fields.Nested(SourceSchema)
    rights = own.Text(1000)
    categories = own.BoundedList(own.Slug(), 50)
    image = own.NestedOrUrl(ImageSchema)
    attachments = own.BoundedList(ma.fields.Nested(AttachmentSchema), 50)
    date_published = own.UtcDateTime(attribute="published")
    date_modified = own.UtcDateTime(attribute="updated", dump_only=True)
    status = ma.fields.String(validate=ma.validate.OneOf(models.STATUSES))
    notice = own.Text(2000, lines=True)
    expires = own.UtcDateTime()
    version = ma.fields.Integer(dump_only=True)

    def __init__(self, site: models.Site, **kwargs: Any) -> None:
        self.site = site
        super().__init__(**kwargs)

    def on_bind_field(self, field_name: str, field_obj: Any) -> None:
        """Times without an offset are the site's."""
        if isinstance(field_obj, own.UtcDateTime):
            field_obj.zone = self.site.timezone

    @ma.validates_schema(skip_on_field_errors=False)
    def validate_entry(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """What no field can tell by itself."""
        errors: dict[str, Any] = {}
        if "content_html" in data and "content_text" in data:
            errors["content_text"] = [
                "An entry has content_html or content_text, not both."
            ]
        if "expires" in data and data["expires"] <= data.get("published", models.EPOCH):
            errors["expires"] = ["Must be after date_published."]
        slugs = [slug for slug in data.get("categories", ()) if isinstance(slug, str)]
        if twice := {
            n: ["Stands in the list before."]
            for n, slug in enumerate(slugs)
            if slug in slugs[:n]
        }:
            errors["categories"] = twice
        if errors:
            raise ma.ValidationError(errors)

    @ma.post_load
    def to_model(self, data: dict[str, Any], **kwargs: Any) -> models.Entry:
        """The entry, cleaned, with what follows from the rest filled in."""
        data.setdefault("id", secrets.token_hex(8))
        permalink = self.site.permalink(data["id"])
        if data.get("url") == permalink:
            del data["url"]
        if data.get("content_html") is not None:
            sanitise = partial(sanitize.sanitize, base=data.get("url") or permalink)
            data["content_html"] = validate_field(
                sanitise, data["content_html"], "content_html"
            )
        if not data.get("summary"):
            data["summary"] = derived_summary(
                data.get("content_html"), data.get("content_text")
            )
        data.setdefault("language", self.site.language)
        data["categories"] = tuple(
            models.Category(slug, "") for slug in data.get("categories", ())
        )
        return models.Entry(
            kind=self.kind_name, event=self.build_event(data.pop("event", None)), **data
        )

    def dump_editable(self, entry: models.Entry) -> dict[str, Any]:
        """The document of a stored entry without what was derived from the rest: what a patch changes."""
        document: dict[str, Any] = self.dump(entry)
        if entry.summary == derived_summary(entry.content_html, entry.content_text):
            del document["summary"]
        return document

    def build_event(self, details: dict[str, Any] | None) -> models.Event | None:
        """The event's details, of a kind that has them."""
        return None

    @ma.post_dump
    def add_default_url(self, data: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Where readers land: the entry's own page where it has no other URL."""
        return {**data, "url": data.get("url") or self.site.permalink(data["id"])}


def derived_summary(content_html: str | None, content_text: str | None) -> str:
    """What stands for a summary where none was given."""
    body = sanitize.to_plain_text(content_html or "") or text.normalize_line(
        content_text or ""
    )
    return text.truncate(body, SUMMARY_LENGTH)


def validate_field(
    check: Callable[[_Value], _Value], value: _Value, name: str
) -> _Value:
    """What a check makes of a field's value; its ValueError becomes the field's."""
    try:
        return check(value)
    except ValueError as error:
        raise ma.ValidationError(str(error), name) from None
