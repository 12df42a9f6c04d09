"""The check checked: sound documents have no finding, each breakage has its own, and every rule is broken once."""

from __future__ import annotations

import ast
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conformance import broken_atom, broken_json_feed, broken_rss, findings
from tests.conformance.findings import Element, Finding, Report

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 25, tzinfo=UTC)
TYPES = {
    ".atom": "application/atom+xml",
    ".rss": "application/rss+xml",
    ".json": "application/feed+json",
}
URLS = {
    "feed.atom": "https://tin.example/feed.atom",
    "archive.atom": "https://tin.example/feed.atom?archive=2026-10",
    "feed.rss": "https://tin.example/feed.rss",
    "feed.json": "https://tin.example/feed.json",
}
CASES = [
    (file, *case)
    for file, cases in {
        "feed.atom": broken_atom.FEED,
        "archive.atom": broken_atom.ARCHIVE,
        "feed.rss": broken_rss.FEED,
        "feed.json": broken_json_feed.FEED,
    }.items()
    for case in cases
]


def check(file: str, document: bytes, parameters: str = "") -> list[Finding]:
    return findings(
        document, TYPES[Path(file).suffix] + parameters, url=URLS[file], now=NOW
    )


def broken(file: str, old: str, new: str) -> bytes:
    """A sound document with one thing replaced, once."""
    document = (HERE / "sound" / file).read_text("utf-8")
    assert old in document
    return document.replace(old, new, 1).encode("utf-8")


@pytest.mark.parametrize("file", URLS)
def test_a_sound_document_has_no_finding(file: str) -> None:
    assert check(file, (HERE / "sound" / file).read_bytes(), "; charset=utf-8") == []


@pytest.mark.parametrize(("file", "old", "new", "what"), CASES)
def test_a_breakage_is_found_and_nothing_else(
    file: str, old: str, new: str, what: str
) -> None:
    assert [finding.what for finding in check(file, broken(file, old, new))] == [what]


@pytest.mark.parametrize("file", URLS)
def test_another_encoding(file: str) -> None:
    document = (HERE / "sound" / file).read_bytes()
    (finding,) = check(file, document, "; charset=iso-8859-1")
    assert finding.what == "is served as of another encoding"


def test_a_document_in_another_encoding() -> None:
    document = (
        broken("archive.atom", "UTF-8", "UTF-16").decode("utf-8").encode("utf-16")
    )
    assert [finding.section for finding in check("archive.atom", document)] == [
        "XML 1.0 §2.8",  # its declaration is not in ASCII
    ]
    document = (
        broken("archive.atom", "UTF-8", "windows-1258")
        .decode("utf-8")
        .encode("windows-1258", "replace")
    )
    (finding,) = check("archive.atom", document)
    assert (finding.what, finding.value) == ("is not in UTF-8", "windows-1258")


def test_where_a_finding_is() -> None:
    document = broken("feed.atom", "<updated>2026-11-19T08:00:00Z</updated>", "")
    (finding,) = check("feed.atom", document)
    assert finding == Finding(
        "RFC 4287 §4.1.2", "feed/entry[2]", "lacks an element", "updated"
    )
    assert str(finding) == "RFC 4287 §4.1.2: feed/entry[2] lacks an element: 'updated'"
    (finding,) = check(
        "feed.rss", broken("feed.rss", "<dc:language>en", "<dc:language>x")
    )
    assert finding.where == "rss/channel/item[1]/dc:language"
    (finding,) = check(
        "feed.json", broken("feed.json", '"size_in_bytes": 5', '"size": 5')
    )
    assert finding.where == "/items/0/attachments/0/size"


def test_what_is_no_object_or_no_feed() -> None:
    assert [finding.what for finding in findings(b"[]", "application/feed+json")] == [
        "is no object"
    ]
    assert [finding.what for finding in findings(b"{}", "text/html")] == [
        "is of no feed's media type"
    ]


def test_without_an_address_or_a_time_nothing_is_said_of_them() -> None:
    document = broken(
        "feed.rss",
        'href="https://tin.example/feed.rss"',
        'href="https://x.example/feed.rss"',
    )
    document = document.replace(b"Wed, 18 Nov 2026", b"Wed, 18 Nov 2099")
    assert findings(document, "application/rss+xml") == []


def reporting_lines() -> set[tuple[str, int]]:
    """Where the check reports something, as file and line."""
    return {
        (path.name, node.lineno)
        for path in HERE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "add"
        if isinstance(node.func.value, ast.Name) and node.func.value.id == "report"
    }


def test_every_rule_has_a_breakage(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = set()
    add = Report.add

    def noted(
        self: Report, where: Element | str, section: str, what: str, value: str = ""
    ) -> None:
        caller = sys._getframe(1)
        reached.add((Path(caller.f_code.co_filename).name, caller.f_lineno))
        add(self, where, section, what, value)

    monkeypatch.setattr(Report, "add", noted)
    for file, old, new, _ in CASES:
        check(file, broken(file, old, new))
    for test in (
        test_what_is_no_object_or_no_feed,
        test_a_document_in_another_encoding,
    ):
        test()
    for file in URLS:
        test_another_encoding(file)
    assert reporting_lines() - reached == set()
    assert len(reached) > 100
