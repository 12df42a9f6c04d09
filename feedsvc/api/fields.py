"""The kinds of value that a posted document is made of."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields
from marshmallow.validate import Length, Range

from feedsvc import timezones
from feedsvc.api import text, urls

# RFC 3339 §5.6, with the offset left out where a zone says it.
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]"
    r"[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARS = range(1970, 2201)
_A_DAY = (
    "(?:19[789][0-9]|2[01][0-9][0-9]|2200)-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
)
_AN_INSTANT = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?"
    "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])?"
)
TEXT_PATTERN = f"^[^{text.INVALID_CHARS}]*$"
_VISIBLE_CHAR = rf"[^\s\x85\u202a-\u202e\u2066-\u2069{text.INVALID_CHARS}]"
_NONEMPTY_TEXT_PATTERN = (
    f"^[^{text.INVALID_CHARS}]*{_VISIBLE_CHAR}[^{text.INVALID_CHARS}]*$"
)
_Day = TypeVar("_Day", bound=date)


class ValidatedString(fields.String):
    """Text as a function returns it, or refused with the sentence of the ValueError that it raises."""

    def __init__(self, function: Callable[[str], Any] = str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function

    def clean(self, value: str) -> Any:
        """The cleaned value; raises ValueError where it cannot be taken."""
        return self.function(value)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            return self.clean(value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Text(ValidatedString):
    """Cleaned plain text of at most `length` characters, one line unless `lines`; empty is as absent."""

    def __init__(self, length: int, *, lines: bool = False, **kwargs: Any) -> None:
        form = (
            {"minLength": 1, "pattern": _NONEMPTY_TEXT_PATTERN}
            if kwargs.get("required")
            else {"pattern": TEXT_PATTERN}
        )
        super().__init__(metadata={"maxLength": length, **form}, **kwargs)
        self.length, self.lines = length, lines

    def clean(self, value: str) -> str | None:
        if len(value) > 2 * self.length + 1000:  # before any work is put into it
            raise ValueError(f"Longer than {self.length} characters.")
        cleaned = text.lines(value) if self.lines else text.normalize_line(value)
        if len(cleaned) > self.length:
            raise ValueError(f"Longer than {self.length} characters.")
        if self.required and not cleaned:
            raise ValueError("Empty.")
        return cleaned or None


class RegexString(ValidatedString):
    """Text that matches a pattern as a whole; `what` says in words what it must be."""

    def __init__(self, pattern: str, what: str, **kwargs: Any) -> None:
        super().__init__(metadata={"pattern": f"^{pattern}$"}, **kwargs)
        self.pattern, self.what = re.compile(pattern), what

    def clean(self, value: str) -> str:
        if not self.pattern.fullmatch(value):
            raise ValueError(f"Not {self.what}.")
        return value


class Slug(RegexString):
    """The term of a category, or a category, which is answered by it."""

    def __init__(self, **kwargs: Any) -> None:
        what = "a slug: lower-case letters a–z, digits and inner hyphens, at most 64"
        super().__init__(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?", what, **kwargs)

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(value, "slug", value)


class UtcDateTime(ValidatedString):
    """An instant (RFC 3339); without an offset it is a time in `zone`. Answered in UTC."""

    zone: tzinfo = UTC

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            metadata={"pattern": f"^{_A_DAY}[Tt ]{_AN_INSTANT}$"}, **kwargs
        )

    def clean(self, value: str) -> datetime:
        moment = _time(value)
        return check_year(
            (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(
                UTC
            )
        )

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return value and value.isoformat().replace("+00:00", "Z")


class DateOrTime(ValidatedString):
    """A date, or a time with or without an offset (RFC 3339)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            metadata={"pattern": f"^{_A_DAY}(?:[Tt ]{_AN_INSTANT})?$"}, **kwargs
        )

    def clean(self, value: str) -> date:
        return (
            check_year(date.fromisoformat(value))
            if _DATE.fullmatch(value)
            else _time(value)
        )

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, datetime) and (
            value.utcoffset() or timedelta()
        ) % timedelta(minutes=1):
            value = value.astimezone(
                UTC
            )  # RFC 3339 has no seconds in offsets, as zones had before 1972
        return value and value.isoformat()


class LocalDateOrTime(DateOrTime):
    """The same, answered as the clocks of its zone show it, without the offset."""

    def _serialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return (
            value.replace(tzinfo=None) if isinstance(value, datetime) else value
        ).isoformat()


class NestedOrUrl(fields.Nested):
    """An object with a `url`, which may stand alone as text."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._deserialize(
            {"url": value} if isinstance(value, str) else value, *args, **kwargs
        )


class Float(fields.Float):
    """A number; text that spells one is refused."""

    def _validated(self, value: Any) -> Any:
        if not isinstance(value, (int, float)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


def url(**kwargs: Any) -> ValidatedString:
    """An absolute http(s) URL."""
    return ValidatedString(
        urls.validate_url,
        metadata={"maxLength": urls.MAX_LENGTH, "pattern": urls.PATTERN},
        **kwargs,
    )


def language() -> RegexString:
    """A language tag (RFC 5646)."""
    return RegexString(
        r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,4}", "a BCP 47 language tag such as vi"
    )


def email() -> RegexString:
    """An e-mail address that is safe in a mailto: URL and in every format."""
    pattern = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
    return RegexString(pattern, "an e-mail address")


def media_type(**kwargs: Any) -> RegexString:
    """A media type (RFC 6838 §4.2) without parameters."""
    pattern = r"[a-z]+/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
    return RegexString(pattern, "a media type such as image/jpeg", **kwargs)


def timezone(**kwargs: Any) -> ValidatedString:
    """An IANA time zone."""

    def known(value: str) -> ZoneInfo:
        try:
            return timezones.zone(value)
        except ValueError:
            raise ValueError(
                "Not an IANA time zone such as Asia/Ho_Chi_Minh."
            ) from None

    return ValidatedString(known, metadata={"examples": ["Asia/Ho_Chi_Minh"]}, **kwargs)


def non_negative_int(high: int = 2**53, **kwargs: Any) -> fields.Integer:
    """A whole number from 0 to `high`."""
    return fields.Integer(strict=True, validate=Range(0, high), **kwargs)


class QueryInteger(fields.Integer):
    """A whole number in a query, in ASCII digits."""

    def _validated(self, value: Any) -> Any:
        if not re.fullmatch("[0-9]{1,19}", value):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class BoundedList(fields.List[Any]):
    """A list of at most `most` items, which are counted before any is looked at; it becomes a tuple."""

    def __init__(self, item: fields.Field[Any], most: int, **kwargs: Any) -> None:
        self.few = Length(max=most)
        super().__init__(item, validate=self.few, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(value, list):
            self.few(value)
        return tuple(super()._deserialize(value, *args, **kwargs))


def _time(value: str) -> datetime:
    """A date-time of RFC 3339, naive where it has no offset."""
    if not _TIME.fullmatch(value):
        raise ValueError(
            "Not a date and time as in RFC 3339, such as 2026-12-24T19:00:00+07:00."
        )
    return check_year(datetime.fromisoformat(value.upper()))


def check_year(day: _Day) -> _Day:
    """A date or time itself.

    :raises ValueError: it is not of 1970 to 2200.
    """
    if day.year not in _YEARS:
        raise ValueError("Not of the years 1970 to 2200.")
    return day
