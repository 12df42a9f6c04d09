"""The phrases of each language."""

from pathlib import Path
from string import Formatter

import pytest

import feedsvc
from feedsvc.feeds.query import PERIODS
from feedsvc.formats.phrases import get_phrases
from feedsvc.models import ACCESSIBILITY, ATTENDANCES, AVAILABILITIES, EVENT_STATUSES
from feedsvc.text.languages import UI_LANGUAGES, resolve_language
from tests.data import read_tables


def placeholders(language: str) -> set[tuple[str, str]]:
    """Return each key with the numbers of its phrase's placeholders."""
    return {
        (key, "".join(sorted(numbers(phrase))))
        for key, phrase in get_phrases(language).items()
    }


def numbers(phrase: str) -> list[str]:
    """Return the numbers of placeholders, which `{}` counts and `{1}` names."""
    return [
        name or str(index)
        for index, (_, name, *_) in enumerate(Formatter().parse(phrase))
        if name is not None
    ]


KEYS = {
    *(f"error.{each}" for each in (400, 404, 405, 410, 500, 503, "other")),
    *(f"event.{each}" for each in (*ATTENDANCES[1:], *AVAILABILITIES, *ACCESSIBILITY)),
    *(f"feed.period_{each}" for each in PERIODS),
    *(
        f"{group}{state}"
        for group in ("state.", "badge.", "event.is_")
        for state in EVENT_STATUSES[1:]
    ),
}
"""Phrases for the values of lists."""


@pytest.mark.parametrize("language", UI_LANGUAGES)
def test_language_has_all_phrases_with_their_placeholders(
    language: str,
) -> None:
    file = f"feedsvc/formats/{language}.toml"
    lacking = {*KEYS, *get_phrases("en")} - get_phrases(language).keys()
    assert not lacking, f"{file} lacks {lacking}"
    assert placeholders(language) == placeholders("en"), file
    assert all(get_phrases(language).values()), file
    # Links to periods stand in one row, and imports know a state by its label.
    for group in ("feed.period_", "state."):
        phrases = [
            phrase
            for key, phrase in get_phrases(language).items()
            if key.startswith(group)
        ]
        assert len(set(phrases)) == len(phrases), f"{file}: {group}"
    # Templates write a value behind such a phrase: of Chinese and Japanese, at once.
    for key in ("page.rights", "page.contact"):
        assert get_phrases(language)[key].endswith((" ", "："))


@pytest.mark.parametrize(("tag", "language"), read_tables("words")["languages"])
def test_language_of_the_phrases_of_a_tag(tag: str, language: str) -> None:
    assert resolve_language(tag) == language


def test_every_phrase_is_used() -> None:
    package = Path(feedsvc.__file__).parent
    folders = (package / "formats", package / "pages")
    sources = [
        path
        for folder in folders
        for pattern in ("*.py", "templates/*.html")
        for path in folder.glob(pattern)
    ]
    text = "".join(path.read_text("utf-8") for path in sources)
    # Their keys are put together from these and a name.
    computed = (
        *"badge. error. kind. state. recurrence. weekday. date. feed.news feed.events "
        "feed.past feed.period_ feed.upcoming feed.more_ entry.related_ event.is_ "
        "page.search_ event.mixed".split(),
        *(f"event.{each}" for each in (*AVAILABILITIES, *ACCESSIBILITY)),
    )
    unused = [
        key
        for key in get_phrases("en")
        if key not in text and not key.startswith(computed)
    ]
    assert unused == []
