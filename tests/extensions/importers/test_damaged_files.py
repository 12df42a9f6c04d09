"""Damaged, hostile and unusual files are imported as far as they can be read."""

import os
import random
from collections.abc import Callable
from time import process_time

import pytest
from flask import Flask

from feedsvc.models import KINDS
from tests.commands import invoke
from tests.extensions.importers.helpers import (
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


@pytest.mark.parametrize("before", [b"\n", b" \r\n", b"\xef\xbb\xbf\n"])
def test_blank_lines_before_an_export_do_not_matter(app: Flask, before: bytes) -> None:
    data = (EXPORTERS / "wordpress-export.rss").read_bytes()
    expected = import_file(app, data)
    again = import_file(app, before + data)
    assert again.stderr == expected.stderr
    assert again.stdout.startswith("0 new, 0 changed")


def test_length_of_many_digits_costs_no_attachment(app: Flask) -> None:
    enclosure = f'<enclosure url="https://a.example/a.mp3" type="audio/mpeg" length="{"9" * 5000}"/>'
    entry = import_item(app, f"<title>A</title>{enclosure}")
    (attachment,) = entry["attachments"]
    assert attachment.keys() == {"url", "mime_type"}


def calendar(lines: str, before: str = "") -> bytes:
    """Return a calendar with an event, and lines before it."""
    event = f"BEGIN:VEVENT\nUID:a\nSUMMARY:A\n{lines}\nEND:VEVENT"
    text = f"BEGIN:VCALENDAR\n{before}{event}\nEND:VCALENDAR\n"
    return text.replace("\n", "\r\n").encode()


def zone(lines: str) -> str:
    """Return a definition of a zone."""
    return (
        "BEGIN:VTIMEZONE\nTZID:Z\nBEGIN:STANDARD\nDTSTART:16010101T000000\n"
        f"{lines}\nTZOFFSETFROM:+0700\nTZOFFSETTO:+0700\n"
        "END:STANDARD\nEND:VTIMEZONE\n"
    )


def item(content: str) -> bytes:
    return rss_feed(f"<item><guid>g</guid><title>A</title>{content}</item>")


DAY = "DTSTART:20270101"
DAILY = "DTSTART:20270101T100000\nRRULE:FREQ=DAILY"
#: Files by the text that is repeated in them.
HOSTILE: dict[str, tuple[str, Callable[[str], bytes]]] = {
    "reminder": ("\n", lambda text: calendar(f"{DAY}\nBEGIN:VALARM{text}")),
    "reminders": ("BEGIN:VALARM\n", lambda text: calendar(DAY, text)),
    "events": ("BEGIN:VEVENT\n", lambda text: calendar(DAY, text)),
    "spaces": (" ", lambda text: calendar(f"{DAY}\nX-A;{text}=b:c")),
    "names of zones": ("TZID=", lambda text: calendar(f"{DAY}\nX-A;{text}")),
    "zone of the file": ("X-WR-TIMEZONE: ", lambda text: calendar(DAY, text)),
    "rules of a zone": (
        "RRULE:FREQ=DAILY\n",
        lambda text: calendar(DAY, zone(text)),
    ),
    "address": ("@", lambda text: calendar(f"{DAY}\nDESCRIPTION:<{text}")),
    "addresses": ("<a:", lambda text: calendar(f"{DAY}\nDESCRIPTION:{text}")),
    "place": (
        "Microsoft Teams",
        lambda text: calendar(f"{DAY}\nLOCATION:{text};"),
    ),
    "dates": (
        "20270102T110000,",
        lambda text: calendar(f"{DAILY}\nEXDATE:{text}20270103T110000"),
    ),
    "person": ("a", lambda text: item(f"<author>{text}</author>")),
    "two people": (
        "a.b-",
        lambda text: item(f"<author>{text}</author>" * 2),
    ),
    "categories in upper case": ("<Category>a</Category>", item),
    "brackets": ("(", lambda text: item(f"<author>{text}</author>")),
    "editor": (
        "9",
        lambda text: item(f"<managingEditor>{text}</managingEditor>"),
    ),
    "keywords": (
        "a,b,",
        lambda text: item(f"<itunes:keywords>{text}</itunes:keywords>"),
    ),
    "pictures": (
        '<media:content url="https://a.example/a.jpg" medium="image"/>'
        "<media:description>Cây cầu</media:description>",
        item,
    ),
    "tags": ("&lt;b", lambda text: item(f"<description>{text}</description>")),
    "marks": ("\u0301", lambda text: item(f"<title>{text}</title>")),
    "damaged person": ("9", lambda text: item(f"<b><author>{text}</author>")),
    "damaged keywords": (",", lambda text: item(f"<b><tags>{text}</tags>")),
    "class": (":", lambda text: calendar(f"{DAY}\nCLASS;X={text}PUBLIC")),
    "classes": ("CLASS:PUBLIC\n", lambda text: calendar(f"{text}{DAY}")),
    "status": (" ", lambda text: calendar(f"{DAY}\nSTATUS:DRAFT{text}x")),
    "drafts": ("<draft>no</draft>", item),
    "items": ("<item><b><c/></b></item>", rss_feed),
    "nested items": (
        f"{'<item>' * 100}<draft/>{'</item>' * 100}",
        rss_feed,
    ),
    "nested elements": ("<x><z/></x>", item),
    "nested entries": (
        '<entry xmlns="http://www.w3.org/2005/Atom"><title>a</title></entry>',
        item,
    ),
    "marks of drafts": ("<draft>yes</draft><status>draft</status>", item),
    "pictures with one caption": (
        '<media:content url="https://a.example/a.jpg" medium="image"/>',
        lambda text: item(
            f"<media:title>{text.count('<') * 40 * 'a'}</media:title>{text}"
        ),
    ),
    "namespaces": (
        "<namespace/>",
        lambda text: item(
            "".join(
                f'<n{number}:x xmlns:n{number}="urn:{number}"/>'
                for number in range(text.count("<"))
            )
        ),
    ),
    "damaged names": ("<a.", lambda text: item("<b>") + text.encode()),
    "damaged words": ("draft ", lambda text: item("<b>") + text.encode()),
    "damaged end": ("<a ", lambda text: item("<b>") + text.encode()),
}


#: The lengths of the shorter text, where only a longer one takes time.
LENGTHS = {
    "nested elements": 131_072,
    "nested entries": 131_072,
    "marks of drafts": 131_072,
    "pictures with one caption": 131_072,
    "namespaces": 65_536,
}


def import_time(app: Flask, data: bytes) -> float:
    """Return the processor time of an import, the shorter one of two."""
    times = []
    for _ in range(2):
        began = process_time()
        result = invoke(app, "import", "-", input=data)
        times.append(process_time() - began)
        assert isinstance(result.exception, SystemExit | None)
    return min(times)


@pytest.mark.parametrize("name", HOSTILE)
def test_time_grows_as_the_hostile_text(app: Flask, name: str) -> None:
    text, make = HOSTILE[name]
    times = LENGTHS.get(name, 32_768) // len(text.encode())
    short, long = (import_time(app, make(text * n)) for n in (times, 2 * times))
    # Half a second is too short to be measured beside other processes.
    assert long < max(2.5 * short, 0.5)


DAYS = [f"{day:02}" for day in range(11, 24)]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=YEARLY;BYDAY=MO;BYSETPOS=" + ",".join(map(str, range(54, 354))),
        "FREQ=DAILY;BYSETPOS=2,3,4,5",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))),
        "\nRRULE:".join(["FREQ=DAILY;BYSETPOS=2"] * 100),
        "FREQ=YEARLY;BYYEARDAY=" + ",".join(["366"] * 5_000),
        "FREQ=DAILY\nEXDATE:"
        + ",".join(f"197001{day}T{hour}0000" for day in DAYS for hour in DAYS),
    ],
    ids=[
        "positions",
        "position",
        "never",
        "hours",
        "rules",
        "days",
        "exdates",
    ],
)
def test_event_takes_two_seconds_at_most(app: Flask, rule: str) -> None:
    lines = f"DTSTART:19700101T100000\nRRULE:{rule}"
    began = process_time()
    import_file(app, calendar(lines))
    assert process_time() - began < 2
    assert "a" in stored_entries(app, "events")


def test_series_of_one_uid_take_two_seconds_at_most(app: Flask) -> None:
    again = "BEGIN:VEVENT\nUID:a\nDTSTART:20270101T100000\nRRULE:FREQ=DAILY;COUNT=3\nEND:VEVENT\n"
    cancelled = "".join(
        f"BEGIN:VEVENT\nUID:a\nSTATUS:CANCELLED\nDTSTART:{start}\n"
        f"RECURRENCE-ID:{start}\nEND:VEVENT\n"
        for start in (
            f"20270{month}{day}T100000" for month in range(1, 9) for day in DAYS
        )
    )
    began = process_time()
    import_file(app, calendar("DTSTART:20270101", again * 600 + cancelled))
    assert process_time() - began < 2


MONTHS = ",".join(map(str, range(1, 13)))


@pytest.mark.parametrize(
    "definition",
    [
        *(zone("RRULE:FREQ=DAILY\n" * number) for number in (1, 100, 300, 1_600)),
        *(
            "BEGIN:VTIMEZONE\nTZID:Z\n"
            + number
            * (
                "BEGIN:STANDARD\nDTSTART:16010101T000000\n"
                f"RRULE:FREQ={rule}\nTZOFFSETFROM:+0500\nTZOFFSETTO:+0500\n"
                "END:STANDARD\n"
            )
            + "END:VTIMEZONE\n"
            for number, rule in (
                (100, "DAILY"),
                (1_000, "YEARLY"),
                (4, "WEEKLY"),
                (4, "YEARLY;BYDAY=MO"),
                (4, f"YEARLY;BYMONTH={MONTHS};BYDAY=1MO"),
                (4, "YEARLY;BYMONTH=1;BYMONTHDAY=1,2,3"),
                (4, "YEARLY;UNTIL=99990101T000000Z"),
            )
        ),
        zone(f"RDATE:{','.join(['19700101T000000'] * 200)}"),
    ],
)
def test_costly_definition_is_an_unknown_zone(app: Flask, definition: str) -> None:
    began = process_time()
    result = import_file(app, calendar("DTSTART;TZID=Z:20270101T100000", definition))
    assert process_time() - began < 2
    assert "its unknown zone Z" in result.stderr
    assert stored_entries(app, "events")["a"]["timezone"] == "Asia/Ho_Chi_Minh"


@pytest.mark.parametrize(
    "part",
    [
        "BEGIN:VEVENT \nUID:b\nDTSTART:20270101\nEND:VEVENT \n",
        "BEGIN:VEVENT\nRECURRENCE-ID;VALUE=PERIOD:20270101T000000Z/PT1H\n"
        "DTSTART:20270101\nUID:b\nEND:VEVENT\n",
        "BEGIN:VEVENT;X=1\nUID:b\nDTSTART:20270101\nEND:VEVENT\n",
        "BEGIN:VALARM\nBEGIN:VEVENT\nUID:b\nBEGIN:VALARM\nEND:VEVENT\n",
        "X-WR-TIMEZONE:America\nBEGIN:VEVENT\nUID:b\n"
        'DTSTART;TZID="America":20270101T100000\nEND:VEVENT\n',
        f'BEGIN:VEVENT\nUID:b\nDTSTART;TZID="{"a" * 300}":20270101T100000\n'
        "END:VEVENT\n",
    ],
    ids=["space", "recurrence", "parameter", "reminder", "folder", "zone"],
)
def test_damaged_event_costs_no_other(app: Flask, part: str) -> None:
    import_file(app, calendar("DTSTART:20270101", part))
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
        assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "windows-1258"])
def test_declared_encoding_is_read(app: Flask, encoding: str) -> None:
    # The letters that windows-1258 has without combining marks.
    document = rss_feed("<item><guid>g</guid><title>Đô, lê, ơ, ư</title></item>")
    declared = document.decode().replace("UTF-8", encoding.removesuffix("-sig"))
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


def test_calendar_may_be_private_as_a_whole(app: Flask) -> None:
    text = calendar("DTSTART:20270101").decode()
    head = "BEGIN:VCALENDAR\nX-CALENDARSERVER-ACCESS:PRIVATE"
    text = text.replace("BEGIN:VCALENDAR", head)
    import_file(app, text.encode())
    assert not stored_entries(app, "events")


def test_drafts_in_ebcdic_are_not_imported(app: Flask) -> None:
    item = "<item><guid>g</guid><title>a</title><status>draft</status></item>"
    document = (
        f'<?xml version="1.0" encoding="cp037"?><rss><channel>{item}</channel></rss>'
    )
    result = invoke(app, "import", "-", input=document.encode("cp037"))
    assert result.exit_code == 1
    assert not stored_entries(app, "news")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_calendar_in_wide_characters_is_read(app: Flask, encoding: str) -> None:
    text = calendar("DTSTART:20270101\nLOCATION:Nhà hát").decode()
    import_file(app, text.encode(encoding))
    assert stored_entries(app, "events")["a"]["location"]["name"] == "Nhà hát"
