"""JSON Feed 1.1."""

import json
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from typing import Any

from feedsvc.feeds.feed import Feed
from feedsvc.formats import titles
from feedsvc.formats.common import format_iso, iri_to_uri, site_time
from feedsvc.formats.fragments import Fragment
from feedsvc.formats.shown import Shown
from feedsvc.models import Attachment, Event, Person, Site

Json = dict[str, Any]

_ABOUT = "/api/docs"

# NaN is not JSON, though Python writes it.
_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def make_fragment(shown: Shown) -> Fragment:
    """Return the item of an entry."""
    return Fragment(_encoder.encode(drop_empty(_item(shown))).encode())


def render(feed: Feed, fragments: Iterable[Fragment]) -> bytes:
    """Render a feed as JSON Feed.

    Members that the specification lacks are in the extensions `_feed`, `_entry`
    and `_event`.
    """
    site = feed.site
    document = drop_empty(
        {
            "version": "https://jsonfeed.org/version/1.1",
            "title": titles.feed_title(feed),
            "home_page_url": iri_to_uri(feed.home_url),
            "feed_url": feed.self_url,
            "description": titles.feed_description(feed),
            "next_url": feed.next_url,
            "icon": iri_to_uri(site.icon),
            "authors": [{"name": feed.site_title, "url": iri_to_uri(site.url)}],
            "language": feed.language,
            "hubs": [{"type": "WebSub", "url": iri_to_uri(hub)} for hub in feed.hubs],
            "_feed": {
                "about": site.public_url + _ABOUT,
                "date_modified": _time(feed.updated, site),
                "rights": site.rights,
            },
        }
    )
    head = _encoder.encode(document).removesuffix("}").encode()
    items = b", ".join(each.body for each in fragments)
    # The list is required, even if it is empty.
    return b'%s, "items": [%s]}' % (head, items)


def drop_empty(value: Any) -> Any:
    """Return a JSON value without members, at any depth, that are null or empty.

    0 and false stay.
    """
    if isinstance(value, list):
        return [drop_empty(item) for item in value]
    if not isinstance(value, dict):
        return value
    members = {name: drop_empty(item) for name, item in value.items()}
    return {name: item for name, item in members.items() if item or item == 0}


def _item(shown: Shown) -> Json:
    entry = shown.entry
    title = shown.title
    summary = shown.summary
    return {
        "id": entry.guid,
        "url": iri_to_uri(shown.url),
        "title": title,
        "content_html": shown.body,
        # An item must have a content_html or a content_text.
        "content_text": None if shown.body else summary or title,
        "summary": summary,
        "image": entry.image and iri_to_uri(entry.image.url),
        "date_published": _time(shown.date, shown.site),
        "date_modified": _time(entry.updated, shown.site),
        "authors": [_person(author) for author in entry.authors],
        # Readers show tags to people; the slugs are in the extension.
        "tags": shown.category_titles,
        "language": entry.language,
        "attachments": [_attachment(file) for file in entry.attachments],
        "_entry": _entry_extension(shown),
        "_event": _event_extension(shown),
    }


def _entry_extension(shown: Shown) -> Json:
    entry, site = shown.entry, shown.site
    return {
        "about": site.public_url + _ABOUT,
        "id": entry.id,
        "categories": [category.slug for category in entry.categories],
        "source": _members(entry.source),
        "image": _members(entry.image),
        "rights": entry.rights or site.rights,
        "status": entry.status,
        "notice": entry.notice,
        "translations": [
            {
                "id": translation.id,
                "language": translation.language,
                "title": translation.title,
                "url": iri_to_uri(site.entry_url(translation)),
            }
            for translation in entry.translations
        ],
    }


def _members(value: Any) -> Json | None:
    """Return the members of a dataclass, whose values asdict would copy."""
    return value and {
        member.name: getattr(value, member.name) for member in fields(value)
    }


def _attachment(file: Attachment) -> Json:
    return {
        "url": iri_to_uri(file.url),
        "mime_type": file.type,
        "title": file.title,
        "size_in_bytes": file.length,
        "duration_in_seconds": None if file.duration is None else round(file.duration),
    }


def _event_extension(shown: Shown) -> Json | None:
    event, occurrence = shown.entry.event, shown.occurrence
    if event is None or occurrence is None:
        return None
    return {
        "about": shown.site.public_url + _ABOUT,
        **_times(event),
        "occurrence": {
            **_times(occurrence),
            "status": shown.cancellation and "cancelled",
            "notice": shown.cancellation and shown.cancellation.notice,
        },
        "all_day": event.all_day,
        "timezone": event.timezone.key,
        "location": _members(event.location),
        "attendance": event.attendance,
        "online_url": event.online_url,
        "offers": [_members(offer) for offer in event.offers],
        "is_accessible_for_free": event.is_free,
        "accessibility": [*event.accessibility],
        "performers": [_members(performer) for performer in event.performers],
        "organizer": event.organizer and _person(event.organizer),
        "event_status": event.known_status,
        "previous_start": event.previous_start and format_iso(event.previous_start),
        "recurrence": event.recurrence and event.recurrence.to_dict(),
    }


def _times(event: Event) -> Json:
    return {
        "start": format_iso(event.start),
        "end": event.end and format_iso(event.end),
    }


def _person(person: Person) -> Json:
    """Return an author object; the specification allows a mailto: URL."""
    url = person.url and iri_to_uri(person.url)
    mailto = person.email and f"mailto:{person.email}"
    return {"name": person.name, "url": url or mailto}


def _time(moment: datetime, site: Site) -> str:
    return format_iso(site_time(moment, site))
