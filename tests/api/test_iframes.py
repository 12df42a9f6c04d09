"""Frames: only documented embeds of the listed hosts, by https, in a sandbox."""

from __future__ import annotations

import pytest

from feedsvc.iframes import SANDBOX, iframes_to_links
from feedsvc.input import sanitize
from tests.api.tables import read_table

HTML = read_table("html")
BASE = "http://portal.example/tin/bai.html"


@pytest.mark.parametrize("url", HTML["embeds"])
def test_documented_iframe_is_kept_with_sandbox(url: str) -> None:
    assert "allow-top-navigation" not in SANDBOX
    # A posted sandbox is replaced, and a URL without scheme is one of https.
    posted = url.removeprefix("https:")
    html = f'<iframe sandbox="allow-top-navigation" src="{posted}"></iframe>'
    clean = sanitize.sanitize(html, BASE)
    assert clean == f'<iframe src="{url}" sandbox="{SANDBOX}"></iframe>'
    assert sanitize.sanitize(clean, BASE) == clean


@pytest.mark.parametrize("url", HTML["other_frames"])
def test_other_iframe_is_a_link(url: str) -> None:
    clean = sanitize.sanitize(f'<p>a<iframe src="{url}">b</iframe>c</p>', BASE)
    link = f'<a href="{url}" rel="noopener noreferrer">{url}</a>'
    assert clean == f"<p>a{link}<br>c</p>"


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ("{0}{1}", "<p>{0}</p><p>{1}</p>"),
        ("<p>{0}{1}</p>", "<p>{0}<br>{1}</p>"),
        ("<p>A {0} B {1}\n</p>", "<p>A {0}<br> B {1}\n</p>"),
        (
            "<figure>{0}</figure><p>A</p>",
            "<figure><p>{0}</p></figure><p>A</p>",
        ),
    ],
)
def test_iframes_are_links_with_their_titles(html: str, links: str) -> None:
    url = "https://a.example/?a=1&amp;b=2"
    frames = (
        f'<iframe src="{url}" title="Hội &lt;1&gt;"></iframe>',
        f'<iframe src="{url}"></iframe>',
    )
    texts = ("Hội &lt;1&gt;", url)
    anchors = [f'<a href="{url}">{text}</a>' for text in texts]
    assert iframes_to_links(html.format(*frames)) == links.format(*anchors)
