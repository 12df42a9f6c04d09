"""RSS, read by feedparser and lxml."""

from tests.formats.xml_reader import read_xml

HIDDEN = {"id", "content_text", "translation_key", "expires"}

HTML = (
    "title",
    "description",
    "{http://purl.org/rss/1.0/modules/content/}encoded",
)
"""Elements that readers take for HTML; categories and modules have plain text."""


def read_entries(document: bytes) -> tuple[int, list[str]]:
    count, root = read_xml(document)
    return count, [element.text or "" for element in root.iter(*HTML)]
