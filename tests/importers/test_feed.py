"""RSS and Atom as portals, newspapers and their software write them."""

from __future__ import annotations

from time import process_time

import pytest
from flask import Flask

from tests.commands import invoke
from tests.importers.helpers import (
    import_file,
    import_item,
    rss_feed,
    stored_entries,
)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "windows-1258"])
def test_declared_encoding_is_read(app: Flask, encoding: str) -> None:
    # The letters that windows-1258 has without combining marks.
    document = rss_feed(
        "<item><guid>g</guid><title>Đô, lê, ơ, ư</title></item>"
    )
    declared = document.decode().replace(
        "UTF-8", encoding.removesuffix("-sig")
    )
    import_file(app, declared.encode(encoding))
    assert stored_entries(app, "news")["g"]["title"] == "Đô, lê, ơ, ư"


ENTITY_BOMB = "<!ENTITY e0 'haha'>" + "".join(
    f"<!ENTITY e{n} '{f'&e{n - 1};' * 9}'>" for n in range(1, 10)
)


@pytest.mark.parametrize(
    ("entities", "content"),
    [
        ("", "H&ocirc;m nay"),
        ('[<!ENTITY x SYSTEM "file:///etc/passwd">]', "a &x; b"),
        ('[<!ENTITY x "haha">]', "a &x; b"),
        (f"[{ENTITY_BOMB}]", "a &e9; b"),
    ],
    ids=["html", "file", "text", "bomb"],
)
def test_entities_of_html_alone_are_resolved(
    app: Flask, entities: str, content: str
) -> None:
    dtd = f'<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://a.example/rss.dtd" {entities}>'
    item = f"<item><guid>g</guid><title>{content}</title></item>"
    result = invoke(app, "import", "-", input=rss_feed(item, dtd))
    output = result.output + str(stored_entries(app, "news"))
    assert "root:" not in output
    assert "haha" not in output
    assert ("Hôm nay" in output) == ("ocirc" in content)


def test_many_captions_of_many_pictures_take_little_time(app: Flask) -> None:
    picture = '<media:content url="https://a.example/a.jpg" medium="image"/>'
    caption = "<media:description>Cây cầu</media:description>"
    pictures = (picture + caption) * 10_000
    began = process_time()
    assert import_item(app, f"<title>a</title>{pictures}")["image"]["caption"]
    assert process_time() - began < 5
