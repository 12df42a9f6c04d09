"""Damaged, hostile and unusual files are imported as far as they can be read."""

from __future__ import annotations

import os
import random
from time import process_time

import pytest
from flask import Flask

from feedsvc.models import KINDS
from tests.commands import invoke
from tests.importers.helpers import (
    EXPORTERS,
    import_file,
    import_item,
    rss_feed,
    stored_entries,
)


def test_entries_before_the_damage_are_imported(app: Flask) -> None:
    data = (EXPORTERS / "wordpress.rss").read_bytes()
    at = data.find("Lịch cắt".encode())
    result = import_file(app, data[:at])
    assert "The file is damaged: " in result.stderr
    assert "https://vensong.example/?p=812" in stored_entries(app, "news")


def test_length_of_many_digits_costs_no_attachment(app: Flask) -> None:
    enclosure = f'<enclosure url="https://a.example/a.mp3" type="audio/mpeg" length="{"9" * 5000}"/>'
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
    tags = [f"<category>Mục {number}</category>" for number in range(60)]
    entry = import_item(app, f"<title>A</title>{''.join(tags)}")
    assert len(entry["categories"]) == 50


def damage(data: bytes, chance: random.Random) -> bytes:
    """Lose, repeat and cut lines of a file, and change bytes."""
    lines = data.split(b"\n")
    for _ in range(chance.randint(1, 4)):
        number = chance.randrange(len(lines))
        line = lines[number]
        at = chance.randrange(len(line) + 1)
        byte = bytes([chance.randrange(256)])
        lines[number : number + 1] = chance.choice(
            (
                [],
                [chance.choice(lines), line],
                [line[:at] + byte + line[at + 1 :]],
                [line[:at]],
            )
        )
        if chance.random() < 0.2:
            lines = lines[: number + 1]
    return b"\n".join(lines)


@pytest.mark.parametrize("seed", range(int(os.environ.get("IMPORTS", "2"))))
def test_random_damage_is_an_error_at_most(app: Flask, seed: int) -> None:
    chance = random.Random(seed)
    files = [path.read_bytes() for path in sorted(EXPORTERS.glob("*.*s*"))]
    for _ in range(40):
        data, kind = damage(chance.choice(files), chance), chance.choice(KINDS)
        result = invoke(app, "import", "-", "--kind", kind, input=data)
        assert result.exception is None or isinstance(
            result.exception, SystemExit
        )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "windows-1258"])
def test_declared_encoding_is_read(app: Flask, encoding: str) -> None:
    # The letters that windows-1258 has without combining marks.
    document = rss_feed(
        "<item><guid>g</guid><title>Đô, lê, ơ, ư</title></item>"
    )
    declared = document.decode().replace(
        "UTF-8", encoding.removesuffix("-sig")
    )
    import_file(app, declared.encode(encoding))
    assert stored_entries(app, "news")["g"]["title"] == "Đô, lê, ơ, ư"


ENTITY_BOMB = "<!ENTITY e0 'haha'>" + "".join(
    f"<!ENTITY e{n} '{f'&e{n - 1};' * 9}'>" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("entities", "content"),
    [
        ("", "H&ocirc;m nay"),
        ('[<!ENTITY x SYSTEM "file:///etc/passwd">]', "a &x; b"),
        ('[<!ENTITY x "haha">]', "a &x; b"),
        (f"[{ENTITY_BOMB}]", "a &e9; b"),
    ],
    ids=["html", "file", "text", "bomb"],
)
def test_entities_of_html_alone_are_resolved(
    app: Flask, entities: str, content: str
) -> None:
    dtd = f'<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://a.example/rss.dtd" {entities}>'
    item = f"<item><guid>g</guid><title>{content}</title></item>"
    result = invoke(app, "import", "-", input=rss_feed(item, dtd))
    output = result.output + str(stored_entries(app, "news"))
    assert "root:" not in output
    assert "haha" not in output
    assert ("Hôm nay" in output) == ("ocirc" in content)


def test_many_captions_of_many_pictures_take_little_time(app: Flask) -> None:
    picture = '<media:content url="https://a.example/a.jpg" medium="image"/>'
    caption = "<media:description>Cây cầu</media:description>"
    pictures = (picture + caption) * 10_000
    began = process_time()
    assert import_item(app, f"<title>a</title>{pictures}")["image"]["caption"]
    assert process_time() - began < 5
