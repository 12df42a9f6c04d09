"""Words are found without case and diacritics on both databases."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import MakeApp
from tests.data.fixtures import make_client
from tests.web.feeds import items

pytestmark = pytest.mark.both_databases

LETTERS = "aàảãáạăằâấbcdđeèêếghiìịklmnoòôốơởpqrstuùưừvxyỳỹßøñçüöåéλωжй0123456789"
# Six of them are a search of at most 100 characters, though “ß” counts as two.
words = st.text(LETTERS + LETTERS.upper(), min_size=1, max_size=7)


def without_diacritics(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word)
    plain = "".join(char for char in decomposed if not unicodedata.combining(char))
    return plain.replace("đ", "d").replace("Đ", "D")


SPELLINGS = [
    str.upper,
    str.lower,
    without_diacritics,
    lambda word: unicodedata.normalize("NFD", word),
]


def is_found(client: FlaskClient, search: str) -> bool:
    return bool(items(client, f"/feeds/news.json?q={quote(search)}"))


@pytest.mark.hypothesis
def test_entries_are_found_by_the_words_that_they_have(
    make_app: MakeApp,
) -> None:
    editor = make_client(make_app(rate_writes="1000000/second"))

    @settings(max_examples=10)
    @given(
        title=st.lists(words, min_size=1, max_size=3),
        body=st.lists(words, min_size=1, max_size=3),
        data=st.data(),
    )
    def run(title: list[str], body: list[str], data: st.DataObject) -> None:
        document = {
            "title": " ".join(title),
            "content_html": f"<p>{', '.join(body)}.</p>",
        }
        editor.put("/articles/a", document)
        spell = data.draw(st.sampled_from(SPELLINGS))
        search = spell(" ".join([*title, *body]))
        assert is_found(editor.client, search)
        assert not is_found(editor.client, f"{search} khongco")
        editor.put("/articles/a", {"title": "Không có"})
        assert is_found(editor.client, "khong co")
        assert not is_found(editor.client, search)
        assert editor.send("DELETE", "/articles/a").status_code == 204
        assert not is_found(editor.client, "khong co")

    run()
