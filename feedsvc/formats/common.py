"""Functions that formats share: dates, places, URLs."""

import re
from datetime import date, datetime
from urllib.parse import quote, urlsplit, urlunsplit

from feedsvc.models import Event, Place, Site

_URL = re.compile(r"https?://\S+")


def site_time(moment: datetime, site: Site) -> datetime:
    """Return a datetime in the site's time zone, in whole seconds.

    Readers misread fractions of a second by minutes (ROME) or hours (podcastparser).
    """
    return moment.astimezone(site.timezone).replace(microsecond=0)


def format_iso(moment: date) -> str:
    """Return a date, or a datetime in whole seconds, in ISO 8601."""
    if isinstance(moment, datetime):
        return moment.isoformat(timespec="seconds")
    return moment.isoformat()


def place_text(place: Place) -> str:
    """Return the name and the address of a place in one line."""
    return f"{place.name}, {place.address}" if place.address else place.name


def location_text(event: Event) -> str:
    """Return the place of an event in one line, else its address online, if any."""
    if event.location:
        return place_text(event.location)
    return iri_to_uri(event.online_url or "")


def coordinates(place: Place) -> list[str]:
    """Return latitude and longitude with six decimals, 10 cm; an empty list without.

    Six decimals are what RFC 5545 §3.8.1.6 recommends; `str` could give an exponent.
    """
    if place.latitude is None or place.longitude is None:
        return []
    return [f"{place.latitude:.6f}", f"{place.longitude:.6f}"]


def iri_to_uri(iri: str) -> str:
    """Return the URI of an IRI (RFC 3987 §3.1), as RSS requires.

    The path and the query are percent-encoded, the host is IDNA-encoded.
    """
    # Werkzeug's function of this name raises an error for hosts that IDNA refuses, and
    # changes URLs that are URIs already: an upper-case host, an empty query.
    if iri.isascii() and "[" not in iri:
        return iri
    parts = urlsplit(iri)
    # Of an IPv6 address, which is ASCII, this is not the whole host.
    host, colon, port = parts.netloc.partition(":")
    # IDNA refuses some hosts, such as one with a label of more than 63 characters.
    try:
        netloc = host.encode("idna").decode() + colon + port
    except UnicodeError:
        netloc = quote(parts.netloc, safe=":[]")
    # "%" stays: an IRI may have percent-encoded characters already.
    rest = (quote(part, safe="/?%:@!$&'()*+,;=~-._") for part in parts[2:])
    return urlunsplit((parts.scheme, netloc, *rest))


def is_url(text: str | None) -> bool:
    """Tell if a text is a URL: `rights` may be one, or words."""
    if text is None or not _URL.fullmatch(text):
        return False
    try:
        urlsplit(text)
    except ValueError:  # such as http://[::1
        return False
    return True
