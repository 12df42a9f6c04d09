"""`make bench`: starts the service with a full feed, measures, prints a table."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile

import requests

from bench import calendar
from bench.batch import LINES, memory, time_ratio
from bench.load import requests_a_second
from feedsvc.model import SCOPES
from tests.service import Service

ROUNDS = 5
SECONDS = 2.0
PATH = "/feeds/news.rss"


def main() -> None:
    """Measure each against its reference, in turn, and print the ratios."""
    with tempfile.TemporaryDirectory() as folder:
        service = Service(f"sqlite:///{folder}/bench.db")
        service.make_token(*SCOPES)
        service.start()
        try:
            for number in range(50):
                document = {
                    "title": f"Bài {number}",
                    "content_html": "<p>" + "Nội dung của bài. " * 80 + "</p>",
                }
                assert service.request("PUT", f"/api/v1/articles/{number}", document).ok
            length = len(requests.get(service.url + PATH, timeout=10).content)
            bare = Service("sqlite://", BARE_LENGTH=str(length))
            bare.start(app="bench.bare:app")
            try:
                pairs = [
                    (
                        requests_a_second(service.port, PATH, seconds=SECONDS),
                        requests_a_second(bare.port, PATH, seconds=SECONDS),
                    )
                    for _ in range(ROUNDS)
                ]
            finally:
                bare.stop()
        finally:
            service.stop()
    ratios = sorted(ours / reference for ours, reference in pairs)
    ours, reference = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {ROUNDS} rounds of {SECONDS:.0f} s\n")
    print("| what | ours | reference | ratio (min – median – max) |")
    print("|---|---|---|---|")
    print(
        f"| a feed of 50 entries, {length // 1000} KB, against a bare WSGI function under the same gunicorn "
        f"| {ours:,.0f}/s | {reference:,.0f}/s "
        f"| {ratios[0]:.3f} – {statistics.median(ratios):.3f} – {ratios[-1]:.3f} |"
    )
    times = [time_ratio() for _ in range(3)]
    ratios = sorted(ours / reference for ours, reference in times)
    ours, reference = times[0]
    print(
        f"| a batch of {LINES:,} entries, against parsing, the schema and one executemany a table "
        f"| {ours:.2f} s | {reference:.2f} s | {ratios[0]:.2f} – {ratios[1]:.2f} – {ratios[2]:.2f} |"
    )
    times = [calendar.time_ratio() for _ in range(ROUNDS)]
    ratios = sorted(ours / reference for ours, reference in times)
    ours, reference = (statistics.median(column) for column in zip(*times, strict=True))
    print(
        f"| a calendar of {calendar.EVENTS:,} events, against icalendar's own writing of the same components "
        f"| {ours:.2f} s | {reference:.2f} s "
        f"| {ratios[0]:.2f} – {statistics.median(ratios):.2f} – {ratios[-1]:.2f} |"
    )
    idle, peak = memory()
    what = "peak memory of a worker after a batch of 64 MiB, against idle"
    print(f"| {what} | {peak} MiB | {idle} MiB | +{peak - idle} MiB |")


if __name__ == "__main__":
    main()
