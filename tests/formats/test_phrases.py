"""The phrases of each language."""

from __future__ import annotations

from pathlib import Path

from feedsvc import formats
from feedsvc.formats.phrases import get_phrases
from feedsvc.models import AVAILABILITIES, UI_LANGUAGES


def placeholders(language: str) -> dict[str, int]:
    """Return the number of placeholders of each phrase."""
    phrases = get_phrases(language)
    assert all(phrases.values())
    return {key: phrase.count("{}") for key, phrase in phrases.items()}


def test_all_languages_have_the_same_phrases_and_placeholders() -> None:
    folder = Path(formats.__file__).parent
    assert {path.stem for path in folder.glob("*.toml")} == set(UI_LANGUAGES)
    for language in UI_LANGUAGES:
        assert placeholders(language) == placeholders("en"), language


def test_every_phrase_is_used() -> None:
    folder = Path(formats.__file__).parent
    sources = [*folder.glob("*.py"), *folder.glob("templates/*.html")]
    text = "".join(path.read_text("utf-8") for path in sources)
    # Their keys are put together from these and a name.
    computed = (
        "badge.",
        "error.",
        "kind.",
        "state.",
        "recurrence.",
        "date.",
        "feed.news",
        "feed.events",
        "feed.past",
        "feed.upcoming",
        "feed.more_",
        "entry.related_",
        "event.is_",
        "page.search_",
        "event.mixed",
        *(f"event.{each}" for each in AVAILABILITIES),
    )
    unused = [
        key
        for key in get_phrases("en")
        if key not in text and not key.startswith(computed)
    ]
    assert unused == []
