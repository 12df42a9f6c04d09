"""Atom, read by feedparser and lxml."""

from tests.formats.xml_reader import read_xml

HIDDEN = {"id", "content_text", "translation_key", "expires"}


def read_entries(document: bytes) -> tuple[int, list[str]]:
    count, root = read_xml(document)
    return count, [element.text or "" for element in root.xpath("//*[@type='html']")]
