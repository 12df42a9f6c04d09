"""Sanitize HTML to an allow-list, make its URLs absolute, and extract its text."""

import re
import unicodedata
from collections import Counter
from urllib.parse import urljoin

import nh3

from feedsvc.input import plain_text, urls
from feedsvc.text.html_text import separate_blocks, strip_tags
from feedsvc.text.iframes import SANDBOX, iframes_to_links, is_embed

#: Bytes of the content, as UTF-8.
MAX_LENGTH = 256 * 1024

# Limits that keep nh3's time and memory bounded: its time grows with the square of the
# depth of tags, and its output may be much longer than its input.
MAX_TAGS = 10_000
MAX_DEPTH = 256
MAX_ATTRIBUTES = 1000
MAX_OUTPUT = 2 * MAX_LENGTH
MAX_COMPLEXITY = 20 * 1024 * 1024
MAX_SEARCH_COST = 5_000_000_000
#: An element takes the parser as long as this number of characters.
_NODE_COST = 100
#: Characters of HTML of which the plain text is taken; 2,000 of it are used at most.
_MAX_PLAIN_TEXT_SOURCE = 100_000

TAGS = set(
    "a abbr aside audio b bdi blockquote br caption cite code col colgroup dd del "
    "details dfn div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i iframe img "
    "ins kbd li mark ol p picture pre q rp rt ruby s samp section small source span "
    "strong sub summary sup table tbody td tfoot th thead time tr track u ul var "
    "video".split()
)
ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href", "hreflang"},
    "audio": {"controls", "src"},
    "blockquote": {"cite"},
    "col": {"span"},
    "colgroup": {"span"},
    "del": {"cite", "datetime"},
    "iframe": {"allowfullscreen", "height", "src", "width"},
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
_DROPPED_WITH_CONTENT = set(
    "script style title template noscript object svg math textarea".split()
)
_URL_ATTRIBUTES = {"cite", "href", "poster", "src"}
_URL_ATTRIBUTE = re.compile(rf"(?i)\b(?:{'|'.join(sorted(_URL_ATTRIBUTES))})\s*=")
_NUMERIC_ATTRIBUTES = {
    "colspan",
    "height",
    "rowspan",
    "span",
    "start",
    "width",
}
_VOID_TAGS = set(
    "area base br col embed hr img input link meta param source track wbr".split()
)
_FORMATTING_TAGS = set("a b big code em font i nobr s small strike strong tt u".split())
_PRE_WITH_NEWLINE = re.compile(r"(<pre(?: [^>]*)?>)\n")
# Tags and attributes as the HTML tokenizer reads them (HTML §13.2.5.8 and after).
# The quantifiers are possessive, so that hostile input cannot cause backtracking.
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*)", re.ASCII)
_ATTRIBUTE = re.compile(
    r"""[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)?+)?+""",
    re.ASCII,
)
_ATTRIBUTES = re.compile(rf"(?:[\s/]++|{_ATTRIBUTE.pattern})*+", re.ASCII)
#: The text between two tags of sanitized HTML, which escapes < and > elsewhere.
_TEXT_SEGMENT = re.compile("(?<![^>])[^<>]+")
_MAX_PASSES = 5
_IFRAME = re.compile(r"(<iframe[^>]*>).*?</iframe>", re.DOTALL)


def sanitize(html: str, base_url: str) -> str:
    """Return HTML that is safe to publish, with absolute URLs.

    Sanitizing the result again does not change it.

    :raises ValueError: the HTML has too many or too deeply nested tags, takes a parser
        too long, or has a character that cannot be published.
    """
    plain_text.check(html)
    html = plain_text.unify_line_ends(html)
    if html.count("<") > MAX_TAGS:
        raise ValueError(f"More than {MAX_TAGS:,} tags.")
    # Each URL may be a relative one, which the base makes longer.
    url_count = len(_URL_ATTRIBUTE.findall(html))
    if len(html) + url_count * len(base_url) > MAX_OUTPUT:
        raise _too_long()
    _check_complexity(html)
    cleaner = _build_cleaner(base_url)
    # The parser moves content that is misplaced in a table in front of it, where it
    # may nest otherwise, so one pass is not always enough.
    for _ in range(_MAX_PASSES):
        sanitized = _sanitize_once(html, cleaner)
        if sanitized == html:
            return sanitized
        html = sanitized
    raise ValueError("The HTML is too broken to be sanitized.")


def _sanitize_once(html: str, cleaner: nh3.Cleaner) -> str:
    _check_search_cost(html)
    cleaned = cleaner.clean(html)
    # The parser has decoded references such as &#x0b;, &#13; and &#x301;.
    cleaned = plain_text.strip_invalid_chars(plain_text.unify_line_ends(cleaned))
    # Ammonia does not escape the text in an iframe.
    cleaned = _IFRAME.sub(r"\1</iframe>", cleaned)
    # A player of another host may still be opened.
    cleaned = iframes_to_links(cleaned, is_embed)
    # A parser drops the first newline in <pre>, so one that is meant is written twice.
    cleaned = _PRE_WITH_NEWLINE.sub(r"\1\n\n", cleaned).strip()
    plain_text.check_combining_marks(strip_tags(cleaned))
    normalized = _TEXT_SEGMENT.sub(_normalize_segment, cleaned)
    _check_output(normalized)
    return normalized


def _normalize_segment(segment: re.Match[str]) -> str:
    """Return the text between two tags in NFC, marks at its start as references."""
    # Markup as a whole must never be normalized: NFC composes the `>` of a tag and a
    # following U+0338 into one character, and the text after it becomes attributes.
    normalized = unicodedata.normalize("NFC", segment[0])
    count = plain_text.leading_marks(normalized)
    references = "".join(f"&#{ord(mark)};" for mark in normalized[:count])
    return references + normalized[count:]


def has_tags(value: str) -> bool:
    """Tell if a text is HTML, by its tags."""
    return any(tag.lower() in TAGS for _, tag in _TAG.findall(value))


def to_plain_text(html: str) -> str:
    """Return the text of sanitized HTML as one line, without captions."""
    # The rest is not parsed: an importer's HTML may be as expensive as it likes.
    beginning = separate_blocks(html[:_MAX_PLAIN_TEXT_SOURCE])
    without_captions = nh3.clean(
        beginning, tags=set(), clean_content_tags={"figcaption"}
    )
    folded = " ".join(strip_tags(without_captions).split())
    try:
        return plain_text.normalize_line(folded)
    except ValueError:  # an importer's HTML, which is not sanitized
        return folded


def _check_output(html: str) -> None:
    """Refuse sanitized HTML that is nested too deep or too long."""
    depth = max_depth = 0
    # Every tag but a void one is closed.
    for closing, tag in _TAG.findall(html):
        if tag not in _VOID_TAGS:
            depth += -1 if closing else 1
            max_depth = max(max_depth, depth)
    if max_depth > MAX_DEPTH:
        raise ValueError(f"Tags are nested more than {MAX_DEPTH} deep.")
    if len(html.encode()) > MAX_OUTPUT:
        raise _too_long()


def _too_long() -> ValueError:
    return ValueError(f"Longer than {MAX_OUTPUT:,} bytes after sanitizing.")


def _check_complexity(html: str) -> None:
    """Refuse HTML that takes a parser too long: many attributes, repeated formatting.

    A parser repeats unclosed formatting tags in each following block: the last `a`, and
    up to three of each other tag with the same attributes (HTML §13.2.4.3). So the work
    is estimated as if no formatting tag were ever closed, and as if those in comments
    were tags: only a parser could tell, and its work is what is limited.
    """
    seen: Counter[str] = Counter()
    link_size = formatting_size = work = 0
    for tag in _TAG.finditer(html):
        match = _ATTRIBUTES.match(html, tag.end())
        attributes = match[0] if match else ""
        if len(_ATTRIBUTE.findall(attributes)) > MAX_ATTRIBUTES:
            raise ValueError(f"A tag has more than {MAX_ATTRIBUTES:,} attributes.")
        name = tag[2].lower()
        size = len(attributes) + _NODE_COST
        if name == "a":
            link_size = max(link_size, size)
        elif name in _FORMATTING_TAGS and seen[name + attributes] < 3:
            seen[name + attributes] += 1
            formatting_size += size
        work += len(attributes)
        if not tag[1]:
            work += link_size + formatting_size
        if work > MAX_COMPLEXITY:
            raise ValueError("Too many formatting tags with attributes.")


def _check_search_cost(html: str) -> None:
    """Refuse HTML with so many `&` that a parser takes seconds.

    html5ever searches the rest of the text again at each `&`, and at each byte C2, with
    which the characters U+0080 to U+00BF begin. It writes `>`, quotation marks and
    non-breaking spaces with `&`, so the HTML of each pass is checked.
    """
    encoded = html.encode()
    searches = encoded.count(b"&") + encoded.count(b"\xc2")
    if searches * len(encoded) > MAX_SEARCH_COST:
        raise ValueError(
            "Too many “&”, “>”, quotation marks or non-breaking spaces for its length."
        )


def _build_cleaner(base_url: str) -> nh3.Cleaner:
    def filter_attribute(tag: str, attribute: str, value: str) -> str | None:
        try:
            value = plain_text.normalize(plain_text.strip_invalid_chars(value))
        except ValueError:  # too many combining marks
            return None
        if attribute in _URL_ATTRIBUTES:
            return _absolute_url(tag, value, base_url)
        if attribute in _NUMERIC_ATTRIBUTES:
            return value if re.fullmatch(r"[0-9]{1,5}%?", value) else None
        return value

    return nh3.Cleaner(
        tags=TAGS,
        attributes=ATTRIBUTES,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        set_tag_attribute_values={"iframe": {"sandbox": SANDBOX}},
        attribute_filter=filter_attribute,
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer",
    )


def _absolute_url(tag: str, value: str, base_url: str) -> str | None:
    """Return the absolute URL, or None if it must not be published."""
    value = value.strip()
    # The address of the entry's own page, which no attribute can mean.
    if not value:
        return None
    if tag == "a" and re.fullmatch(r"(?i)(mailto|tel):[^\s<>\"\x27]+", value):
        return value
    if tag == "iframe" and value.startswith("//"):
        # It means the page's own scheme, which may be http on an old portal.
        value = f"https:{value}"
    try:
        return urls.validate_url(urljoin(base_url, value.replace(" ", "%20")))
    except ValueError:
        return None
