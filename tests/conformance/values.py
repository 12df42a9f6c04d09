"""Checks of single values: URIs, dates, languages, media types, e-mail addresses."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from babel import Locale

_LANGUAGES = set(Locale("en").languages)
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
)
_URN = re.compile(
    r"urn:[a-z0-9][a-z0-9-]{1,31}:(?:[a-z0-9()+,.:=@;$_!*'-]|%[0-9a-f]{2})+",
    re.IGNORECASE,
)
_SCHEMES = "cid data ftp geo info mailto mid news sip sips tel xmpp".split()
_UUID = re.compile(
    r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE
)
_TAG = re.compile(r"tag:[a-z0-9._@-]+,\d{4}(?:-\d{2}(?:-\d{2})?)?:\S*", re.IGNORECASE)
_TOKEN = r"[A-Za-z0-9!#$&^_.+-]+"
_MEDIA_TYPE = re.compile(rf'{_TOKEN}/{_TOKEN}(?:\s*;\s*{_TOKEN}=(?:{_TOKEN}|"[^"]*"))*')
_LANGUAGE_TAG = re.compile(
    r"([a-z]{2,3})(?:-[a-z]{4})?(?:-(?:[a-z]{2}|\d{3}))?(?:-(?:[a-z0-9]{5,8}|\d[a-z0-9]{3}))*"
    r"(?:-[a-wyz0-9](?:-[a-z0-9]{2,8})+)*(?:-x(?:-[a-z0-9]{1,8})+)?",
    re.IGNORECASE,
)
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_W3CDTF = re.compile(
    r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?)?)?"
)
_RFC_822 = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} "
    r"\d\d:\d\d(?::\d\d)? [+-]\d\d[03]0"
)
_EMAIL = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]+@(?:[a-z0-9-]+\.)+[a-z0-9][a-z0-9-]*",
    re.IGNORECASE | re.ASCII,
)


def is_uri(value: str) -> bool:
    """Tell if a value is an absolute URI (RFC 3986) of a scheme that feeds use, all of it in ASCII."""
    scheme = value.partition(":")[0].lower()
    if scheme == "urn":
        return bool(
            (_UUID if value.lower().startswith("urn:uuid:") else _URN).fullmatch(value)
        )
    if scheme == "tag":
        return bool(_TAG.fullmatch(value)) and value.isascii()
    if not _URI.fullmatch(value) or value.count("#") > 1:
        return False
    return is_web_address(value) if scheme in ("http", "https") else scheme in _SCHEMES


def is_web_address(value: str) -> bool:
    """Tell if a value is an absolute http or https URI with a host."""
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - raises ValueError
    except ValueError:
        return False
    return (
        bool(_URI.fullmatch(value))
        and parts.scheme in ("http", "https")
        and bool(parts.hostname)
    )


def is_canonical(uri: str) -> bool:
    """Tell if an http URI is written as RFC 3986 §6.2 would have it; others always are."""
    if not is_web_address(uri):
        return True
    parts = urlsplit(uri)
    return (
        uri.startswith(f"{parts.scheme}://")
        and parts.netloc == parts.netloc.lower().rpartition("@")[2]
        and parts.port != {"http": 80, "https": 443}[parts.scheme]
        and bool(parts.path)
        and not {".", ".."} & set(parts.path.split("/"))
        and not re.search(r"%(?![0-9A-F]{2})", uri)
        and not re.search(r"%(?:2D|2E|5F|7E|3[0-9]|[46][1-9A-F]|[57][0-9A])", uri)
    )


def is_base64(value: str) -> bool:
    """Tell if a value is Base64 (RFC 4648 §4), white space aside."""
    try:
        b64decode("".join(value.split()), validate=True)
    except ValueError:
        return False
    return True


def is_email(value: str) -> bool:
    """Tell if a value is an addr-spec (RFC 5322 §3.4.1) with a host of several labels."""
    return bool(_EMAIL.fullmatch(value))


def is_language(value: str) -> bool:
    """Tell if a value is well-formed (RFC 5646 §2.1) and begins with a language that exists."""
    found = _LANGUAGE_TAG.fullmatch(value)
    return found is not None and found[1].lower() in _LANGUAGES


def is_media_type(value: str) -> bool:
    """Tell if a value is a media type (RFC 6838 §4.2) with its parameters, if any."""
    return bool(_MEDIA_TYPE.fullmatch(value))


def is_integer(value: str, at_least: int = 0, at_most: int | None = None) -> bool:
    """Tell if a value is a whole number in digits alone, in a range."""
    digits = value.isascii() and value.isdigit()
    return (
        digits and int(value) >= at_least and (at_most is None or int(value) <= at_most)
    )


def is_w3cdtf(value: str) -> bool:
    """Tell if a value is a date, or a date and a time with its zone (W3C note-datetime)."""
    if not _W3CDTF.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value + "-01-01"[: max(0, 10 - len(value))])
    except ValueError:
        return False
    return True


def rfc_3339(value: str) -> datetime | None:
    """The instant of a date-time of RFC 3339 §5.6 as RFC 4287 §3.3 has it, or None."""
    if not _RFC_3339.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def rfc_822(value: str) -> datetime | None:
    """The instant of a date of RFC 822 with weekday, four-digit year and numeric zone, or None."""
    found = _RFC_822.fullmatch(value)
    if not found:
        return None
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:  # -0000 is a zone that is not known
        return None
    return (
        moment
        if "Mon Tue Wed Thu Fri Sat Sun".split()[moment.weekday()] == found[1]
        else None
    )


EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""Before this date the W3C's validator takes a date for a mistake."""
