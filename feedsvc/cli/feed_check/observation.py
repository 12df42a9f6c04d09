"""All requests for a feed, and their responses."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from email.message import Message
from urllib.parse import urlsplit

from feedsvc.cli.feed_check.client import READERS, Client, Reply, UnreachableError
from feedsvc.cli.feed_check.documents import Document

CODINGS = ("identity", "br", "zstd")
"""The codings that are requested besides gzip, which all readers know."""


@dataclass
class Observation:
    """The responses to all requests for a feed.

    `gets` and `heads` are by reader, `conditional` by the validators that were sent.
    `again` repeats the first request at the end.
    """

    gets: dict[str, Reply]
    heads: dict[str, Reply]
    parameter: Reply
    conditional: dict[str, Reply] = field(default_factory=dict)
    old_tag: Reply | None = None
    codings: dict[str, Reply] = field(default_factory=dict)
    again: Reply | None = None
    document: Document = field(default_factory=Document)

    @property
    def reference(self) -> Reply:
        """The first response that is a feed, or the first one."""
        replies = list(self.gets.values())
        return next((reply for reply in replies if reply.is_feed), replies[0])

    @property
    def same(self) -> dict[str, Reply]:
        """All responses that are the feed, by what was requested."""
        replies = {f"gzip for {name}": reply for name, reply in self.gets.items()}
        replies |= self.codings
        if self.again:
            replies["a repeated request"] = self.again
        return {name: reply for name, reply in replies.items() if reply.is_feed}

    @property
    def all(self) -> list[Reply]:
        """Every response."""
        single = [self.parameter, self.old_tag, self.again]
        groups = (self.gets, self.heads, self.conditional, self.codings)
        replies = [reply for group in groups for reply in group.values()]
        return replies + [reply for reply in single if reply]

    @property
    def is_unstable(self) -> bool:
        """True if the feed changed between requests, once or each time."""
        again = self.again
        if again is None:
            return False
        first = self.reference
        # A date that appears was not settled before, so the feed has just changed.
        has_date = bool(again.header("Last-Modified"))
        had_date = bool(first.header("Last-Modified"))
        return first.content != again.content or (has_date and not had_date)


def observe(client: Client, url: str) -> Observation:
    """Make all requests for a feed.

    :raises UnreachableError: one of them has no response.
    """
    gets = _request_as_readers(client, url, "GET")
    heads = _request_as_readers(client, url, "HEAD")
    # As trackers and cache busters append some.
    separator = "&" if urlsplit(url).query else "?"
    parameter = client.request(
        f"{url}{separator}feedsvc-check=1",
        User_Agent=READERS["Feedly"],
        Accept_Encoding="gzip",
    )
    observation = Observation(gets, heads, parameter)
    reference = observation.reference
    if not reference.is_feed:
        return observation
    reader = next(name for name in gets if gets[name] is reference)

    def get(coding: str = "gzip", **headers: str) -> Reply:
        return client.request(
            url, User_Agent=READERS[reader], Accept_Encoding=coding, **headers
        )

    for name, validators in _conditions(reference).items():
        observation.conditional[name] = get(**validators)
    # A cache that ignores the value hides every change.
    observation.old_tag = get(If_None_Match='"feedsvc-check"')
    for coding in CODINGS:
        observation.codings[coding] = get(coding)
    # Last, to notice whether the feed changed since the first.
    observation.again = get()
    return observation


def _request_as_readers(client: Client, url: str, method: str) -> dict[str, Reply]:
    """Return the responses by reader.

    :raises UnreachableError: the first two readers get no response to GET.
    """
    replies: dict[str, Reply] = {}
    for reader, agent in READERS.items():
        try:
            reply = client.request(
                url, method, User_Agent=agent, Accept_Encoding="gzip"
            )
        except UnreachableError:
            # Some bot walls drop the connections of programs that they dislike.
            if method == "GET" and {each.status for each in replies.values()} == {0}:
                raise
            reply = Reply(url, 0, Message(), b"", (url,), time.time())
        replies[reader] = reply
    return replies


def _conditions(reply: Reply) -> dict[str, dict[str, str]]:
    """Return the headers of conditional requests, by a name for people."""
    etag, date = reply.header("ETag"), reply.header("Last-Modified")
    conditions = {}
    if etag:
        # Alone, because some servers compare only one of both.
        conditions["If-None-Match"] = {"If_None_Match": etag}
        # CDNs weaken the tag of what they compress (RFC 9110 §13.1.2).
        if not etag.startswith("W/"):
            conditions["a weak If-None-Match"] = {"If_None_Match": f"W/{etag}"}
    if date:
        conditions["If-Modified-Since"] = {"If_Modified_Since": date}
    if etag and date:
        both = {"If_None_Match": etag, "If_Modified_Since": date}
        conditions["both validators"] = both
    return conditions
