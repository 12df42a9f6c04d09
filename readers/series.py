"""`python -m readers.series`: random series with dates that are off, in calendar programs.

Many begin at the same hour, since some programs relate a date of one to all others. No
clock skips or repeats these hours, since programs differ there in any series.
"""

from __future__ import annotations

import random
import shutil
from collections import Counter
from datetime import datetime, timedelta
from tempfile import TemporaryDirectory

from dateutil.rrule import rrulestr

from feedsvc.models import SCOPES
from readers.__main__ import HOMES, download
from readers.compare import read_items, read_time
from readers.expected import Json
from readers.portal import cancelled_starts, occurrences, send
from readers.programs import find_programs
from tests.server import Service

SEED = 12
COUNT = 300
ZONES = (
    "UTC Africa/Johannesburg Africa/Lagos America/Chicago America/Havana "
    "America/Los_Angeles America/New_York America/Santiago America/Sao_Paulo "
    "America/St_Johns Asia/Ho_Chi_Minh Asia/Jerusalem Asia/Kathmandu Asia/Kolkata "
    "Asia/Tehran Asia/Tokyo Australia/Adelaide Australia/Lord_Howe Australia/Sydney "
    "Europe/Berlin Europe/Dublin Europe/London Europe/Paris Pacific/Auckland Pacific/Chatham"
).split()
RULES = (
    "FREQ=DAILY;COUNT=30",
    "FREQ=DAILY;INTERVAL=3;COUNT=9",
    "FREQ=WEEKLY;COUNT=12",
    "FREQ=WEEKLY;INTERVAL=2;COUNT=5",
    "FREQ=MONTHLY;COUNT=4",
)
OFF = (0, 2, 0, 1, 1, 0)
"""Numbers of dates of a series that are off, by turns: two for three series."""


def make_series(number: int) -> Json:
    """Return a random series; every eighth is all-day."""
    begin = datetime.fromisoformat("2030-01-07") + timedelta(
        days=random.randrange(0, 240, 7), hours=random.choice((8, 9, 19))
    )
    rule = random.choice(RULES)
    is_all_day = number % 8 == 0
    size = len("2030-01-07") if is_all_day else None
    starts = [start.isoformat()[:size] for start in rrulestr(rule, dtstart=begin)]
    exdate, *off = random.sample(starts, 1 + OFF[number % len(OFF)])
    recurrence = {"rrule": rule, "exdates": [exdate], "cancelled": off}
    series: Json = {
        "title": f"Hội {number}",
        "start": starts[0],
        "recurrence": recurrence,
    }
    if not is_all_day:
        series["timezone"] = random.choice(ZONES)
    return series


def count_wrong(expected: list[str], shown: list[str]) -> int:
    """Return the number of missing starts or of additional ones, whichever is greater."""
    counts = Counter(map(read_time, expected)), Counter(map(read_time, shown))
    return max((counts[0] - counts[1]).total(), (counts[1] - counts[0]).total())


def main() -> None:
    """Print how many occurrences each program shows wrong, and how many wrongly as off."""
    random.seed(SEED)
    shutil.rmtree(HOMES, ignore_errors=True)
    HOMES.mkdir(parents=True)
    programs = list(find_programs())
    with TemporaryDirectory() as folder:
        service = Service(f"sqlite:///{folder}/feeds.db", WEB_CONCURRENCY="1")
        service.make_token(*SCOPES)
        with service:
            items = [
                send(service, "PUT", f"/events/{number}", make_series(number))
                for number in range(COUNT)
            ]
            url = f"{service.url}/feeds/events.ics"
            document = download(url)
    print(f"{COUNT} series, {COUNT // len(OFF) * sum(OFF)} dates off")
    for program in programs:
        if "calendar" in program.group:
            shown = program.show(url, document, HOMES / program.label)
            print(program.label, compare(items, read_items(shown or [], False)))


def compare(items: list[Json], shown: list[Json]) -> dict[str, int]:
    """Return how many occurrences are wrong, and how many are wrongly shown as off."""
    events: dict[str, Json] = {event["link"]: event for event in shown}
    wrong = Counter[str](occurrences=0, off=0)
    for item in items:
        event = events.get(item["url"], {"times": [], "cancelled": []})
        expected = list(occurrences(item))
        starts = [start for start, _ in expected]
        off = list(cancelled_starts(item, expected))
        wrong["occurrences"] += count_wrong(
            starts, [time for time, _ in event["times"]]
        )
        wrong["off"] += count_wrong(off, event["cancelled"])
    return dict(wrong)


if __name__ == "__main__":
    main()
