"""Sanitised markup stays as it is, and safe, when somebody sanitises or normalises it again."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from html import escape
from typing import Any
from urllib.parse import urlsplit

import html5lib
import lxml.html
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from feedsvc.iframes import is_embed
from feedsvc.input import sanitize
from tests import data
from tests.conftest import ApiClient
from tests.data.payloads import COMPOSING, payloads

FIXPOINT_EXAMPLES = 20 * int(os.environ.get("API_EXAMPLES", "15"))
"""Examples of a property; `make soak` tries more."""

BASE = "https://portal.example/tin/bai.html"
OVERLAY = "\u0338"
"""Composes with `<`, `=` and `>`."""

MARKS = [
    OVERLAY,
    "\u0327",
    "\u0301",
    "\u0323",
    "\u20d2",
    "\u0344",
    "\u0f73",
    "\u3099",
    "\u1161",
]
SINGLETONS = ["\u037e", "\u1fef", "\u212a", "\u2adc", "\u2028"]
"""Characters whose normal form is another one: `;`, a backtick, K, a pair of which one is U+0338."""

TAGS = [
    '<img src="https://a.example/c.png">',
    "<a>",
    '<a href="/x">',
    "</a>",
    "<p>",
    "</p>",
    "<b>",
    "</b>",
    "<br>",
    "<pre>",
    "</pre>",
    "<table>",
    "<tr>",
    "<td>",
    "</table>",
    '<iframe src="https://www.youtube.com/embed/x">',
    "</iframe>",
    "<script>",
    "</script>",
    "<!--",
    "-->",
    "<svg>",
    "</svg>",
    "<figure><figcaption>",
    "</figcaption></figure>",
    "<ul><li>",
    '<q title="',
    '">',
    "<q title='",
    "'>",
    "<q title=",
    ">",
]
TEXTS = [
    " onerror=alert(1) ",
    ' href="javascript:alert(1)" ',
    " id=builder class=notice style=x ",
    "e",
    " ",
    "\n",
    "&#13;",
    "=",
    "<",
    "&lt;",
    "&gt;",
    "&amp;",
    "&#x0b;",
]


def _spellings(char: str) -> list[str]:
    """A character, and the references that decode to it."""
    return [
        char,
        f"&#{ord(char)};",
        f"&#x{ord(char):x};",
        f"&#X0{ord(char):X};",
        f"&#{ord(char)}",
    ]


NAMED = [
    "&DownBreve;",
    "&nvlt;",
    "&nvgt;",
    "&bne;",
    "&caps;",
    "&DiacriticalGrave;",
    "&Tab;",
    "&nbsp;",
]
"""References that decode to combining marks, to a base with one, and to space."""

PIECES = [
    *TAGS,
    *TEXTS,
    *NAMED,
    *(form for char in MARKS + SINGLETONS for form in _spellings(char)),
]


def sanitised(dirty: str) -> str | None:
    """The sanitised form, or None where it is refused."""
    try:
        return sanitize.sanitize(dirty, BASE)
    except ValueError:
        return None


ALLOWED_TAGS = frozenset(
    "a abbr aside audio b bdi blockquote br caption cite code col colgroup dd del "
    "details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i iframe img "
    "ins kbd li mark ol p picture pre q rp rt ruby s samp section small source span "
    "strong sub summary sup table tbody td tfoot th thead time tr track u ul var "
    "video".split()
)
ALLOWED_ATTRIBUTES = {
    "a": {"href", "hreflang", "rel"},
    "audio": {"controls", "src"},
    "blockquote": {"cite"},
    "col": {"span"},
    "colgroup": {"span"},
    "del": {"cite", "datetime"},
    "iframe": {"allowfullscreen", "height", "sandbox", "src", "width"},
    "img": {"alt", "height", "src", "width"},
    "ins": {"cite", "datetime"},
    "ol": {"reversed", "start"},
    "q": {"cite"},
    "source": {"src", "type"},
    "td": {"colspan", "headers", "rowspan"},
    "th": {"colspan", "headers", "rowspan", "scope"},
    "time": {"datetime"},
    "track": {"kind", "label", "src", "srclang"},
    "video": {"controls", "height", "poster", "src", "width"},
}
"""The attributes of published HTML, written out: the sanitizer's list proves nothing.

Every tag may also have `dir`, `lang` and `title`.
"""


def faults(markup: str) -> list[str]:
    """Report what two parsers find in markup outside the allow-list, or that it reaches beyond its end."""
    page = f"<div>{markup}</div><address>end</address>"
    fragment: Any = html5lib.HTMLParser(
        namespaceHTMLElements=False
    ).parseFragment(page)
    document: Any = lxml.html.document_fromstring(
        f"<!DOCTYPE html><html><body>{page}</body></html>"
    )
    return [
        *_faults(fragment, {"DOCUMENT_FRAGMENT"}),
        *_faults(document, {"html", "body"}),
    ]


def _faults(tree: Any, own: set[str]) -> Iterator[str]:
    elements = list(tree.iter())
    if [element.text for element in elements if element.tag == "address"] != [
        "end"
    ]:
        yield "what follows is swallowed"
    for element in elements:
        if element.tag in own or element.tag == "address":
            continue
        if element.tag not in ALLOWED_TAGS:
            yield f"<{element.tag}>"
            continue
        allowed = {"dir", "lang", "title"} | ALLOWED_ATTRIBUTES.get(
            element.tag, set()
        )
        for name, value in element.attrib.items():
            if name not in allowed:
                yield f"<{element.tag} {name}>"
            elif name in ("cite", "href", "poster", "src") and not _is_safe(
                element.tag, value
            ):
                yield f"<{element.tag} {name}={value}>"


def _is_safe(tag: str, url: str) -> bool:
    parts = urlsplit(url)
    if tag == "iframe":
        return is_embed(url)
    if parts.scheme in ("mailto", "tel"):
        return tag == "a"
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def check(dirty: str) -> bool:
    """Check the sanitized form; tell if there is one."""
    clean = sanitised(dirty)
    if clean is None:
        return False
    assert sanitize.sanitize(clean, BASE) == clean
    assert unicodedata.normalize("NFC", clean) == clean
    assert faults(clean) == []
    assert faults(unicodedata.normalize("NFD", clean)) == []
    return True


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
        # Combining marks never join a tag.
        ("<p>a</p>&#x338;b", "<p>a</p>&#824;b"),
        ("<p>&#824;b", "<p>&#824;b</p>"),
        ("<p>\u0338b", "<p>&#824;b</p>"),
        ("<p>&#x327;&#x338;b", "<p>&#824;&#807;b</p>"),
        ("<p>e&#x301;</p>", "<p>\u00e9</p>"),
        ("<b>e</b>&#x301;", "<b>e</b>&#769;"),
        ("<p>a&gt;&#x338;</p>", "<p>a&gt;\u0338</p>"),
        ('<b title="e&#x301;&#x338;">x</b>', '<b title="\u00e9\u0338">x</b>'),
        ("a<script>x</script>&#x301;", "\u00e1"),
        ("&#x338;a", "&#824;a"),
        ("<pre>&#13;x</pre>", "<pre>\n\nx</pre>"),
        ("<p>a&#x2028;b</p>", "<p>a\nb</p>"),
    ],
)  # fmt: skip
def test_html_is_sanitized(dirty: str, clean: str) -> None:
    assert sanitize.sanitize(dirty, BASE) == clean


def test_payloads_and_sample_bodies_are_a_fixpoint() -> None:
    entries = {entry["id"]: entry for entry in data.entries()}
    # lxml reads no more than 255 levels.
    del entries["b-deep"]
    bodies = [entry.get("content_html", "") for entry in entries.values()]
    assert sum(map(check, {*payloads(), *bodies})) > 500


@pytest.mark.parametrize("dirty", COMPOSING)
def test_payloads_of_combining_marks_are_not_refused(dirty: str) -> None:
    assert sanitised(dirty) is not None


@given(
    st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
    | st.text(st.sampled_from("<>/=\"' abipdv&#;x0:!-\n"), max_size=80)
)
@settings(max_examples=FIXPOINT_EXAMPLES)
@example('<img src="https://a.b/c.png">&#x338; onerror=alert(1) x<b>y</b>')
@example('<a href="/\u1fef">x</a>')
def test_sanitized_html_is_a_fixpoint(dirty: str) -> None:
    check(dirty)


@given(
    st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(TAGS)
)
@settings(max_examples=FIXPOINT_EXAMPLES // 2)
def test_any_characters_after_a_tag_are_a_fixpoint(
    characters: str, tag: str
) -> None:
    check(tag + escape(characters) + "<b>x</b>")
    check(tag + "".join(f"&#{ord(char)};" for char in characters) + "<b>x</b>")
    check(f'<q title="{escape(characters)}">x</q>')


def test_parsers_detect_markup_that_normalizing_makes_unsafe() -> None:
    composed = unicodedata.normalize(
        "NFC", '<img src="https://a.b/c.png">\u0338 onerror=alert(1) x<b>y</b>'
    )
    assert faults(composed).count("<img onerror>") == 2
    assert (
        faults('<iframe src="https://www.youtube.com/embed/x"></iframe\u226f')
        != []
    )


def test_combining_marks_are_limited_across_tags() -> None:
    with pytest.raises(ValueError, match="combining marks"):
        sanitize.sanitize("<b>x" + "&#x301;</b><b>" * 31, BASE)


def test_attribute_with_too_many_combining_marks_is_dropped() -> None:
    assert (
        sanitize.sanitize(
            f'<b title="a{"&#x301;&#x316;" * 10_000}">x</b>', BASE
        )
        == "<b>x</b>"
    )


ALLOWED = (
    '<p dir="rtl" lang="ar" title="t">x <a href="https://a.b/" hreflang="en">a</a></p>',
    '<blockquote cite="https://a.b/">x</blockquote>',
    '<p><del cite="https://a.b/" datetime="2026-11-25">x</del></p>',
    '<p><ins cite="https://a.b/" datetime="2026-11-25">x</ins></p>',
    '<p><q cite="https://a.b/">x</q> <time datetime="2026-11-25">x</time></p>',
    '<img alt="x" height="1" src="https://a.b/x.png" width="1">',
    '<ol reversed="" start="3"><li>x</li></ol>',
    '<table><colgroup span="2"><col span="1"></colgroup><tbody><tr>'
    '<th colspan="2" headers="h" rowspan="1" scope="col">x</th>'
    '<td colspan="2" headers="h" rowspan="1">x</td></tr></tbody></table>',
    '<audio controls="" src="https://a.b/x.mp3"></audio>',
    '<video controls="" height="1" poster="https://a.b/x.png" '
    'src="https://a.b/x.mp4" width="1">'
    '<source src="https://a.b/x.webm" type="video/webm">'
    '<track kind="captions" label="Tiếng Việt" src="https://a.b/x.vtt" srclang="vi">'
    "</video>",
)
"""HTML with each attribute that an entry may have."""


@pytest.mark.parametrize("html", ALLOWED)
def test_allowed_attributes_are_kept(html: str) -> None:
    def parts(text: str) -> list[tuple[str, dict[str, str]]]:
        return [
            (str(node.tag), {str(k): str(v) for k, v in node.attrib.items()})
            for node in lxml.html.fragment_fromstring(
                text, create_parent=True
            ).iter()
        ]

    kept = [
        (
            tag,
            {
                name: value
                for name, value in attributes.items()
                if name != "rel"
            },
        )
        for tag, attributes in parts(sanitize.sanitize(html, BASE))
    ]
    assert kept == parts(html)


def test_sanitized_html_is_neither_nested_too_deep_nor_too_long() -> None:
    def nested(depth: int) -> str:
        return "<div>" * depth + "x" + "</div>" * depth

    deepest = nested(sanitize.MAX_DEPTH)
    assert sanitize.sanitize(deepest, BASE) == deepest
    with pytest.raises(ValueError, match="nested more than"):
        sanitize.sanitize(nested(sanitize.MAX_DEPTH + 1), BASE)
    with pytest.raises(ValueError, match="bytes after sanitizing"):
        sanitize.sanitize("<img src=a>" * 2000, f"{BASE}/{'x' * 1500}/")


def test_empty_addresses_are_dropped() -> None:
    html = (
        '<a href>a</a><a href="">b</a><img src alt="c"><video poster></video>'
    )
    sanitized = sanitize.sanitize(html, BASE)
    assert BASE not in sanitized
    assert 'alt="c"' in sanitized
    # They must not count as much as others do: none of them becomes longer.
    many = "<video src poster></video>" * 4_999
    base = f"{BASE}/{'x' * 1500}/"
    assert base not in sanitize.sanitize(many, base)


def test_html_without_content_counts_as_absent(editor: ApiClient) -> None:
    document = {"title": "Một", "content_html": "<script>x</script>"}
    stored = editor.put("/articles/a", document)
    assert "content_html" not in stored.get_json()
    again = editor.put("/articles/a", stored.get_json())
    assert again.get_json()["version"] == 1
