"""newsboat, sfeed and rss2email over the life of a feed; docs/readers.md says what they showed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interop import seed
from tests.interop.expected import as_html, feed_path
from tests.interop.reader_programs import Newsboat, Program, Rss2email, Sfeed
from tests.interop.seed import RunningPortal

PROGRAMS = [
    pytest.param(
        program,
        id=program.command,
        marks=pytest.mark.skipif(
            not shutil.which(program.command),
            reason=f"{program.command} is not installed",
        ),
    )
    for program in (Newsboat, Sfeed, Rss2email)
]

BARE, RIGHTS, SOURCE, THREE = (
    "Chỉ có tiêu đề, không có gì khác",
    "Bản quyền là chữ",
    "Nguồn đã ghi ở cuối bài",
    "Ba tác giả",
)
STEPS: tuple[tuple[str, str, dict[str, Any] | None], ...] = (
    ("PATCH", "/articles/n-bare", {"title": "Tiêu đề mới"}),
    ("PATCH", "/articles/r-text", {"notice": "Sai số liệu."}),
    ("PATCH", "/articles/s-credited", {"status": "withdrawn", "notice": "Đăng nhầm."}),
    ("DELETE", "/articles/a-three", None),
)
WITHDRAWN = f"Đã gỡ: {SOURCE}"
TITLES = ({BARE, "Tiêu đề mới"}, {RIGHTS}, {SOURCE, WITHDRAWN}, {THREE})
EFFECTS: dict[type[Program], list[list[tuple[str, bool]]]] = {
    Newsboat: [
        [("Tiêu đề mới", False)],
        [(RIGHTS, True)],
        [(WITHDRAWN, True)],
        [(THREE, False)],
    ],
    Sfeed: [
        [(BARE, False), ("Tiêu đề mới", False)],
        [(RIGHTS, False)],
        [(SOURCE, False), (WITHDRAWN, True)],
        [(THREE, False)],
    ],
    Rss2email: [
        [(BARE, False)],
        [(RIGHTS, False)],
        [(SOURCE, False)],
        [(THREE, False)],
    ],
}
"""The titles that each program shows after an edit, a correction, a withdrawal and a
deletion, and True where it shows the notice too."""

pytestmark = pytest.mark.readers


@pytest.fixture
def portal(database_url: str, tmp_path: Path) -> Iterator[RunningPortal]:
    with seed.running(database_url, tmp_path / "access.log") as portal:
        yield portal


@pytest.mark.parametrize("format", ["rss", "atom"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_reader_shows_edits_as_documented(
    portal: RunningPortal, tmp_path: Path, program: type[Program], format: str
) -> None:
    path = f"/feeds/news.{format}"
    reader = program(tmp_path / "home", portal.service.url + path)
    expected = [entry.title for entry in portal.expected_feeds().feed("news", None)]
    if reader.unescapes_titles:
        expected = [as_html(title) for title in expected]

    reader.fetch()
    titles = [title for title, _ in reader.shown()]
    if (
        format == "rss" and not reader.unescapes_titles
    ):  # takes for plain text what is escaped for HTML
        titles = [as_html(title) for title in titles]
    assert sorted(titles) == sorted(expected)

    for _ in range(1, reader.fetches):
        reader.fetch()
    assert portal.statuses(path, reader.agent) == [200] * (reader.fetches - 1) + [304]

    for step, among, effect in zip(STEPS, TITLES, EFFECTS[program], strict=True):
        portal.send(*step)
        reader.fetch()
        assert portal.statuses(path, reader.agent)[-1] == 200
        notice = (step[2] or {}).get("notice", "no notice")
        shown = [
            (title, notice in text) for title, text in reader.shown() if title in among
        ]
        assert sorted(shown) == sorted(effect)

    reader.fetch()
    assert portal.statuses(path, reader.agent)[-1] == 304


IMAGE = {"url": "https://media.example/cau.jpg", "caption": "Cầu lúc 6 giờ."}
CAPTIONED: dict[str, tuple[dict[str, Any], str]] = {
    "Có ảnh và bài": ({"content_text": "Xe buýt qua cầu.", "image": IMAGE}, "Xe buýt"),
    "Có tóm tắt": ({"summary": "Cầu dài 1,2 km.", "image": IMAGE}, "Cầu dài 1,2 km."),
    "Chỉ có ảnh": ({"image": IMAGE}, IMAGE["url"]),
    "Không ảnh": ({"summary": "Họp lúc 9 giờ."}, "Họp lúc 9 giờ."),
}
"""Articles by their titles, and a part of what a mail of them must have."""


@pytest.mark.parametrize("format", ["rss", "atom"])
@pytest.mark.skipif(not shutil.which("r2e"), reason="rss2email is not installed")
def test_rss2email_mails_the_text_of_captioned_articles(
    portal: RunningPortal, tmp_path: Path, format: str
) -> None:
    for number, (title, (article, _)) in enumerate(CAPTIONED.items()):
        portal.send("PUT", f"/articles/r2e-{number}", {"title": title, **article})
    path = f"/feeds/news.{format}"
    reader = Rss2email(tmp_path / "home", portal.service.url + path)
    reader.fetch()
    mails = dict(reader.shown())
    without = [title for title in CAPTIONED if CAPTIONED[title][1] not in mails[title]]
    assert without == []


@pytest.mark.skipif(not shutil.which("newsboat"), reason="newsboat is not installed")
def test_newsboat_shows_an_entry_of_two_feeds_once(
    portal: RunningPortal, tmp_path: Path
) -> None:
    expected_feeds, feeds = portal.expected_feeds(), ("duong-sat-do-thi", "tuyen-3")
    ids = [
        entry.id
        for category in feeds
        for entry in expected_feeds.feed("news", category)
    ]
    urls = [
        portal.service.url + feed_path("news", category, "rss") for category in feeds
    ]
    reader = Newsboat(tmp_path / "home", "\n".join(urls))
    reader.fetch()
    assert len(reader.shown()) == len(set(ids)) < len(ids)
