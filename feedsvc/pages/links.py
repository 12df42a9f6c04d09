"""Links of pages: to entries and lists, calendars, networks, maps."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from urllib.parse import quote, urlencode

from feedsvc.feeds.feed import FeedHead
from feedsvc.feeds.query import FORMATS, Format, query_string
from feedsvc.formats import ics
from feedsvc.formats.common import coordinates, iri_to_uri, location_text, place_text
from feedsvc.formats.phrases import translate
from feedsvc.formats.shown import Shown
from feedsvc.models import Category, Entry, Image, Place, Site
from feedsvc.text.folding import is_cjk

_MAP = "https://www.openstreetmap.org"


def landing_url(entry: Entry, site: Site, ui: str | None) -> str:
    """Return where readers of an entry land: the portal's page of it, or ours."""
    return entry.url or site.permalink(entry.id) + query_string({"ui": ui})


def list_url(
    kind: str,
    site: Site,
    parameters: Mapping[str, str | None],
    category: Category | None = None,
) -> str:
    """Return the URL of the page of a section or of one of its categories.

    :param parameters: `lang` and `ui`, as far as the page with the link has them.
    """
    return (
        FeedHead.of(site, kind, FORMATS["html"], category)
        .with_parameters(**parameters)
        .self_url
    )


def in_format(feed: FeedHead, format: Format) -> FeedHead:
    """Return the first page of the same feed in another format.

    Formats differ in their defaults: a page with `content=full` has an RSS feed without
    the parameter.
    """
    parameters = {**feed.query.parameters, "page": None, "ui": None}
    query = replace(feed.query, format=format, parameters=parameters)
    return FeedHead(query, feed.site, feed.categories)


def outlook_calendar(feed: FeedHead) -> str:
    """Return the URL that subscribes to an iCalendar feed in Outlook."""
    parameters = {"url": feed.self_url, "name": ics.calendar_title(feed)}
    return f"https://outlook.live.com/calendar/0/addfromweb?{_query(parameters)}"


def webcal(feed: FeedHead) -> str:
    """Return the URL that opens a feed in the calendar program of the device."""
    return "webcal:" + feed.self_url.partition(":")[2]


def google_event(shown: Shown) -> str:
    """Return the URL that adds an event to Google Calendar.

    Of a recurring event, that is the current or next occurrence that takes place.
    """
    event = shown.next_date
    assert event is not None
    start, end = event.starts, event.ends
    pattern = "%Y%m%dT%H%M%SZ"
    if event.all_day:
        start, end = (each.astimezone(event.timezone) for each in (start, end))
        pattern = "%Y%m%d"
    parameters = {
        "action": "TEMPLATE",
        "text": replace(shown, is_whole=True).title,
        "dates": start.strftime(pattern) + "/" + end.strftime(pattern),
    }
    # With a zone, Google Calendar on Android moves whole days.
    if not event.all_day:
        parameters["ctz"] = event.timezone.key
    if location := location_text(event):
        parameters["location"] = location
    parameters["details"] = iri_to_uri(shown.url)
    return f"https://calendar.google.com/calendar/render?{_query(parameters)}"


def _query(parameters: dict[str, str]) -> str:
    """Return a query string, with spaces as %20: Outlook shows a “+” as it is."""
    return urlencode(parameters, quote_via=quote, safe="")


def share_links(shown: Shown) -> dict[str, str]:
    """Return links that share an entry, by their names on a page."""
    url = quote(shown.url, safe="")
    title = quote(shown.entry.title, safe="")
    email = translate(shown.language, "entry.email")
    # The networks' own buttons would be scripts that track readers.
    return {
        "Facebook": f"https://www.facebook.com/sharer/sharer.php?u={url}",
        email: f"mailto:?subject={title}&body={url}",
    }


def metadata_image(
    entries: Iterable[Entry], site_images: Iterable[str]
) -> Image | None:
    """Return the picture of a link's preview: the first of an entry, or the site's.

    Networks show no SVG.

    :param site_images: the URLs of the site's own, of which each may be empty.
    """
    images = [entry.image for entry in entries if entry.image]
    images += [Image(url) for url in site_images if url]
    return next((image for image in images if not image.url.endswith(".svg")), None)


def map_link(place: Place) -> str | None:
    """Return a link to a place on OpenStreetMap, or a search without coordinates.

    There is none of a street without its town: it is in many.
    """
    # OpenStreetMap needs no key, and does not track readers.
    point = coordinates(place)
    if point:
        latitude, longitude = point
        position = f"{latitude}/{longitude}"
        return f"{_MAP}/?mlat={latitude}&mlon={longitude}#map=17/{position}"
    address = place.address or ""
    if "," in address or is_cjk(address):
        return f"{_MAP}/search?query={quote(place_text(place), safe='')}"
    return None
