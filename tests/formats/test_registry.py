"""The registry is the one list of formats; other lists agree with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from feedsvc.feeds.query import FORMATS
from feedsvc.formats.html import render_page
from feedsvc.models import KINDS, PageLanguages
from tests.formats.feeds import SITE

ROOT = Path(__file__).parents[2]


def test_docs_list_every_format_with_its_media_type() -> None:
    text = (ROOT / "docs" / "feeds.md").read_text("utf-8")
    table = text.split("## Formats")[1].split("\n\n")[1]
    rows = re.findall(
        r"^\| `(\w+)`(?: \((\w+)\))? \| `([^`]+)`", table, re.MULTILINE
    )
    assert {name: media_type for name, _, media_type in rows} == {
        name: form.media_type for name, form in FORMATS.items()
    }, "docs/feeds.md: the table of formats"
    assert {name for name, kind, _ in rows if not kind} == {
        name for name, form in FORMATS.items() if form.kinds == KINDS
    }


def test_readme_names_every_format() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    sentence = text.split("\n\n")[1]
    for form in FORMATS.values():
        assert form.is_page or form.label in sentence, (
            f"README.md lacks {form.label}"
        )


@pytest.mark.parametrize("problem", [object(), None])
def test_unknown_name_in_template_is_an_error(problem: object) -> None:
    with pytest.raises(UndefinedError):
        render_page(
            "error.html",
            SITE,
            PageLanguages.of(SITE, None, None),
            problem=problem,
        )
