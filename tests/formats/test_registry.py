"""Formats, languages, statuses: each list has one place, and other files agree with it."""

import re

import pytest
from jinja2 import UndefinedError

from feedsvc.feeds.query import FORMATS
from feedsvc.models import (
    ACCESSIBILITY,
    ATTENDANCES,
    AVAILABILITIES,
    EVENT_STATUSES,
    KINDS,
)
from feedsvc.pages.html import render_page
from feedsvc.pages.values import PageLanguages
from feedsvc.text.languages import UI_LANGUAGES
from tests.formats.feeds import PAGE_SETTINGS, SITE
from tests.server import read_project_file

EVENT_STATES = EVENT_STATUSES[1:]
"""All but confirmed, which nothing has to tell."""


def test_docs_list_every_format_with_its_media_type() -> None:
    text = read_project_file("docs/feeds.md")
    table = text.split("## Formats")[1].split("\n\n")[1]
    rows = re.findall(r"^\| `(\w+)`(?: \((\w+)\))? \| `([^`]+)`", table, re.MULTILINE)
    assert {name: media_type for name, _, media_type in rows} == {
        name: form.media_type for name, form in FORMATS.items()
    }, "docs/feeds.md: the table of formats"
    assert {name for name, kind, _ in rows if not kind} == {
        name for name, form in FORMATS.items() if form.kinds == KINDS
    }


def test_readme_names_every_format() -> None:
    sentence = read_project_file("README.md").split("\n\n")[1]
    labels = [each.label for each in FORMATS.values() if not each.is_page]
    lacking = [label for label in labels if label not in sentence]
    assert not lacking, f"the first sentence of README.md lacks {lacking}"


KEY = '\n    "{}": "'
"""A key of a dictionary in a module."""


@pytest.mark.parametrize(
    ("file", "form", "values"),
    [
        ("docs/api.md", "`{}`", EVENT_STATUSES),
        ("docs/api.md", "`{}`", ATTENDANCES),
        ("docs/api.md", "`{}`", AVAILABILITIES),
        ("docs/api.md", "`{}`", ACCESSIBILITY),
        ("docs/feeds.md", '`"event_status": "{}"`', EVENT_STATES),
        ("docs/feeds.md", "`{}`", UI_LANGUAGES),
        ("docs/operating.md", "(`{}`)", UI_LANGUAGES),
        ("feedsvc/formats/ics.py", KEY, EVENT_STATUSES),
        ("feedsvc/pages/json_ld.py", KEY, EVENT_STATUSES),
        ("feedsvc/pages/json_ld.py", KEY, ATTENDANCES),
        ("feedsvc/pages/json_ld.py", KEY, AVAILABILITIES),
        ("feedsvc/pages/static/style.css", ".alert.{}", EVENT_STATES),
        ("tests/data/languages.toml", "\n{} = [", UI_LANGUAGES),
        ("tests/data/web.toml", '\n    ["{}", ', EVENT_STATES),
        ("tests/data/words.toml", '["published", "{}", "', EVENT_STATUSES),
    ],
)
def test_file_has_every_value(file: str, form: str, values: tuple[str, ...]) -> None:
    text = read_project_file(file)
    lacking = [form.format(each) for each in values]
    lacking = [each for each in lacking if each not in text]
    assert not lacking, f"{file} lacks {lacking}"


@pytest.mark.parametrize("problem", [object(), None])
def test_unknown_name_in_template_is_an_error(problem: object) -> None:
    with pytest.raises(UndefinedError):
        render_page(
            "error.html",
            SITE,
            PAGE_SETTINGS,
            PageLanguages.of(SITE, None, None),
            problem=problem,
        )
