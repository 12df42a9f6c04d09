"""The service beside an earlier version and what people would use instead."""

import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.by_hand import make_article, make_generator
from bench.documents import CATEGORIES, ENTRIES, EVENTS, article
from bench.servers import (
    CACHED,
    GZIP,
    PLAIN,
    Response,
    Server,
    cpu_ms,
    start_servers,
)

ROUNDS = 5
COLD = CATEGORIES // ROUNDS // 2
"""Requests a round for each kind of cold feed."""

SECONDS = 0.7
"""Time a round for each kind of cached response."""

BATCH = 50
"""Items of a batch."""

POLLS = 100_000 * 24 * 4
CHANGED = 0.1
WRITES = 24 * 6
COLD_URLS = CATEGORIES * 4
"""A portal's day: polls, the share that gets 200, writes, and feeds that each makes cold.

So many readers poll every feed of a kind, in four formats, between two writes.
"""

Figures = dict[str, float]
"""Milliseconds of processor time a request, by the row of the table."""


def compare() -> dict[str, Figures]:
    """Return the medians of some rounds, by the column of the table."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        servers = start_servers(Path(folder), stack)
        samples: dict[str, list[Figures]] = {name: [] for name in servers}
        for number in range(ROUNDS):
            for name, figures in measure_round(servers, number).items():
                samples[name].append(figures)
    samples["feedgen alone"] = [measure_feedgen(number) for number in range(ROUNDS)]
    columns = {name: medians(rounds) for name, rounds in samples.items()}
    # With a cache in front of it, which is not measured, it would answer few of them.
    del columns["by hand"]["a day, s"]
    return columns


def measure_round(servers: dict[str, Server], number: int) -> dict[str, Figures]:
    """Measure a round of all that each server has, by its name."""
    figures: dict[str, Figures] = {name: {} for name in servers}
    rounds = [responses_of_round(server, number) for server in servers.values()]
    # Row by row, and every other round backwards, so that other load affects all alike.
    for rows in zip(*rounds, strict=True):
        measured = [*zip(servers.items(), rows, strict=True)]
        if number % 2:
            measured.reverse()
        for (name, server), (row, expected, responses) in measured:
            figure = measure(server, expected, responses)
            if figure is None:
                continue
            if row == "batch item":
                figure /= BATCH
            figures[name][row] = figure
    return figures


def measure(
    server: Server, expected: int, responses: Iterator[Response]
) -> float | None:
    """Return the milliseconds a response, or None if the server has no such thing."""
    sent = 0
    end = time.monotonic() + SECONDS
    begin = cpu_ms(server.pid)
    for status, _, body in responses:
        if status in (404, 405):
            # The server may not have read the body.
            server.connection.close()
            return None
        assert status == expected, body[:500]
        sent += 1
        if time.monotonic() > end:
            break
    return (cpu_ms(server.pid) - begin) / sent


def responses_of_round(
    server: Server, number: int
) -> Iterator[tuple[str, int, Iterator[Response]]]:
    """Yield rows of the table, with the status and the responses.

    Requests are sent as their responses are iterated over.
    """
    first = number * 2 * COLD
    # The same events but for the last ones.
    limits = range(EVENTS - 2 * number - 1, EVENTS - 2 * number + 1)
    calendars = [f"/feeds/events.ics?content=full&limit={limit}" for limit in limits]
    feeds = {"calendar": (PLAIN, calendars)}
    for label, suffix in (("RSS", "rss"), ("Atom", "atom"), ("JSON", "json")):
        paths = [f"/feeds/news/c{first + i}.{suffix}" for i in range(2 * COLD)]
        feeds[label] = PLAIN, paths[:COLD]
        feeds[f"{label}, gzip"] = GZIP, paths[COLD:]
    # Each URL is requested once, so that no cache has it, nor any of its entries.
    for row, (headers, paths) in feeds.items():
        yield f"first {row}", 200, (server.get(path, headers) for path in paths)
    # A write that changes none of these feeds makes all of them cold.
    server.make_cold(number)
    for row, (headers, paths) in feeds.items():
        # Another URL, since some servers take no write.
        others = [f"{path}&n=1" if "?" in path else f"{path}?n=1" for path in paths]
        yield f"cold {row}", 200, (server.get(path, headers) for path in others)
    server.get(CACHED, PLAIN)
    _, tag, _ = server.get(CACHED, GZIP)
    conditional = {**GZIP, "If-None-Match": tag}
    yield "cached RSS", 200, (server.get(CACHED, PLAIN) for _ in count())
    yield "cached RSS, gzip", 200, (server.get(CACHED, GZIP) for _ in count())
    yield "304", 304, (server.get(CACHED, conditional) for _ in count())
    puts = (
        (f"/api/v1/articles/{id}", article(id)) for id in range(first, first + COLD)
    )
    yield "PUT", 201, (server.send("PUT", *put) for put in puts)
    items = [
        {
            "action": "put",
            "kind": "news",
            "id": f"b{first}-{id}",
            **article(id),
        }
        for id in range(BATCH)
    ]
    batches = [("/api/v1/batch", items)]
    yield (
        "batch item",
        200,
        (server.send("POST", *batch) for batch in batches),
    )


def measure_feedgen(number: int) -> Figures:
    """Measure feedgen alone, with the articles of a category in memory."""
    ids = range(number, CATEGORIES * ENTRIES, CATEGORIES)
    articles = [make_article(f"a{id}", article(id)) for id in ids]
    figures = {}
    for row, method in (("cold RSS", "rss_str"), ("cold Atom", "atom_str")):
        begin = time.process_time()
        for _ in range(COLD):
            getattr(make_generator(f"c{number}", articles), method)()
        figures[row] = (time.process_time() - begin) * 1000 / COLD
    return figures


def medians(rounds: list[Figures]) -> Figures:
    """Return the median of each row, and the seconds of a portal's day."""
    figures = {
        row: statistics.median(figures[row] for figures in rounds) for row in rounds[-1]
    }
    if "cold RSS, gzip" in figures:
        # Readers accept gzip, so each write compresses the feeds of its kind anew.
        poll = CHANGED * figures["cached RSS, gzip"] + (1 - CHANGED) * figures["304"]
        write = COLD_URLS * figures["cold RSS, gzip"] + figures.get("PUT", 0)
        figures["a day, s"] = (POLLS * poll + WRITES * write) / 1000
    return figures
