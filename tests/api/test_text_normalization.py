"""Text and HTML are normalized and sanitized."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedsvc.input import plain_text, sanitize

BASE = "https://portal.example/tin/bai.html"


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("<p onclick=x>a<script>alert(1)</script></p>", "<p>a</p>"),
        ('<a href="JaVaScRiPt&#58;alert(1)">x</a>', '<a rel="noopener noreferrer">x</a>'),
        ('<a href="/khac?a=1&b=2">x</a>', '<a href="https://portal.example/khac?a=1&amp;b=2" rel="noopener noreferrer">x</a>'),
        ('<a href="mailto:a@b.example">x</a>', '<a href="mailto:a@b.example" rel="noopener noreferrer">x</a>'),
        ("<img src=anh.png>", '<img src="https://portal.example/tin/anh.png">'),
        ("<img src='data:image/png;base64,x' alt=y>", '<img alt="y">'),
        ('<img src="x" onerror="alert(1)" style="a" class="b">', '<img src="https://portal.example/tin/x">'),
        ("<iframe srcdoc='<script>x</script>'>t</iframe>a", "a"),
        ("a&#x0b;b", "ab"),
        ("<svg><script>x</script></svg><math>y</math>z", "z"),
        ("<p>1<p>2", "<p>1</p><p>2</p>"),
        ("<figure><img src=https://x.example/a.jpg><figcaption>Chú thích</figcaption></figure>", '<figure><img src="https://x.example/a.jpg"><figcaption>Chú thích</figcaption></figure>'),
        ("<table><tr><td colspan=2 width=9>x</table>", '<table><tbody><tr><td colspan="2">x</td></tr></tbody></table>'),
        ("<!-- x -->a", "a"),
        ("a\r\nb", "a\nb"),
        ("<!--" + "<div>" * 300 + "-->a<script>" + "'<div>'" * 300 + "</script>", "a"),
        (f'<img alt="{"<div>" * 300}">', f'<img alt="{"&lt;div&gt;" * 300}">'),
        (f'<img alt="{"a " * 2000}">', f'<img alt="{"a " * 2000}">'),
        (f'<img src="data:image/png;base64,{"a/" * 2000}">', "<img>"),
    ],
)  # fmt: skip
def test_html_is_sanitized(dirty: str, clean: str) -> None:
    assert sanitize.sanitize(dirty, BASE) == clean


@given(st.text(alphabet=st.sampled_from("<>/=\"' abipdv&#;x0:!-\n"), max_size=80))
def test_sanitizing_twice_changes_nothing(dirty: str) -> None:
    try:
        once = sanitize.sanitize(dirty, BASE)
    except ValueError:
        return
    assert sanitize.sanitize(once, BASE) == once


def test_text_is_normalized() -> None:
    assert plain_text.normalize_line("Ha\u0300  Nội\u202e\t x") == "Hà Nội x"
    assert plain_text.normalize_lines("Ha\u0300\u2067\nNội\u202e x") == "Hà\nNội x"
    assert plain_text.normalize("a\r\nb\rc") == "a\nb\nc"


def test_invalid_characters_are_surrogates_noncharacters_and_controls() -> None:
    all_characters = [chr(number) for number in range(sys.maxunicode + 1)]
    forbidden_by_xml = "\x00-\x08\x0b\x0c\x0e-\x1f\x80-\x84\x86-\x9f"
    named = set(
        re.findall(
            f"[{forbidden_by_xml}\ufdd0-\ufdef\ufffd-\uffff]", "".join(all_characters)
        )
    )
    surrogates = {chr(number) for number in range(0xD800, 0xE000)}
    noncharacters = {
        chr(plane << 16 | last) for plane in range(1, 17) for last in (0xFFFE, 0xFFFF)
    }
    invalid = {
        char for char in all_characters if plain_text.strip_invalid_chars(char) == ""
    }
    assert invalid == named | surrogates | noncharacters


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_line_separators_become_line_ends_or_spaces(separator: str) -> None:
    assert plain_text.normalize_lines(f"a{separator}b") == "a\nb"
    assert plain_text.normalize_line(f"a{separator}b") == "a b"


def test_run_of_combining_marks_is_limited() -> None:
    marks = "\u0301" * plain_text.MAX_COMBINING_MARKS
    plain_text.check(f"a{marks} {marks}가{marks}" + "가" * 99)
    with pytest.raises(ValueError, match="More than 30 combining marks"):
        plain_text.check(f"a{marks}\u0301")


def test_plain_text_separates_words_and_drops_captions() -> None:
    body = "<p>Một</p><p>hai<b>ba</b></p><figure><img><figcaption>ảnh</figcaption></figure><ul><li>a<li>b</ul>&lt;c"
    assert sanitize.to_plain_text(body) == "Một haiba a b <c"


def test_summary_is_cut_between_words() -> None:
    assert plain_text.truncate("một hai, ba", 50) == "một hai, ba"
    assert plain_text.truncate("một hai, ba bốn", 10) == "một hai…"
