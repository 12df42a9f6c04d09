"""JSON-LD 1.1 for search engines: an entry as schema.org's Event or NewsArticle."""

import json
from collections.abc import Sequence
from datetime import timedelta

from feedsvc.formats import content
from feedsvc.formats.common import format_iso, iri_to_uri
from feedsvc.formats.json import Json, drop_empty
from feedsvc.formats.shown import Shown
from feedsvc.models import Event, Offer, Person, Place

_SCHEMA = "https://schema.org"
_ATTENDANCES = {
    "in_person": "OfflineEventAttendanceMode",
    "online": "OnlineEventAttendanceMode",
    "mixed": "MixedEventAttendanceMode",
}
_AVAILABILITIES = {
    "in_stock": "InStock",
    "sold_out": "SoldOut",
    "pre_order": "PreOrder",
}
_STATUSES = {
    "confirmed": "EventScheduled",
    "tentative": "EventScheduled",
    "postponed": "EventPostponed",
    "rescheduled": "EventRescheduled",
    "cancelled": "EventCancelled",
}


def json_ld(shown: Shown) -> str:
    """Return an entry as JSON-LD for a script element."""
    entry = shown.entry
    thing = _event(shown) if entry.event else _article(shown)
    thing |= {
        "description": entry.summary,
        "url": iri_to_uri(shown.url),
        "image": [iri_to_uri(entry.image.url)] if entry.image else None,
        "inLanguage": entry.language,
    }
    document = drop_empty({"@context": _SCHEMA, **thing})
    # A title with "</script" must not end the element.
    return json.dumps(document, ensure_ascii=False).replace("<", "\\u003c")


def _article(shown: Shown) -> Json:
    entry, site = shown.entry, shown.site
    publisher = {
        "@type": "Organization",
        "name": site.title_in(shown.feed_language),
        "url": iri_to_uri(site.url),
    }
    return {
        "@type": "NewsArticle",
        "headline": entry.title,
        "datePublished": format_iso(entry.date.astimezone(site.timezone)),
        "dateModified": format_iso(entry.updated.astimezone(site.timezone)),
        # Google requires an author.
        "author": [_agent("Person", author) for author in entry.authors] or publisher,
        "publisher": {
            **publisher,
            "logo": site.icon and iri_to_uri(site.icon),
        },
        "articleSection": shown.category_titles,
        # schema.org has no such member for events.
        "workTranslation": [
            {
                "@type": "NewsArticle",
                "headline": translation.title,
                "inLanguage": translation.language,
                "url": iri_to_uri(site.entry_url(translation)),
            }
            for translation in entry.translations
        ],
    }


def _event(shown: Shown) -> Json:
    """Return an event: its current or next occurrence."""
    event = shown.occurrence
    assert event is not None
    status = "cancelled" if shown.cancellation else event.known_status
    return {
        "@type": "Event",
        "name": shown.entry.title,
        "startDate": format_iso(event.start),
        "endDate": _inclusive_end(event),
        "previousStartDate": event.previous_start and format_iso(event.previous_start),
        "eventStatus": f"{_SCHEMA}/{_STATUSES[status]}",
        "eventAttendanceMode": f"{_SCHEMA}/{_ATTENDANCES[event.attendance]}",
        "isAccessibleForFree": event.is_free,
        "location": _locations(event, shown.language),
        "offers": [_offer(offer, shown.url) for offer in event.offers],
        # schema.org also has Person, but the API does not tell persons from groups.
        "performer": [
            _agent("PerformingGroup", performer) for performer in event.performers
        ],
        "organizer": event.organizer and _agent("Organization", event.organizer),
    }


def _locations(event: Event, language: str) -> Json | list[Json]:
    features = content.access_words(event.accessibility, language)
    places = [_place(event.location, features)] if event.location else []
    if event.online_url:
        url = iri_to_uri(event.online_url)
        places.append({"@type": "VirtualLocation", "url": url})
    return places[0] if len(places) == 1 else places


def _offer(offer: Offer, page_url: str) -> Json:
    return {
        "@type": "Offer",
        "name": offer.name,
        "price": offer.price,
        "priceCurrency": offer.currency,
        "availability": offer.availability
        and f"{_SCHEMA}/{_AVAILABILITIES[offer.availability]}",
        # Google recommends a URL; without one of its own, the offer is on the page.
        "url": iri_to_uri(offer.url or page_url),
    }


def _place(place: Place, features: Sequence[str]) -> Json:
    geo = {
        "@type": "GeoCoordinates",
        "latitude": place.latitude,
        "longitude": place.longitude,
    }
    return {
        "@type": "Place",
        "name": place.name,
        # Google requires an address.
        "address": place.address or place.name,
        "url": place.url and iri_to_uri(place.url),
        "geo": geo if place.latitude is not None else None,
        "amenityFeature": [
            {"@type": "LocationFeatureSpecification", "name": name, "value": True}
            for name in features
        ],
    }


def _agent(schema_type: str, person: Person) -> Json:
    return {
        "@type": schema_type,
        "name": person.name,
        "url": person.url and iri_to_uri(person.url),
        "email": person.email,
    }


def _inclusive_end(event: Event) -> str | None:
    """Return the end; schema.org's endDate of an all-day event is its last day."""
    if event.end is None:
        return None
    return format_iso(event.end - timedelta(days=1) if event.all_day else event.end)
