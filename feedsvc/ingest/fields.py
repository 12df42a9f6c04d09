"""The kinds of value that a posted document is made of."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from marshmallow import Schema, ValidationError, fields
from marshmallow.validate import Length, Range

from feedsvc.ingest import text, urls

# RFC 3339 §5.6, with the offset left out where a zone says it.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(1970, 2201)
_Day = TypeVar("_Day", bound=date)


class Checked(fields.String):
    """Text that passes a function which returns it cleaned or raises ValueError."""

    def check(self, value: str) -> str | None:
        """The cleaned value.

        :raises ValueError: it cannot be taken.
        """
        raise NotImplementedError

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            return self.check(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Text(Checked):
    """Cleaned plain text of at most `length` characters, one line unless `lines`; empty is as absent."""

    def __init__(self, length: int, *, lines: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.length, self.lines = length, lines
        self.metadata = {"maxLength": length, **({"minLength": 1} if self.required else {})}

    def check(self, value: str) -> str | None:
        cleaned = text.clean(value).strip() if self.lines else text.line(value)
        if len(cleaned) > self.length:
            raise ValueError(f"Longer than {self.length} characters.")
        if self.required and not cleaned:
            raise ValueError("Empty.")
        return cleaned or None


class Url(Checked):
    """An absolute http(s) URL."""

    def check(self, value: str) -> str:
        return urls.check(value)


class Matching(Checked):
    """Text that matches a pattern as a whole; `what` says in words what it must be."""

    def __init__(self, pattern: str, what: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pattern, self.what = re.compile(pattern), what
        self.metadata = {"pattern": f"^{pattern}$"}

    def check(self, value: str) -> str:
        if not self.pattern.fullmatch(value):
            raise ValueError(f"Not {self.what}.")
        return value


class Slug(Matching):
    """The term of a category."""

    def __init__(self, **kwargs: Any) -> None:
        what = "a slug: lower-case letters a–z, digits and inner hyphens, at most 64"
        super().__init__(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", what, **kwargs)


class CategorySlug(Slug):
    """A category, named by its term."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value.slug


def language(**kwargs: Any) -> Matching:
    """A language tag (RFC 5646)."""
    return Matching(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}", "a BCP 47 language tag such as vi", **kwargs)


def email(**kwargs: Any) -> Matching:
    """An e-mail address that is safe in a mailto: URL and in every format."""
    pattern = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
    return Matching(pattern, "an e-mail address", **kwargs)


def media_type(**kwargs: Any) -> Matching:
    """A media type (RFC 6838 §4.2) without parameters."""
    return Matching(
        r"[a-z]+/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", "a media type such as image/jpeg", **kwargs
    )


class Zone(Checked):
    """An IANA time zone."""

    def check(self, value: str) -> Any:
        if value not in available_timezones():
            raise ValueError("Not an IANA time zone such as Asia/Ho_Chi_Minh.")
        return ZoneInfo(value)

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value and value.key


class Time(Checked):
    """An instant (RFC 3339); without an offset it is a time in `zone`. Answered in UTC."""

    def __init__(self, zone: tzinfo = UTC, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.zone = zone
        self.metadata = {"format": "date-time"}

    def check(self, value: str) -> Any:
        moment = parse_time(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value and value.isoformat().replace("+00:00", "Z")


class DateOrTime(Checked):
    """A date, or a time with or without an offset (RFC 3339)."""

    def check(self, value: str) -> Any:
        if _DATE.fullmatch(value):
            return _in_range(date.fromisoformat(value))
        return parse_time(value)

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value and value.isoformat()


def parse_time(value: str) -> datetime:
    """A date-time of RFC 3339, naive where it has no offset.

    :raises ValueError: it is none, there is no such day or hour, or it is not of 1970 to 2200.
    """
    if not _TIME.fullmatch(value):
        raise ValueError("Not a date and time as in RFC 3339, such as 2026-12-24T19:00:00+07:00.")
    return _in_range(datetime.fromisoformat(value.upper()))


def _in_range(day: _Day) -> _Day:
    if day.year not in _YEARS:
        raise ValueError("Not of the years 1970 to 2200.")
    return day


class NestedOrUrl(fields.Nested):
    """An object with a `url`, which may stand alone as text."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._deserialize({"url": value} if isinstance(value, str) else value, *args, **kwargs)


class Float(fields.Float):
    """A number; text that spells one is refused."""

    def _validated(self, value: Any) -> Any:
        if not isinstance(value, (int, float)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


def count(high: int = 2**53) -> fields.Integer:
    """A whole number from 0 to `high`."""
    return fields.Integer(strict=True, validate=Range(0, high))


def several(schema: type[Schema], most: int) -> fields.List[Any]:
    """A list of at most `most` objects."""
    return fields.List(fields.Nested(schema), validate=Length(max=most))
