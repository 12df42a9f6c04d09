"""Fields of the API's documents whose rules differ from marshmallow's."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, TypeVar

import marshmallow as ma
from marshmallow import ValidationError
from marshmallow.exceptions import SCHEMA
from marshmallow.validate import Length, Range, Regexp

from feedsvc.input import plain_text, urls
from feedsvc.models import SLUG_PATTERN, YEARS, local_iso
from feedsvc.text.folding import slug_of
from feedsvc.text.languages import check_language

_Input = TypeVar("_Input")
_Value = TypeVar("_Value")
_Date = TypeVar("_Date", bound=date)

MAX_GUID_LENGTH = 1000

#: Languages of one category's titles, which lists read for each entry.
MAX_LANGUAGES = 30

_IDENTIFIER = "[A-Za-z0-9][A-Za-z0-9._~-]{0,127}"

#: Times by which normalization may shorten a text: indentation, decomposed letters.
_MAX_SHRINKAGE = 4

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
# RFC 3339 §5.6 with an optional offset and optional seconds; PHP and databases write
# +0700 and +07. Python also reads other forms of ISO 8601, such as weeks.
_TIME = (
    r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    "(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_DATE_OR_TIME_ERROR = (
    "Must be a date such as 2026-11-25, or a time such as 2026-12-24T19:00:00+07:00."
)


def validate(
    check: Callable[[_Input], _Value], value: _Input, field_name: str = SCHEMA
) -> _Value:
    """Return the result of a function, with its ValueError as a ValidationError."""
    try:
        return check(value)
    except ValueError as error:
        raise ValidationError(str(error), field_name) from None


def check_year(value: _Date) -> _Date:
    """Return a date or time itself.

    :raises ValueError: its year is out of range.
    """
    if value.year not in YEARS:
        raise ValueError(f"The year must be from {YEARS[0]} to {YEARS[-1]}.")
    return value


class ParsedString(ma.fields.String):
    """A string that a function parses, with the function's ValueError as its error."""

    def __init__(self, parse: Callable[[str], Any] = str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._parse = parse

    def parse(self, value: str) -> Any:
        """Return the value of a string.

        :raises ValueError: it has none; the message is for the client.
        """
        return self._parse(value)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return validate(self.parse, super()._deserialize(value, *args, **kwargs))


class Text(ParsedString):
    """Normalized plain text of one line; an empty one counts as absent.

    :param max_length: characters of the normalized text.
    :param multiline: keep line ends.
    """

    def __init__(
        self, max_length: int, *, multiline: bool = False, **kwargs: Any
    ) -> None:
        metadata = {"maxLength": max_length, **kwargs.pop("metadata", {})}
        super().__init__(metadata=metadata, **kwargs)
        self._max_length = max_length
        self._normalize = plain_text.normalize_line
        if multiline:
            self._normalize = plain_text.normalize_lines

    def parse(self, value: str) -> str | None:
        """Return the normalized text, or None if it is empty."""
        # A text that is longer stays too long, since normalization only removes white
        # space and composes accents.
        if len(value) <= _MAX_SHRINKAGE * self._max_length:
            value = self._normalize(value)
        if len(value) > self._max_length:
            raise ValueError(f"Longer than {self._max_length:,} characters.")
        if self.required and not value:
            raise ValueError("Must not be empty.")
        return value or None


class TextsByLanguage(ma.fields.Dict):
    """Texts by the tags of their languages; those without a value are left out.

    :param max_length: characters of each text.
    """

    def __init__(self, max_length: int) -> None:
        error = f"More than {MAX_LANGUAGES} languages."
        super().__init__(
            keys=language(),
            values=Text(max_length),
            validate=Length(max=MAX_LANGUAGES, error=error),
        )

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, Mapping):
            value = {tag: text for tag, text in value.items() if text not in (None, "")}
        try:
            texts = super()._deserialize(value, *args, **kwargs)  # type: ignore[no-untyped-call]
        except ValidationError as error:
            # marshmallow tells keys and values apart, but pointers do not.
            if isinstance(error.messages, dict):
                messages = {
                    tag: [text for texts in by_side.values() for text in texts]
                    for tag, by_side in error.messages.items()
                }
                raise ValidationError(messages) from None
            raise
        return {tag: text for tag, text in texts.items() if text}


class Matching(ma.fields.String):
    """A string that matches a pattern as a whole.

    :param error: has no braces, in which marshmallow would look for names.
    """

    def __init__(self, pattern: str, error: str, **kwargs: Any) -> None:
        super().__init__(
            validate=Regexp(rf"(?:{pattern})\Z", error=error),
            metadata={"pattern": f"^{pattern}$"},
            **kwargs,
        )


class Identifier(Matching):
    """An identifier that clients choose."""

    def __init__(self, **kwargs: Any) -> None:
        error = (
            "Must be 1 to 128 of A–Z, a–z, 0–9 and . _ ~ -, "
            "the first a letter or digit."
        )
        super().__init__(_IDENTIFIER, error, **kwargs)


class EntryId(Identifier):
    """The id of an entry; a whole number stands for its digits."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        # A boolean is an int in Python.
        if type(value) is int:
            value = str(value)
        return super()._deserialize(value, *args, **kwargs)


class CategorySlug(ParsedString):
    """The slug of a category, serialized from a slug or a Category."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": f"^{SLUG_PATTERN}$"}, **kwargs)

    def parse(self, value: str) -> str:
        """Return the slug; the error for a title names the slug that it would have."""
        if re.fullmatch(SLUG_PATTERN, value):
            return value
        slug = slug_of(value)
        hint = f" Did you mean “{slug}”?" if slug else ""
        raise ValueError(
            "Must be lower-case letters a–z, digits and inner hyphens, at most 64."
            f"{hint}"
        )

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._serialize(getattr(value, "slug", value), *args, **kwargs)


class DateOrTime(ParsedString):
    """A date, or a time (RFC 3339) with or without an offset."""

    # The error for a number, such as the seconds since 1970.
    default_error_messages = {"invalid": _DATE_OR_TIME_ERROR}  # noqa: RUF012

    def parse(self, value: str) -> date:
        """Return the date, or the time, which is naive without an offset."""
        moment: date
        try:
            # Python also reads other forms of ISO 8601, such as weeks.
            if re.fullmatch(_DATE, value):
                moment = date.fromisoformat(value)
            elif re.fullmatch(f"{_DATE}[Tt ]{_TIME}", value):
                moment = datetime.fromisoformat(value.upper())
            else:
                raise ValueError
        except ValueError:
            raise ValueError(_DATE_OR_TIME_ERROR) from None
        return check_year(moment)

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, datetime):
            offset = value.utcoffset() or timedelta()
            # Zones had offsets with seconds before 1972, RFC 3339 has none.
            if offset % timedelta(minutes=1):
                value = value.astimezone(UTC)
        return value and value.isoformat()


class LocalDateOrTime(DateOrTime):
    """A date or time, serialized in the event's zone and without the offset."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value and local_iso(value)


class UtcDateTime(DateOrTime):
    """A time (RFC 3339), serialized in UTC; a date is the midnight that begins it.

    Without an offset it is a time in `timezone`, which the schema sets.
    """

    timezone: tzinfo = UTC

    def parse(self, value: str) -> datetime:
        """Return the time in UTC."""
        moment = super().parse(value)
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, time())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.timezone)
        return check_year(moment.astimezone(UTC))

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value and value.isoformat().replace("+00:00", "Z")


class StrictBoolean(ma.fields.Boolean):
    """True or false; marshmallow also takes texts and numbers such as "no" and 1."""

    default_error_messages = {"invalid": "Must be true or false."}  # noqa: RUF012

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class NestedOrString(ma.fields.Nested):
    """An object, or one of its members alone as a string.

    :param member: the name of this member.
    """

    def __init__(self, nested: Any, member: str = "name", **kwargs: Any) -> None:
        super().__init__(nested, **kwargs)
        self.member = member

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            value = {self.member: value}
        return super()._deserialize(value, *args, **kwargs)


class ShortList(ma.fields.List[Any]):
    """A list of at most `max_items` items, which are counted before they are read.

    A string stands for a list of it alone.
    """

    def __init__(
        self, item: ma.fields.Field[Any], max_items: int, **kwargs: Any
    ) -> None:
        error = f"More than {max_items:,} items."
        # OpenAPI takes the limit from it.
        self._check_length = Length(max=max_items, error=error)
        # A member may be absent, an item not.
        item.required = True
        super().__init__(item, validate=self._check_length, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list):
            self._check_length(value)
        return super()._deserialize(value, *args, **kwargs)


# Narrower than RFC 5322: without quotes, comments and angle brackets an address is
# safe in a mailto: URL and in every format.
EMAIL = (
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)

_MEDIA_TYPE_PATTERN = "[a-z]+/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?: *;.*)?"


def url(**kwargs: Any) -> ParsedString:
    """Return a field for an absolute http(s) URL."""
    metadata = {"maxLength": urls.MAX_LENGTH, "format": "uri"}
    return ParsedString(urls.validate_url, metadata=metadata, **kwargs)


def guid() -> ParsedString:
    """Return a field for the guid that an entry has elsewhere, and keeps as it is."""
    metadata = {
        "maxLength": MAX_GUID_LENGTH,
        "description": "Only when an id is first used; by default a new UUID.",
    }
    return ParsedString(_parse_guid, metadata=metadata)


def language() -> ParsedString:
    """Return a field for the tag of a language that exists (RFC 5646)."""
    return ParsedString(_parse_language, metadata={"examples": ["vi", "en-GB"]})


def media_type(**kwargs: Any) -> ParsedString:
    """Return a field for a media type (RFC 6838 §4.2), whose parameters are dropped."""
    return ParsedString(_parse_media_type, **kwargs)


def non_negative_int(maximum: int = 2**53, **kwargs: Any) -> ma.fields.Integer:
    """Return a field for a whole number from 0 to `maximum`."""
    return ma.fields.Integer(strict=True, validate=Range(0, maximum), **kwargs)


def _parse_guid(value: str) -> str:
    if len(value) > MAX_GUID_LENGTH:
        raise ValueError(f"Longer than {MAX_GUID_LENGTH:,} characters.")
    # Calendars have it without this prefix.
    bare = re.sub("^urn:uuid:", "", value, flags=re.IGNORECASE)
    if not bare:
        raise ValueError("Must have a UUID after “urn:uuid:”.")
    if value != value.strip() or bare != bare.strip():
        raise ValueError("Must have no white space at its ends.")
    plain_text.check(value)
    return value


def _parse_media_type(value: str) -> str:
    """Return a media type without parameters, which iCalendar's FMTTYPE cannot have."""
    if not re.fullmatch(_MEDIA_TYPE_PATTERN, value):
        raise ValueError("Must be a media type such as image/jpeg.")
    return value.partition(";")[0].rstrip()


def _parse_language(tag: str) -> str:
    # As locales are written: vi_VN.
    return check_language(tag.replace("_", "-"))
