"""Damaged files are imported as far as they can be read."""

from __future__ import annotations

import os
import random

import pytest
from flask import Flask

from feedsvc.models import KINDS
from tests.commands import invoke
from tests.importers.helpers import (
    FILES,
    FIXTURES,
    import_file,
    import_item,
    rss_feed,
    stored_entries,
)


def test_entries_before_the_damage_are_imported(app: Flask) -> None:
    data = (FIXTURES / "wordpress.rss").read_bytes()
    at = data.find("Lịch cắt".encode())
    result = import_file(app, data[:at])
    assert "The file is damaged: " in result.stderr
    assert "https://vensong.example/?p=812" in stored_entries(app, "news")


def test_item_that_cannot_be_read_is_skipped(app: Flask) -> None:
    date = "<pubDate>0000-01-01T00:00:00Z</pubDate>"
    items = f"<item><guid>a</guid><title>A</title>{date}</item>"
    items += "<item><guid>b</guid><title>B</title></item>"
    result = import_file(app, rss_feed(items))
    assert "skipped: “A”: it cannot be read" in result.stderr
    assert stored_entries(app, "news").keys() == {"b"}


@pytest.mark.parametrize("length", ["0", "", "12 KB", "²", "9" * 5000])
def test_unusable_length_costs_no_attachment(app: Flask, length: str) -> None:
    enclosure = f'<enclosure url="https://a.example/a.mp3" type="audio/mpeg" length="{length}"/>'
    entry = import_item(app, f"<title>A</title>{enclosure}")
    (attachment,) = entry["attachments"]
    assert attachment.keys() == {"url", "mime_type"}


@pytest.mark.parametrize(
    "part",
    [
        "BEGIN:VALARM\r\n" * 100_000,
        f"X-A;{'TZID=' * 100_000}\r\n",
        f"BEGIN:VEVENT\r\nUID:1\r\nDESCRIPTION:<{'@' * 100_000}\r\nEND:VEVENT\r\n",
        "BEGIN:VTIMEZONE\r\nTZID:Z\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\n"
        "RRULE:FREQ=SECONDLY\r\nTZOFFSETFROM:+0700\r\nTZOFFSETTO:+0700\r\n"
        "END:STANDARD\r\nEND:VTIMEZONE\r\n",
    ],
    ids=["reminders", "names of zones", "address", "zone"],
)
def test_hostile_calendar_is_read_in_time_of_its_length(
    app: Flask, part: str
) -> None:
    """Each would take minutes or more if not for a bound."""
    event = "BEGIN:VEVENT\r\nUID:a\r\nSUMMARY:A\r\nDTSTART:20261125\r\nEND:VEVENT\r\n"
    text = f"BEGIN:VCALENDAR\r\n{part}{event}END:VCALENDAR\r\n"
    import_file(app, text.encode())
    assert "a" in stored_entries(app, "events")


def test_item_is_in_50_categories_at_most(app: Flask) -> None:
    tags = "".join(
        f"<category>Mục {number}</category>" for number in range(60)
    )
    import_file(
        app, rss_feed(f"<item><guid>a</guid><title>A</title>{tags}</item>")
    )
    assert len(stored_entries(app, "news")["a"]["categories"]) == 50


def damage(data: bytes, chance: random.Random) -> bytes:
    """Lose, move, repeat and cut lines of a file, and change bytes."""
    lines = data.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        here, there = (chance.randrange(len(lines)) for _ in range(2))
        line = bytearray(lines[here]) or bytearray(b" ")
        line[chance.randrange(len(line))] = chance.randrange(256)
        lines = chance.choice(
            (
                [*lines[:here], *lines[here + 1 :], b""],
                [*lines[:here], lines[there], *lines[here:]],
                [*lines[:here], bytes(line), *lines[here + 1 :]],
                [
                    *lines[:here],
                    lines[here][: len(line) // 2],
                    *lines[here + 1 :],
                ],
                lines[: here + 1],
            )
        )
    return b"\n".join(lines)


@pytest.mark.parametrize("seed", range(int(os.environ.get("IMPORTS", "2"))))
def test_random_damage_is_an_error_at_most(app: Flask, seed: int) -> None:
    chance = random.Random(seed)
    files = [(FIXTURES / name).read_bytes() for name in FILES]
    for _ in range(50):
        data, kind = damage(chance.choice(files), chance), chance.choice(KINDS)
        result = invoke(app, "import", "-", "--kind", kind, input=data)
        assert result.exception is None or isinstance(
            result.exception, SystemExit
        )
