"""JSON Feed 1.1."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from feedsvc.model import Entry, EventDetails, Feed, Person
from feedsvc.render import words
from feedsvc.render.body import body, without_frames
from feedsvc.render.uris import uri

MEDIA_TYPE = "application/feed+json"


def render(feed: Feed) -> bytes:
    """A feed as JSON Feed. Entries that left it are listed in an extension, `_deleted`."""
    site, query = feed.site, feed.query
    about = f"{site.public_url}/api/docs"
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": words.feed_title(feed),
        "home_page_url": uri(feed.home_url),
        "feed_url": feed.self_url,
        "description": words.feed_description(feed),
        "next_url": feed.older and feed.url(feed.older),
        "icon": uri(site.icon),
        "authors": [{"name": site.title, "url": uri(site.url)}],
        "language": site.language,
        "hubs": [{"type": "WebSub", "url": uri(hub)} for hub in feed.hubs],
        "_feed": {
            "about": about,
            "date_modified": _time(feed.updated, feed),
            "rights": site.rights,
            "archive": query.archive,
            "current_url": query.archive and feed.url(query.archives),
            "previous_url": feed.newer and feed.url(feed.newer),
        },
        "_deleted": feed.tombstones
        and {
            "about": about,
            "items": [
                {"id": tombstone.entry.guid, "date_deleted": _time(tombstone.when, feed)}
                for tombstone in feed.tombstones
            ],
        },
    }
    items = [_item(entry, feed, about) for entry in feed.entries]
    return json.dumps({**_said(document), "items": items}, ensure_ascii=False, allow_nan=False).encode()


def _item(entry: Entry, feed: Feed, about: str) -> dict[str, Any]:
    site = feed.site
    title, summary = words.entry_title(entry, site.language), words.summary(entry, site)
    content = without_frames(body(entry, site)) if feed.query.content != "summary" else ""
    return _said(
        {
            "id": entry.guid,
            "url": uri(entry.url or site.permalink(entry.id)),
            "title": title,
            "content_html": content,
            "content_text": None if content else summary or title,
            "summary": summary,
            "image": entry.image and uri(entry.image.url),
            "date_published": _time(entry.dated(feed.query), feed),
            "date_modified": _time(entry.updated, feed),
            "authors": _people(entry.authors),
            "tags": [category.title for category in entry.categories],
            "language": entry.language,
            "attachments": [
                _said(
                    {
                        "url": uri(file.url),
                        "mime_type": file.type,
                        "title": file.title,
                        "size_in_bytes": file.length,
                        "duration_in_seconds": file.duration,
                    }
                )
                for file in entry.attachments
            ],
            "_entry": _said(
                {
                    "about": about,
                    "id": entry.id,
                    "categories": [category.slug for category in entry.categories],
                    "source": entry.source and _said(asdict(entry.source)),
                    "image": entry.image and _said(asdict(entry.image)),
                    "rights": entry.rights or site.rights,
                    "status": entry.status,
                    "notice": entry.notice,
                }
            ),
            "_event": entry.event and _event(entry.event, about),
        }
    )


def _event(event: EventDetails, about: str) -> dict[str, Any]:
    return _said(
        {
            "about": about,
            "start": event.start.isoformat(),
            "end": event.end and event.end.isoformat(),
            "all_day": event.all_day,
            "timezone": event.timezone.key,
            "location": event.location and _said(asdict(event.location)),
            "organizer": event.organizer and _people([event.organizer])[0],
            "event_status": event.status,
            "recurrence": event.recurrence and event.recurrence.document,
        }
    )


def _people(people: Iterable[Person]) -> list[dict[str, Any]]:
    """Authors as JSON Feed has them: a name and a URL, which may be an e-mail's."""
    return [
        _said({"name": one.name, "url": (one.url and uri(one.url)) or (one.email and f"mailto:{one.email}")})
        for one in people
    ]


def _time(moment: datetime, feed: Feed) -> str:
    return moment.astimezone(feed.site.timezone).isoformat()


def _said(members: dict[str, Any]) -> dict[str, Any]:
    """The members that say something; a zero and a no do."""
    return {name: value for name, value in members.items() if value not in (None, "", [], (), {})}
