"""Links that open a feed in a reader or a calendar, and a place on a map."""

from __future__ import annotations

from urllib.parse import quote

from feedsvc.models import Feed, Place

_READERS = {
    "Feedly": "https://feedly.com/i/subscription/feed/{}",
    "Inoreader": "https://www.inoreader.com/?add_feed={}",
    "NewsBlur": "https://www.newsblur.com/?url={}",
    "The Old Reader": "https://theoldreader.com/feeds/subscribe?url={}",
}
_CALENDARS = {
    "Google Calendar": "https://calendar.google.com/calendar/r?cid={}",
    "Outlook": "https://outlook.live.com/calendar/0/addfromweb?url={}",
}
_MAP = "https://www.openstreetmap.org"


def reader_links(feed: Feed) -> dict[str, str]:
    """Well-known readers on the web, each with the link that subscribes to a feed there."""
    return {
        name: link.format(quote(feed.self_url, safe=""))
        for name, link in _READERS.items()
    }


def calendar_links(feed: Feed) -> dict[str, str]:
    """The same of calendars, for a feed of events as iCalendar."""
    return {
        name: link.format(quote(webcal(feed), safe=""))
        for name, link in _CALENDARS.items()
    }


def webcal(feed: Feed) -> str:
    """The address that opens the program for calendars on a person's own machine."""
    return "webcal:" + feed.self_url.partition(":")[2]


def map_link(place: Place) -> str:
    """Where a place lies on OpenStreetMap, or a search for it there."""
    if place.latitude is None or place.longitude is None:
        return f"{_MAP}/search?query={quote(place.address or place.name, safe='')}"
    spot = f"{place.latitude}/{place.longitude}"
    return f"{_MAP}/?mlat={place.latitude}&mlon={place.longitude}#map=17/{spot}"
