"""Services, programs, robots and browsers by their User-Agents."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from feedsvc.cli.output import printable

SERVICE = "service"
PROGRAM = "program"
ROBOT = "robot"
BROWSER = "browser"

# The first match counts: Feedly calls itself “like FeedFetcher-Google”. Sources without
# a host are repositories on GitHub.
KNOWN = (
    ("Feedly", SERVICE, "Feedly/"),  # feedly.com/fetcher.html
    ("Inoreader", SERVICE, "inoreader"),  # inoreader.com/feed-fetcher
    ("NewsBlur", SERVICE, "NewsBlur"),  # samuelclay/NewsBlur, utils/feed_fetcher.py
    ("The Old Reader", SERVICE, "theoldreader"),  # docs.buttondown.com/rss-subscribers
    ("Feedbin", SERVICE, "Feedbin"),  # feedbin/feedbin
    ("BazQux", SERVICE, "BazQux"),  # bazqux.com/fetcher
    ("Dreamwidth", SERVICE, "Dreamwidth"),  # docs.buttondown.com/rss-subscribers
    # developers.google.com/crawling/docs/crawlers-fetchers/feedfetcher
    ("Google Feedfetcher", SERVICE, "FeedFetcher-Google"),
    ("Google Calendar", SERVICE, "Google-Calendar-Importer"),  # aaronpk/Meetable#138
    ("FreshRSS", PROGRAM, "FreshRSS/"),  # FreshRSS/FreshRSS, constants.php
    ("Miniflux", PROGRAM, "Miniflux/"),  # miniflux/v2, internal/config
    ("Tiny Tiny RSS", PROGRAM, "Tiny Tiny RSS/"),  # tt-rss/tt-rss, classes/Config.php
    ("Nextcloud News", PROGRAM, "NextCloud-News/"),  # nextcloud/news, FetcherConfig.php
    ("CommaFeed", PROGRAM, "CommaFeed/"),  # Athou/commafeed, HttpGetter.java
    ("NetNewsWire", PROGRAM, "NetNewsWire"),  # Ranchero-Software/NetNewsWire
    ("Thunderbird", PROGRAM, "Thunderbird/"),  # MDN, header User-Agent
    ("Newsboat", PROGRAM, "newsboat/"),  # our tests
    ("Liferea", PROGRAM, "Liferea/"),  # lwindolf/liferea, src/net.c
    ("Akregator", PROGRAM, "Akregator/"),  # invent.kde.org/pim/akregator
    ("Feeder", PROGRAM, "SpaceCowboys Android RSS Reader"),  # spacecowboy/Feeder
    ("rss2email", PROGRAM, "rss2email/"),  # rss2email/rss2email
    ("Apple Calendar", PROGRAM, "dataaccessd/"),  # browscap/browscap#382
    ("Apple Calendar", PROGRAM, "CalendarAgent/"),  # DAViCal/davical#30
    ("ICSx⁵", PROGRAM, "ICSx5/"),  # bitfireAT/icsx5, Constants.kt
)
"""Names, kinds and marks of services and programs, with the source of each mark."""

# At most seven digits: more people than that are a forgery.
_SUBSCRIBERS = re.compile(r"\b(\d{1,7}) (?:subscriber|reader)s?\b", re.IGNORECASE)
# A service may know one feed by several URLs, each with its own subscribers.
_FEED_ID = re.compile(r"feed-?id[:=] ?(\w{1,40})", re.IGNORECASE)
_PRODUCT = re.compile(r"[^/(;,]{1,40}")
_ROBOT = re.compile(
    r"bot\b|bot/|crawl|spider|curl/|wget/|python|go-http-client|java/|okhttp|axios",
    re.IGNORECASE,
)


class Program(NamedTuple):
    """A service or program. A service may report the number of its subscribers."""

    name: str
    kind: str
    subscribers: int | None
    feed_id: str


@lru_cache(10_000)
def identify(agent: str) -> Program:
    """Return the service or program of a User-Agent."""
    number = _SUBSCRIBERS.search(agent)
    subscribers = int(number[1]) if number else None
    feed_id = _FEED_ID.search(agent)
    name, kind = _name_and_kind(agent, has_subscribers=bool(number))
    return Program(name, kind, subscribers, feed_id[1] if feed_id else "")


def _name_and_kind(agent: str, *, has_subscribers: bool) -> tuple[str, str]:
    # Versions differ in their use of capitals.
    folded = agent.lower()
    for name, kind, mark in KNOWN:
        if mark.lower() in folded:
            return name, kind
    match = _PRODUCT.match(agent.removeprefix("Mozilla/5.0 (compatible; "))
    name = printable(match[0]).strip() if match else "-"
    if has_subscribers:
        return name, SERVICE
    if _ROBOT.search(agent):
        return name, ROBOT
    # People who look at a feed, but also readers that are extensions of a browser.
    if agent.startswith("Mozilla/5.0 (") and "compatible;" not in agent:
        return "Browsers", BROWSER
    return name or "-", PROGRAM
