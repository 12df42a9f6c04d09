"""`readers`: real logs, real User-Agents, and logs of any size in limited memory."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from lxml import html

from feedsvc.__main__ import STANDALONE
from feedsvc.cli.access_log import statistics as statistics_module
from feedsvc.cli.access_log.clients import (
    BROWSER,
    PROGRAM,
    ROBOT,
    SERVICE,
    identify,
)
from feedsvc.cli.access_log.polls import parse_line
from feedsvc.cli.access_log.render import plots, summary, tables
from feedsvc.cli.access_log.report import Report, make_report
from feedsvc.cli.access_log.statistics import OTHER, Statistics
from feedsvc.cli.readers import readers
from feedsvc.feed_query import FORMATS
from feedsvc.models import SCOPES
from tests.conftest import RecordMeasurement
from tests.integration.nginx import NGINX, nginx
from tests.server import ROOT, Service
from tests.waiting import wait_until

FEEDLY = (
    "Feedly/1.0 (+http://www.feedly.com/fetcher.html; {} subscribers; "
    "like FeedFetcher-Google)"
)
NETNEWSWIRE = "NetNewsWire (RSS Reader; https://netnewswire.com/)"


def line(
    agent: str = NETNEWSWIRE,
    *,
    address: str = "192.0.2.1",
    time: str = "25/Nov/2026:14:00:00 +0700",
    feed: str = "/feeds/news.rss",
    status: int = 200,
    size: int = 9000,
    validators: str = "etag+date",
) -> str:
    """A line of the service's text log."""
    return (
        f'{address} [{time}] "GET {feed}" {status} {size} 3ms "{agent}" '
        f"{validators} 5f0c6d1e9a7b4c3d\n"
    )


def report(*lines: str) -> Report:
    statistics = Statistics()
    statistics.read(lines)
    return make_report(statistics)


AGENTS = [
    (FEEDLY.format(131), "Feedly", SERVICE, 131),
    (
        "Inoreader/1.0 (+http://www.inoreader.com/feed-fetcher; 26 subscribers; )",
        "Inoreader",
        SERVICE,
        26,
    ),
    (
        "Mozilla/5.0 (compatible; inoreader.com; 114 subscribers)",
        "Inoreader",
        SERVICE,
        114,
    ),
    (
        "NewsBlur Feed Fetcher - 1 subscriber - http://www.newsblur.com/site/1/x "
        "(Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7))",
        "NewsBlur",
        SERVICE,
        1,
    ),
    ("Feedbin feed-id:1306543 - 13 subscribers", "Feedbin", SERVICE, 13),
    (
        "Mozilla/5.0 (compatible; theoldreader.com; 2 subscribers; feed-id=cead6c3a)",
        "The Old Reader",
        SERVICE,
        2,
    ),
    (
        "Mozilla/5.0 (compatible; BazQux/2.4; +https://bazqux.com/fetcher; "
        "6 subscribers)",
        "BazQux",
        SERVICE,
        6,
    ),
    (
        "Dreamwidth Studios (webmaster@dreamwidth.org; for https://x/; 2 readers)",
        "Dreamwidth",
        SERVICE,
        2,
    ),
    ("NewReader/2.1 (12 subscribers)", "NewReader", SERVICE, 12),
    (
        "FeedFetcher-Google; (+http://www.google.com/feedfetcher.html)",
        "Google Feedfetcher",
        SERVICE,
        None,
    ),
    ("Google-Calendar-Importer", "Google Calendar", SERVICE, None),
    ("FreshRSS/1.23.1 (Linux; https://freshrss.org)", "FreshRSS", PROGRAM, None),
    (
        "Mozilla/5.0 (compatible; Miniflux/2.2.6; +https://miniflux.app)",
        "Miniflux",
        PROGRAM,
        None,
    ),
    ("Newsboat/2.36.0 (Linux x86_64)", "Newsboat", PROGRAM, None),
    (NETNEWSWIRE, "NetNewsWire", PROGRAM, None),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.6.1",
        "Thunderbird",
        PROGRAM,
        None,
    ),
    ("iOS/9.1 (13B143) dataaccessd/1.0", "Apple Calendar", PROGRAM, None),
    ("Reeder/5.3 CFNetwork/1494 Darwin/23.4.0", "Reeder", PROGRAM, None),
    ("-", "-", PROGRAM, None),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Browsers",
        BROWSER,
        None,
    ),
    (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Googlebot",
        ROBOT,
        None,
    ),
    ("python-requests/2.32.3", "python-requests", ROBOT, None),
    ("curl/8.14.1", "curl", ROBOT, None),
]


@pytest.mark.parametrize(("agent", "name", "kind", "subscribers"), AGENTS)
def test_user_agent_is_identified(
    agent: str, name: str, kind: str, subscribers: int | None
) -> None:
    assert identify(agent)[:3] == (name, kind, subscribers)


def test_last_report_of_each_service_counts() -> None:
    made = report(
        line(FEEDLY.format(10), time="25/Nov/2026:15:00:00 +0700"),
        line(FEEDLY.format(99), time="25/Nov/2026:14:00:00 +0700"),
        line(FEEDLY.format(5), feed="/feeds/news/y-te.rss?x=1"),
        line("Feedbin feed-id:1 - 3 subscribers"),
        line("Feedbin feed-id:2 - 4 subscribers"),
    )
    assert {row.feed: row.subscribers for row in made.feeds} == {
        "/feeds/news.rss": 17,
        "/feeds/news/y-te.rss": 5,
    }
    assert made.subscribers == 22
    services = {(row.service, row.feed_id): row.subscribers for row in made.services}
    assert services[("Feedbin", "2")] == 4
    feedly = next(row for row in made.programs if row.program == "Feedly")
    assert (feedly.subscribers, feedly.share) == (15, 0.6)


def test_devices_are_counted_by_address_and_agent_of_a_day() -> None:
    made = report(
        line(time="23/Nov/2026:14:00:00 +0700", address="192.0.2.9"),
        *[line(), line(), line(address="192.0.2.2"), line("FreshRSS/1.2 (Linux)")],
        *[line("curl/8"), line("Mozilla/5.0 (X11; Linux) Firefox/140.0")],
        line(FEEDLY.format(3)),
    )
    assert (made.devices, made.feeds[0].devices) == (3, 3)
    assert "estimate" in made.notes[0]


def test_shortened_and_missing_addresses_are_told() -> None:
    short = report(line(address="192.0.2.0/24"), line(address="2001:db8::/48"))
    assert short.devices == 2
    assert "shortened" in short.notes[1]
    none = report(line(address="-"), line(address="-"))
    assert none.devices is None
    assert none.feeds[0].devices is None
    assert "no addresses" in none.notes[1]
    assert "an unknown number of devices" in summary(none)


def test_saved_bytes_are_those_of_the_feeds_documents() -> None:
    made = report(
        line(size=8000, validators="-"),
        line(size=10000),
        *[line(status=304, size=0)] * 6,
        line(feed="/feeds/news.json", status=304, size=0),
    )
    assert made.saved_bytes == 6 * 9000
    assert made.not_modified == round(7 / 9, 4)
    assert made.unconditional == round(1 / 9, 4)


def test_rates_are_a_days() -> None:
    made = report(
        line(time="24/Nov/2026:00:00:00 +0000"),
        *[line(time="25/Nov/2026:23:59:00 +0000")] * 3,
    )
    assert made.polls_a_day == 2
    assert [(day.day, day.polls) for day in made.days] == [
        ("2026-11-24", 1),
        ("2026-11-25", 3),
    ]


def test_clients_without_validators_are_ranked() -> None:
    greedy = [line("greedy/1", address="192.0.2.7", validators="-")] * 5
    polite = [line("polite/1", validators="date")] * 9
    others = [line(f"x{number}/1", validators="-") for number in range(20)]
    made = report(*greedy, *polite, *others)
    assert len(made.pollers) == 10
    first = made.pollers[0]
    assert (first.address, first.agent, first.polls_a_day) == (
        "192.0.2.7",
        "greedy/1",
        120.0,
    )


def test_other_requests_are_no_polls() -> None:
    for request in ("/feeds/news.html", "/", "/feeds.opml", "/feeds/a%20b.rss.html"):
        assert parse_line(line(feed=request)) is None
    assert parse_line(line(status=404)) is None
    assert parse_line(line().replace("GET", "HEAD")) is None
    made = report(line(), 'x [now] "GET /feeds/news.rss" lost\n', "unrelated\n")
    assert (made.lines, made.unrecognised, made.polls) == (3, 1, 1)
    assert "1 of 3 lines were not recognised" in made.notes[-1]


def test_polls_of_every_format_but_pages_count() -> None:
    for name, form in FORMATS.items():
        poll = parse_line(line(feed=f"/feeds/events.{name}"))
        assert bool(poll) == (not form.is_page), name


def read(*arguments: object, standard_input: bytes = b"") -> dict[str, Any]:
    """Run `readers --json` and return the document."""
    words = [*map(str, arguments), "--json"]
    # Buffered, as the real one: the command looks ahead in it.
    buffered = io.BufferedReader(io.BytesIO(standard_input))
    done = CliRunner().invoke(readers, words, input=buffered)
    assert done.exit_code == 0, done.output
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def poll_feeds(url: str, log: Path, lines: int) -> None:
    """Poll a feed as several readers do, and wait until that is logged."""
    etag = requests.get(
        f"{url}/feeds/news.rss?x=1",
        headers={"User-Agent": FEEDLY.format(7)},
        timeout=10,
    ).headers["ETag"]
    headers = {"User-Agent": 'Reader "quoted" \\', "If-None-Match": etag}
    for _ in range(3):
        response = requests.get(f"{url}/feeds/news.rss", headers=headers, timeout=10)
        assert response.status_code == 304
    wait_until(lambda: log.read_text().count("/feeds/news.rss") >= lines)


def assert_polls(document: dict[str, Any]) -> None:
    (feed,) = document["feeds"]
    assert (feed["feed"], feed["subscribers"], feed["devices"]) == (
        "/feeds/news.rss",
        7,
        1,
    )
    assert document["polls"] == 4
    assert document["not_modified"] == 0.75
    assert document["unconditional"] == 0.25
    assert document["saved_bytes"] > 1000
    assert document["unrecognised"] == 0
    names = {row["program"].partition(" ")[0] for row in document["programs"]}
    assert names == {"Feedly", "Reader"}


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_log_of_the_service_is_read(
    sqlite_url: str, tmp_path: Path, log_format: str
) -> None:
    service = Service(sqlite_url, WEB_CONCURRENCY="1", FEEDSVC_LOG_FORMAT=log_format)
    service.make_token(*SCOPES)
    log = tmp_path / "log"
    service.start(log)
    try:
        poll_feeds(service.url, log, 4)
        assert_polls(read(log))
        if log_format == "text" and NGINX:
            with nginx(tmp_path, service.port) as (url, _):
                poll_feeds(url, tmp_path / "access.log", 4)
            assert_polls(read(tmp_path / "access.log"))
    finally:
        service.stop()


def test_compressed_logs_and_standard_input_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.log.1").write_text(line())
    packed = gzip.compress(line(address="192.0.2.2").encode())
    (tmp_path / "a.log.2.gz").write_bytes(packed)
    files = tmp_path / "a.log.1", tmp_path / "a.log.2.gz", "-"
    assert (
        read(*files, standard_input=line(address="192.0.2.3").encode())["devices"] == 3
    )
    assert read(standard_input=packed)["devices"] == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.log", "cannot be read: No such file or directory."),
        ("cut.gz", "cannot be read: Compressed file ended"),
        ("damaged.gz", "cannot be read: Error -3 while decompressing data"),
        ("other.log", "No poll of a feed in 2 lines, 1 of them not recognised."),
        ("text.log", "No poll of a feed in 3 lines. Give the access log"),
        (".", "cannot be read: Is a directory."),
    ],
)
def test_unusable_log_is_a_sentence(tmp_path: Path, name: str, message: str) -> None:
    packed = gzip.compress(line().encode())
    (tmp_path / "cut.gz").write_bytes(packed[:-9])
    # The header of the first block, after those of the file, names no such type.
    (tmp_path / "damaged.gz").write_bytes(packed[:10] + b"\xff" * 50)
    (tmp_path / "other.log").write_text("GET /feeds/news.rss\n\n")
    (tmp_path / "text.log").write_text("Not\na\nlog\n")
    done = CliRunner().invoke(readers, [str(tmp_path / name)])
    assert done.exit_code == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


TABLES = """
Feeds
feed                   subscribers  devices  polls a day     304  without validators  saved by 304
/feeds/news.rss                  3        2            4  25.0 %               0.0 %        1.0 kB
/feeds/news/y-te.atom            4        0            1   0.0 %             100.0 %           0 B
/feeds/events.ics                0        1            1   0.0 %               0.0 %           0 B

Programs
program      kind      share  subscribers  polls a day     304  without validators
NetNewsWire  program  66.7 %            –            4  25.0 %               0.0 %
Feedly       service  33.3 %            7            2   0.0 %              50.0 %
"""


def test_tables_are_sorted_and_aligned(tmp_path: Path) -> None:
    log = tmp_path / "log"
    earlier = "24/Nov/2026:14:01:00 +0700"
    log.write_text(
        line(FEEDLY.format(3), time=earlier, size=1000)
        + line(FEEDLY.format(4), feed="/feeds/news/y-te.atom", validators="-")
        + line(size=1000)
        + line(address="192.0.2.2", size=1000)
        + line(status=304, size=0)
        + line(feed="/feeds/events.ics")
    )
    done = CliRunner().invoke(readers, [str(log)])
    output = done.stdout.partition("\n")[2].partition("\nMost polls")[0]
    assert output == TABLES
    assert done.stdout.startswith(
        "2026-11-24 07:01 UTC to 2026-11-25 07:00 UTC: 7 subscribers of services, and "
    )


def test_page_has_plots_and_loads_and_runs_nothing(tmp_path: Path) -> None:
    log, page = tmp_path / "log", tmp_path / "readers.html"
    attack = "<script>alert(1)</script>&<img src=//x.example/>"
    log.write_text(line(FEEDLY.format(20)) + line(attack, validators="-") + line() * 30)
    done = CliRunner().invoke(readers, [str(log), "--html", str(page)])
    assert done.exit_code == 0
    assert "Feedly" in done.stdout
    text = page.read_text("utf-8")
    tree: Any = html.fromstring(text)
    assert not tree.xpath("//script | //img | //link | //iframe | //@src | //@href")
    assert "default-src 'none'" in text
    assert len(tree.xpath("//svg")) == 3
    assert attack in tree.text_content()
    assert len(tree.xpath("//table")) == 3


def test_page_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    log, page = tmp_path / "log", tmp_path / "missing/readers.html"
    log.write_text(line())
    done = CliRunner().invoke(readers, [str(log), "--html", str(page)])
    assert done.exit_code == 1
    expected = f"Error: {page} cannot be written: No such file or directory.\n"
    assert done.stderr == expected


def test_bars_are_percentages_of_the_longest() -> None:
    feed = "/feeds/news/" + "a" * 40 + ".rss"
    made = report(
        line(FEEDLY.format(6), validators="-"),
        line(),
        line(address="192.0.2.2", status=304),
        line(feed=feed, status=304),
    )
    readers_of_feeds, programs, days = plots(made)
    assert readers_of_feeds.bars[0] == ("/feeds/news.rss", 75.0, 25.0, "8")
    label, *_, text = readers_of_feeds.bars[1]
    assert (len(label), label[0], text) == (38, "…", "1")
    assert programs.bars[0] == ("NetNewsWire", 100.0, 0.0, "72")
    assert programs.bars[1].second == pytest.approx(100 / 3)
    assert [bar[1:] for bar in days.bars] == [(50.0, 50.0, "4")]
    anonymous = plots(report(line(address="-")))
    assert anonymous[0].bars[0].text == "0"


def test_terminal_is_not_controlled_by_a_log() -> None:
    document = {
        "time": "2026-11-25T14:00:00+0700",
        "address": "192.0.2.1\x1b[2J",
        "method": "GET",
        "target": "/feeds/\x1b[31m.rss",
        "status": 200,
        "bytes": 1,
        "agent": "\x1b]0;owned\x07/1",
        "validators": "-",
    }
    made = report(json.dumps(document))
    cells = [cell for _, rows in tables(made).values() for row in rows for cell in row]
    assert all(cell.isprintable() for cell in cells)


@pytest.mark.parametrize("target", ["/feeds/" * 1100, "/feeds/" + "a" * 8000 + ".rss"])
def test_line_that_a_client_made_long_takes_little_time(target: str) -> None:
    begun = time.process_time()
    for agent in ("x", "x\\", '" "' * 2000):
        for _ in range(10):
            with suppress(ValueError):
                parse_line(line(agent, feed=target))
    assert time.process_time() - begun < 0.3


def test_memory_is_bounded_where_clients_invent_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("FEEDS", "PROGRAMS", "SUBSCRIBERS", "POLLERS"):
        monkeypatch.setattr(statistics_module, f"_MAX_{name}", 10)
    monkeypatch.setattr(statistics_module, "_MAX_DEVICES", 1000)
    statistics = Statistics()
    statistics.read(line(address=f"192.0.2.{number}") for number in range(20_000))
    estimate = statistics.devices.count("/feeds/news.rss")
    assert 14_000 < estimate < 27_000
    for number in range(100):
        statistics.read(
            [
                line(f"x{number}/1", feed=f"/feeds/{number}.rss", validators="-"),
                line(f"y{number}/1 (5 subscribers)", feed=f"/feeds/{number}.rss"),
            ]
        )
    assert len(statistics.feeds) == 11
    assert len(statistics.programs) <= 12
    assert len(statistics.subscribers) == 10
    assert len(statistics.pollers) <= 10
    assert statistics.feeds[OTHER].polls > 100


MEASURED = """
import re, sys, time
from pathlib import Path
from feedsvc.__main__ import main
try:
    main()
except SystemExit:
    # Not getrusage, which counts the process before exec too.
    memory = re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())
    print(time.process_time(), int(memory[1]) / 1024, file=sys.stderr)
"""
"""A command that tells its CPU time and memory on standard error."""


@pytest.mark.parametrize("count", [20_000, pytest.param(10**6, marks=pytest.mark.soak)])
def test_long_log_takes_little_time_and_memory(
    tmp_path: Path, count: int, record_measurement: RecordMeasurement
) -> None:
    log = tmp_path / "log"
    agents = [agent for agent, *_ in AGENTS]
    with log.open("w") as file:
        for number in range(count):
            minute = number * 1440 // count
            file.write(
                line(
                    agents[number % len(agents)],
                    address=f"192.0.{number * 7919 % 150}.{number * 31 % 256}",
                    time=f"25/Nov/2026:{minute // 60:02}:{minute % 60:02}:00 +0700",
                    feed=f"/feeds/news/c{number % 151}.rss",
                    status=304 if number % 4 else 200,
                    validators="etag" if number % 5 else "-",
                )
            )
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "readers", str(log), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["polls"] == count
    seconds, mebibytes = map(float, done.stderr.split())
    record_measurement("CPU time of `readers`", f"{seconds:.1f} s", "20 s")
    record_measurement("memory of `readers`", f"{mebibytes:.0f} MiB", "100 MiB")
    assert mebibytes < 100
    assert seconds < 20


@pytest.mark.parametrize("name", STANDALONE)
def test_command_starts_without_database_and_application(name: str) -> None:
    script = (
        "import sys, feedsvc.__main__ as main\n"
        f"sys.argv[1:] = ['{name}', '--help']\n"
        "try:\n    main.main()\nexcept SystemExit as error:\n    assert not error.code\n"
        "print({'flask', 'sqlalchemy', 'config', 'feedsvc.app'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"Usage: .venv/bin/feedsvc {name} ")
    assert done.stdout.endswith("set()\n")
    assert done.stderr == ""
