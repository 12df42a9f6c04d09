"""Frames: only documented embeds of the listed hosts, by https, in a sandbox."""

from __future__ import annotations

import pytest

from feedsvc.iframes import SANDBOX, iframes_to_links
from feedsvc.input import sanitize

BASE = "http://portal.example/tin/bai.html"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/embed/M7lc1UVf-VE?start=10",
        "https://www.youtube.com/embed?listType=playlist&amp;list=PLC77007E23FF423C6",
        "https://www.youtube-nocookie.com/embed/M7lc1UVf-VE",
        "https://player.vimeo.com/video/76979871?h=8272103f6e",
        "https://www.google.com/maps/embed?pb=!1m18!1m12",
        "https://www.google.com/maps/embed/v1/place?key=x&amp;q=H%C3%A0+N%E1%BB%99i",
        "https://www.google.com/maps/d/embed?mid=x",
        "https://www.openstreetmap.org/export/embed.html?bbox=105.8%2C21.0&amp;layer=mapnik",
        "https://w.soundcloud.com/player/?url=https%3A//api.soundcloud.com/tracks/293",
        "https://www.youtube.com:443/embed/x",
    ],
)
def test_documented_iframe_is_kept_with_sandbox(url: str) -> None:
    assert "allow-top-navigation" not in SANDBOX
    # A posted sandbox is replaced, and a URL without scheme is one of https.
    posted = url.removeprefix("https:")
    html = f'<iframe sandbox="allow-top-navigation" src="{posted}"></iframe>'
    clean = sanitize.sanitize(html, BASE)
    assert clean == f'<iframe src="{url}" sandbox="{SANDBOX}"></iframe>'
    assert sanitize.sanitize(clean, BASE) == clean


@pytest.mark.parametrize(
    "url",
    [
        "http://www.youtube.com/embed/x",
        "https://www.youtube.com/redirect?q=https://evil.example/",
        "https://www.youtube.com/embedded",
        "https://www.youtube.com:8443/embed/x",
        "https://player.vimeo.com/external/x",
        "https://www.google.com/url?q=https://evil.example/",
        "https://www.google.com/amp/s/evil.example/",
        "https://www.google.com/maps",
        "https://www.google.com/mapsx/",
        "https://www.google.com/maps/../url?q=https://evil.example/",
        "https://www.google.com/maps/%2e%2e/url?q=https://evil.example/",
        "https://www.google.com/maps/.%2E/url?q=https://evil.example/",
        "https://www.google.com/maps/x%2f../../url?q=https://evil.example/",
        "https://www.google.com/maps/%5c..%5curl?q=https://evil.example/",
        "https://www.google.com/maps/..",
        "https://www.openstreetmap.org/export/embed.html/x",
        "https://www.openstreetmap.org/",
        "https://w.soundcloud.com/",
        "https://www.google.com.evil.example/maps/",
        "https://evil.example/maps/",
        "http://portal.example/embed/x",
    ],
)
def test_other_iframe_is_a_link(url: str) -> None:
    clean = sanitize.sanitize(f'<p>a<iframe src="{url}">b</iframe>c</p>', BASE)
    link = f'<a href="{url}" rel="noopener noreferrer">{url}</a>'
    assert clean == f"<p>a{link}<br>c</p>"


@pytest.mark.parametrize("url", ["data:text/html,x", "javascript:alert(1)"])
def test_iframe_of_no_address_is_dropped(url: str) -> None:
    assert sanitize.sanitize(f'a<iframe src="{url}">b</iframe>c', BASE) == "ac"


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
