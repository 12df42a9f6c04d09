"""Fields of the API's documents whose rules differ from marshmallow's."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields
from marshmallow.exceptions import SCHEMA
from marshmallow.validate import Length, Range, Validator

from feedsvc import timezones
from feedsvc.api import sanitize, text, urls
from feedsvc.languages import LANGUAGE_TAG_PATTERN, check_language
from feedsvc.models import SLUG_PATTERN, YEARS
from feedsvc.words import slug_of

_Input = TypeVar("_Input")
_Value = TypeVar("_Value")
_Date = TypeVar("_Date", bound=date)

_YEAR = "(?:19[7-9][0-9]|2[01][0-9][0-9]|2200)"  # one of YEARS
_DATE = f"{_YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
# RFC 3339 §5.6 with an optional offset and optional seconds.
_TIME = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
_ANY_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

_TIME_ERROR = "Must be a time such as 2026-12-24T19:00:00+07:00."
_DATE_OR_TIME_ERROR = (
    "Must be a date such as 2026-11-25, or a time such as 2026-12-24T19:00:00+07:00."
)

CONTENT_LIMIT = f"At most {sanitize.MAX_POSTED_LENGTH:,} bytes of UTF-8."

# JSON Schema's patterns for normalized text. They are for clients: `Text` itself says
# which character is wrong.
TEXT_PATTERN = f"^[^{text.INVALID_CHARS}]*$"
_VISIBLE_CHAR = rf"[^\s\x85\u202a-\u202e\u2066-\u2069{text.INVALID_CHARS}]"
_NONEMPTY_TEXT_PATTERN = (
    f"^[^{text.INVALID_CHARS}]*{_VISIBLE_CHAR}[^{text.INVALID_CHARS}]*$"
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


class FullMatch(Validator):
    """Require that the whole string matches, which apispec documents as its pattern.

    marshmallow's Regexp would accept a newline at the end, which `$` allows.
    """

    def __init__(self, pattern: str, *, error: str) -> None:
        self.regex = re.compile(pattern)
        self._error = error

    def __call__(self, value: str) -> str:
        """Return the value if the whole of it matches."""
        if not self.regex.fullmatch(value):
            raise ValidationError(self._error)
        return value


class SlugPattern(FullMatch):
    """Require a category's slug; the error for a title has the slug it would be."""

    def __init__(self) -> None:
        error = "Must be lower-case letters a–z, digits and inner hyphens, at most 64."
        super().__init__(f"^{SLUG_PATTERN}$", error=error)

    def __call__(self, value: str) -> str:
        """Return the value if it is a slug."""
        try:
            return super().__call__(value)
        except ValidationError as error:
            slug = slug_of(value)
            hint = f" Did you mean “{slug}”?" if slug else ""
            raise ValidationError(f"{error.messages[0]}{hint}") from None


class ParsedString(fields.String):
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
    :param multiline: whether line ends are kept.
    """

    def __init__(
        self, max_length: int, *, multiline: bool = False, **kwargs: Any
    ) -> None:
        metadata: dict[str, Any] = {"maxLength": max_length, "pattern": TEXT_PATTERN}
        if kwargs.get("required"):
            metadata |= {"minLength": 1, "pattern": _NONEMPTY_TEXT_PATTERN}
        super().__init__(metadata=metadata, **kwargs)
        self._max_length = max_length
        self._too_long = f"Longer than {max_length:,} characters."
        self._multiline = multiline

    def parse(self, value: str) -> str | None:
        """Return the normalized text, or None if it is empty."""
        # White space may shrink a lot, but normalizing must not take long.
        if len(value) > 2 * self._max_length + 1000:
            raise ValueError(self._too_long)
        normalize = text.normalize_lines if self._multiline else text.normalize_line
        normalized = normalize(value)
        if len(normalized) > self._max_length:
            raise ValueError(self._too_long)
        if self.required and not normalized:
            raise ValueError("Must not be empty.")
        return normalized or None


class ContentText(Text):
    """The content as plain text; the schema checks its length, in bytes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(sanitize.MAX_LENGTH, multiline=True, **kwargs)
        self.metadata = {
            **self.metadata,
            "description": CONTENT_LIMIT,
            # JSON Schema counts characters.
            "maxLength": sanitize.MAX_POSTED_LENGTH,
        }


class CategorySlug(fields.String):
    """The slug of a category, serialized from a slug or a Category."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(validate=SlugPattern(), **kwargs)

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._serialize(getattr(value, "slug", value), *args, **kwargs)


class UtcDateTime(ParsedString):
    """A time (RFC 3339), serialized in UTC.

    Without an offset it is a time in `timezone`, which the schema sets.
    """

    timezone: tzinfo = UTC

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            metadata={"pattern": f"^{_DATE}[Tt ]{_TIME}$"},
            # Of a number, such as the seconds since 1970.
            error_messages={"invalid": _TIME_ERROR},
            **kwargs,
        )

    def parse(self, value: str) -> datetime:
        """Return the time in UTC."""
        moment = _parse_time(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.timezone)
        return check_year(moment.astimezone(UTC))

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value and value.isoformat().replace("+00:00", "Z")


class DateOrTime(ParsedString):
    """A date, or a time (RFC 3339) with or without an offset."""

    def __init__(self, **kwargs: Any) -> None:
        pattern = f"^{_DATE}(?:[Tt ]{_TIME})?$"
        super().__init__(
            metadata={"pattern": pattern},
            error_messages={"invalid": _DATE_OR_TIME_ERROR},
            **kwargs,
        )

    def parse(self, value: str) -> date:
        """Return the date, or the time."""
        if len(value) > len("2026-11-25"):
            return _parse_time(value, _DATE_OR_TIME_ERROR)
        try:
            if not re.fullmatch(_ANY_DATE, value):
                raise ValueError
            day = date.fromisoformat(value)
        except ValueError:
            raise ValueError(_DATE_OR_TIME_ERROR) from None
        return check_year(day)

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
        if isinstance(value, datetime):
            value = value.replace(tzinfo=None)
        return value and value.isoformat()


class NestedOrUrl(fields.Nested):
    """An object with a `url`, or that URL alone as a string."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            value = {"url": value}
        return super()._deserialize(value, *args, **kwargs)


class Number(fields.Float):
    """A JSON number; marshmallow's Float also accepts a string."""

    def _validated(self, value: Any) -> Any:
        if not isinstance(value, (int, float)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class QueryInteger(fields.Integer):
    """A whole number in a query: ASCII digits, without signs, spaces or underscores."""

    default_error_messages = {"invalid": "Must be a whole number."}  # noqa: RUF012

    def _validated(self, value: Any) -> Any:
        if not re.fullmatch("[0-9]{1,19}", value):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class BoundedList(fields.List[Any]):
    """A list of at most `max_items` items, deserialized as a tuple.

    marshmallow's List checks its length after its items, so a list of a million wrong
    ones would take seconds.
    """

    default_error_messages = {"invalid": "Must be a list."}  # noqa: RUF012

    def __init__(self, item: fields.Field[Any], max_items: int, **kwargs: Any) -> None:
        error = f"More than {max_items:,} items."
        self._check_length = Length(max=max_items, error=error)
        super().__init__(item, validate=self._check_length, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, list):
            self._check_length(value)
        return tuple(super()._deserialize(value, *args, **kwargs))


# Narrower than RFC 5322: without quotes, comments and angle brackets an address is
# safe in a mailto: URL and in every format.
_EMAIL = (
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}"
    r"@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)

_MEDIA_TYPE_PATTERN = "^[a-z]+/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}(?: *;.*)?$"


def url(**kwargs: Any) -> ParsedString:
    """Return a field for an absolute http(s) URL."""
    metadata = {"maxLength": urls.MAX_LENGTH, "pattern": urls.PATTERN}
    return ParsedString(urls.validate_url, metadata=metadata, **kwargs)


def identifier(*, required: bool = False) -> fields.String:
    """Return a field for an id that an editor chooses."""
    pattern = "^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$"
    error = (
        "Must be 1 to 128 of A–Z, a–z, 0–9 and . _ ~ -, the first a letter or digit."
    )
    return fields.String(required=required, validate=FullMatch(pattern, error=error))


def language() -> ParsedString:
    """Return a field for the tag of a language that exists (RFC 5646)."""
    metadata = {"pattern": f"^{LANGUAGE_TAG_PATTERN}$"}
    return ParsedString(_parse_language, metadata=metadata)


def email() -> fields.String:
    """Return a field for an e-mail address."""
    error = "Must be an e-mail address."
    return fields.String(validate=FullMatch(f"^{_EMAIL}$", error=error))


def media_type(**kwargs: Any) -> ParsedString:
    """Return a field for a media type (RFC 6838 §4.2), whose parameters are dropped."""
    metadata = {"pattern": _MEDIA_TYPE_PATTERN}
    return ParsedString(_parse_media_type, metadata=metadata, **kwargs)


def timezone(**kwargs: Any) -> ParsedString:
    """Return a field for an IANA time zone."""
    metadata = {"examples": ["Asia/Ho_Chi_Minh"]}
    return ParsedString(_parse_timezone, metadata=metadata, **kwargs)


def non_negative_int(maximum: int = 2**53, **kwargs: Any) -> fields.Integer:
    """Return a field for a whole number from 0 to `maximum`."""
    return fields.Integer(strict=True, validate=Range(0, maximum), **kwargs)


def _parse_media_type(value: str) -> str:
    """Return a media type without parameters, which iCalendar's FMTTYPE cannot have."""
    if not re.fullmatch(_MEDIA_TYPE_PATTERN, value):
        raise ValueError("Must be a media type such as image/jpeg.")
    return value.partition(";")[0].rstrip()


def _parse_language(tag: str) -> str:
    try:
        return check_language(tag)
    except ValueError:
        raise ValueError(
            "Must be the tag of a language that exists, such as vi or en-GB."
        ) from None


def _parse_timezone(value: str) -> ZoneInfo:
    try:
        return timezones.zone(value)
    except ValueError:
        raise ValueError(
            "Must be an IANA time zone such as Asia/Ho_Chi_Minh."
        ) from None


def _parse_time(value: str, error: str = _TIME_ERROR) -> datetime:
    """Return a time, naive if it has no offset.

    :param error: the message for a text that is no time.
    """
    try:
        # Python also reads other forms of ISO 8601, such as weeks.
        if not re.fullmatch(f"{_ANY_DATE}[Tt ]{_TIME}", value):
            raise ValueError
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        raise ValueError(error) from None
    return check_year(moment)
