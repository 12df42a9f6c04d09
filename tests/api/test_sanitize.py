"""Sanitised markup stays as it is, and safe, when somebody sanitises or normalises it again."""

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

from feedsvc.input import sanitize
from feedsvc.text.iframes import SANDBOX, iframes_to_links, is_embed
from tests import data
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.data.payloads import COMPOSING, payloads

FIXPOINT_EXAMPLES = 20 * int(os.environ.get("API_EXAMPLES", "15"))
"""Examples of a property; `make soak` tries more."""

HTML: dict[str, Any] = read_tables("html")

BASE = "https://portal.example/tin/bai.html"
OVERLAY = "\u0338"
"""Composes with `<`, `=` and `>`."""

MARKS = [OVERLAY, *HTML["marks"]]
SINGLETONS: list[str] = HTML["singletons"]
"""Characters whose normal form is another one: `;`, a backtick, K, a pair of which one is U+0338."""


def _spellings(char: str) -> list[str]:
    """A character, and the references that decode to it."""
    return [
        char,
        f"&#{ord(char)};",
        f"&#x{ord(char):x};",
        f"&#X0{ord(char):X};",
        f"&#{ord(char)}",
    ]


PIECES = [
    *HTML["pieces"],
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


def faults(markup: str) -> list[str]:
    """Report what two parsers find in markup outside the allow-list, or that it reaches beyond its end."""
    page = f"<div>{markup}</div><address>end</address>"
    fragment: Any = html5lib.HTMLParser(namespaceHTMLElements=False).parseFragment(page)
    document: Any = lxml.html.document_fromstring(
        f"<!DOCTYPE html><html><body>{page}</body></html>"
    )
    return [
        *_faults(fragment, {"DOCUMENT_FRAGMENT"}),
        *_faults(document, {"html", "body"}),
    ]


def _faults(tree: Any, own: set[str]) -> Iterator[str]:
    elements = list(tree.iter())
    if [element.text for element in elements if element.tag == "address"] != ["end"]:
        yield "what follows is swallowed"
    for element in elements:
        if element.tag in own or element.tag == "address":
            continue
        if element.tag not in ALLOWED_TAGS:
            yield f"<{element.tag}>"
            continue
        allowed = {"dir", "lang", "title"} | set(
            HTML["attributes"].get(element.tag, ())
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
        *HTML["sanitized"],
        ("<!--" + "<div>" * 300 + "-->a<script>" + "'<div>'" * 300 + "</script>", "a"),
        (f'<img alt="{"<div>" * 300}">', f'<img alt="{"&lt;div&gt;" * 300}">'),
        (f'<img alt="{"a " * 2000}">', f'<img alt="{"a " * 2000}">'),
        (f'<img src="data:image/png;base64,{"a/" * 2000}">', "<img>"),
        (f'<b title="a{"&#x301;&#x316;" * 10_000}">x</b>', "<b>x</b>"),
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
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.sampled_from(HTML["pieces"]),
)
@settings(max_examples=FIXPOINT_EXAMPLES // 2)
def test_any_characters_after_a_tag_are_a_fixpoint(characters: str, tag: str) -> None:
    check(tag + escape(characters) + "<b>x</b>")
    check(tag + "".join(f"&#{ord(char)};" for char in characters) + "<b>x</b>")
    check(f'<q title="{escape(characters)}">x</q>')


def test_parsers_detect_markup_that_normalizing_makes_unsafe() -> None:
    composed = unicodedata.normalize(
        "NFC", '<img src="https://a.b/c.png">\u0338 onerror=alert(1) x<b>y</b>'
    )
    assert faults(composed).count("<img onerror>") == 2
    assert faults('<iframe src="https://www.youtube.com/embed/x"></iframe\u226f') != []


@pytest.mark.parametrize("html", HTML["with_attributes"])
def test_allowed_attributes_are_kept(html: str) -> None:
    def parts(text: str) -> list[tuple[Any, dict[Any, Any]]]:
        tree = lxml.html.fragment_fromstring(text, create_parent=True)
        for node in tree.iter("a"):
            node.attrib.pop("rel", None)
        return [(node.tag, dict(node.attrib)) for node in tree.iter()]

    assert parts(sanitize.sanitize(html, BASE)) == parts(html)


def nested(depth: int) -> str:
    return "<div>" * depth + "x" + "</div>" * depth


@pytest.mark.parametrize(
    ("html", "error"),
    [
        (nested(sanitize.MAX_DEPTH + 1), "nested more than"),
        ("<img src=a>" * 2000, "bytes after sanitizing"),
        ("<b>x" + "&#x301;</b><b>" * 31, "combining marks"),
    ],
    ids=["depth", "length", "marks"],
)
def test_sanitized_html_is_limited(html: str, error: str) -> None:
    deepest = nested(sanitize.MAX_DEPTH)
    assert sanitize.sanitize(deepest, BASE) == deepest
    with pytest.raises(ValueError, match=error):
        sanitize.sanitize(html, f"{BASE}/{'x' * 1500}/")


def test_empty_addresses_are_dropped() -> None:
    html = '<a href>a</a><a href="">b</a><img src alt="c">'
    assert sanitize.sanitize(html, BASE) == (
        '<a rel="noopener noreferrer">a</a><a rel="noopener noreferrer">b</a>'
        '<img alt="c">'
    )
    # They must not count as much as others do: none of them becomes longer.
    many = "<video src poster></video>" * 4_999
    base = f"{BASE}/{'x' * 1500}/"
    assert base not in sanitize.sanitize(many, base)


def test_html_without_content_counts_as_absent(editor: ApiClient) -> None:
    document = {"title": "Một", "content_html": "<script>x</script>"}
    stored = editor.put("/articles/a", document).get_json()
    assert "content_html" not in stored


@pytest.mark.parametrize("url", HTML["embeds"])
def test_documented_iframe_is_kept_with_sandbox(url: str) -> None:
    assert "allow-top-navigation" not in SANDBOX
    # A posted sandbox is replaced, and a URL without scheme is one of https.
    posted = url.removeprefix("https:")
    html = f'<iframe sandbox="allow-top-navigation" src="{posted}"></iframe>'
    base = BASE.replace("https:", "http:")
    clean = sanitize.sanitize(html, base)
    assert clean == f'<iframe src="{url}" sandbox="{SANDBOX}"></iframe>'
    assert sanitize.sanitize(clean, base) == clean


@pytest.mark.parametrize("url", HTML["other_frames"])
def test_other_iframe_is_a_link(url: str) -> None:
    clean = sanitize.sanitize(f'<p>a<iframe src="{url}">b</iframe>c</p>', BASE)
    link = f'<a href="{url}" rel="noopener noreferrer">{url}</a>'
    assert clean == f"<p>a{link}<br>c</p>"


@pytest.mark.parametrize(("html", "links"), HTML["links"])
def test_iframes_are_links_with_their_titles(html: str, links: str) -> None:
    url = "https://a.example/?a=1&amp;b=2"
    frames = (
        f'<iframe src="{url}" title="Hội &lt;1&gt;"></iframe>',
        f'<iframe src="{url}"></iframe>',
    )
    texts = ("Hội &lt;1&gt;", url)
    anchors = [f'<a href="{url}">{text}</a>' for text in texts]
    assert iframes_to_links(html.format(*frames)) == links.format(*anchors)
