"""HTML at the door: sanitised to an allow-list, its URLs absolute, and the text in it."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from html import unescape
from urllib.parse import urljoin

import nh3

from feedsvc.api import text, urls
from feedsvc.embeds import SANDBOX, is_embed

MAX_LENGTH = 1024 * 1024
MAX_TAGS = 10_000
MAX_DEPTH = 256
MAX_ATTRIBUTES = 1000
MAX_OUTPUT = 2 * MAX_LENGTH
MAX_COMPLEXITY = 20 * MAX_LENGTH
_NODE_COST = 100
"""How many characters take a parser as long as an element without any."""

TAGS = set(
    "a abbr aside audio b bdi blockquote br caption cite code col colgroup dd del details dfn div dl dt em "
    "figcaption figure h1 h2 h3 h4 h5 h6 hr i iframe img ins kbd li mark ol p picture pre q rp rt "
    "ruby s samp section small source span strong sub summary sup table tbody td tfoot th thead time tr "
    "track u ul var video".split()
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
_NUMBERS = {"colspan", "height", "rowspan", "span", "start", "width"}
_VOID = set(
    "area base br col embed hr img input link meta param source track wbr".split()
)
_INLINE = set(
    "a abbr b bdi cite code del dfn em i ins kbd mark q s samp small span strong sub sup u var".split()
)
_BLOCK = re.compile(rf"<(?!/?(?:{'|'.join(sorted(_INLINE))})\b)")
_FORMATTING = set("a b big code em font i nobr s small strike strong tt u".split())
_PRE = re.compile(r"(<pre(?: [^>]*)?>)\n")
# As a tokenizer reads them (HTML §13.2.5.8 and those after it).
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]*)", re.ASCII)
_ATTRIBUTE = re.compile(
    r"""[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+)?+)?+""",
    re.ASCII,
)
_ATTRIBUTES = re.compile(rf"(?:[\s/]++|{_ATTRIBUTE.pattern})*+", re.ASCII)
_ANY_TAG = re.compile("<[^<>]*>")
_TEXT = re.compile("(?<![^>])[^<>]+")
"""The text between two tags of sanitised HTML, which has neither sign within tags or text."""
_MAX_PASSES = 4
_IFRAME = re.compile(r"<iframe([^>]*)>.*?</iframe>", re.DOTALL)


def sanitize(html: str, base: str) -> str:
    """HTML that is safe to publish, with URLs made absolute against `base`.

    :raises ValueError: too long, too many or too deeply nested tags, or a character that cannot be carried.
    """
    if len(html.encode("utf-8", "surrogatepass")) > MAX_LENGTH:
        raise ValueError("Longer than 1 MiB.")
    text.check(html)
    html = text.unify_line_ends(html)
    if html.count("<") > MAX_TAGS:
        raise ValueError(f"More than {MAX_TAGS} tags.")
    _check_complexity(html)
    cleaned = _check_limits(_clean(html, base))
    for _ in range(_MAX_PASSES):
        # A table's stray content moves in front of it, and may nest anew; what is stored must be final.
        again = _check_limits(_clean(cleaned, base))
        if again == cleaned:
            return cleaned
        cleaned = again
    raise ValueError("The HTML is too broken to be sanitised.")


def _clean(html: str, base: str) -> str:
    # Parsing has also decoded references such as &#x0b;, &#13; and &#x301;.
    cleaned = text.strip_invalid_chars(
        text.unify_line_ends(_build_cleaner(base).clean(html))
    )
    # Ammonia leaves an iframe's text as it is; an iframe needs none, and without a source no place either.
    cleaned = _IFRAME.sub(
        lambda found: f"<iframe{found[1]}></iframe>" if ' src="' in found[1] else "",
        cleaned,
    )
    # A parser drops the first line end in <pre>; one that is written is one that is read.
    cleaned = _PRE.sub(r"\1\n\n", cleaned).strip()
    text.check_marks(unescape(_ANY_TAG.sub("", cleaned)))
    return _TEXT.sub(_normalized_text, cleaned)


def _normalized_text(segment: re.Match[str]) -> str:
    """Return the text between two tags in NFC, combining marks at its start as references.

    Markup as a whole must never be normalised: NFC composes the `>` of a tag and a following U+0338 into
    one character, and the text behind becomes attributes. As references, marks cannot reach the tag.
    """
    normalized = unicodedata.normalize("NFC", segment[0])
    count = text.leading_marks(normalized)
    return (
        "".join(f"&#{ord(mark)};" for mark in normalized[:count]) + normalized[count:]
    )


def to_plain_text(html: str) -> str:
    """The text of sanitised HTML as one line, without captions."""
    apart = _BLOCK.sub(" <", html)  # where a block begins or ends, so does a word
    folded = " ".join(
        unescape(
            nh3.clean(apart, tags=set(), clean_content_tags={"figcaption"})
        ).split()
    )
    try:
        return text.normalize_line(folded)
    except ValueError:  # of HTML that was not sanitised
        return folded


def without_tags(html: str) -> str | None:
    """Return the text of HTML that may be unsafe, or None where it has none.

    Nothing is parsed, since HTML that is refused may take a parser for ever.
    """
    apart = _BLOCK.sub("\n\n<", text.strip_invalid_chars(html))
    plain_text = text.strip_invalid_chars(unescape(_ANY_TAG.sub("", apart)))
    try:
        return (
            text.lines(re.sub(r"\n\s*\n", "\n\n", plain_text))[:MAX_LENGTH].rstrip()
            or None
        )
    except ValueError:  # too many combining marks
        return None


def _check_limits(cleaned: str) -> str:
    """What was sanitised, unless it is too deep or too long; every tag in it is closed."""
    depth = deepest = 0
    for closing, tag in _TAG.findall(cleaned):
        if tag not in _VOID:
            depth += -1 if closing else 1
            deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise ValueError(f"Tags are nested more than {MAX_DEPTH} deep.")
    if len(cleaned.encode()) > MAX_OUTPUT:
        raise ValueError("Longer than 2 MiB once it is sanitised.")
    return cleaned


def _check_complexity(html: str) -> None:
    """Refuse what a parser would work on for long: many attributes, and formatting that it repeats.

    A formatting tag is opened anew in each block until it is closed, an `a` once and of others three that are
    the same. Which tags are none, as in comments, only a parser knows: so all count, and none closes another.
    """
    met: Counter[str] = Counter()
    link = others = work = 0
    for tag in _TAG.finditer(html):
        found = _ATTRIBUTES.match(html, tag.end())
        attributes = found[0] if found else ""
        if len(_ATTRIBUTE.findall(attributes)) > MAX_ATTRIBUTES:
            raise ValueError(f"A tag has more than {MAX_ATTRIBUTES} attributes.")
        name, size = tag[2].lower(), len(attributes) + _NODE_COST
        if name == "a":
            link = max(link, size)
        elif name in _FORMATTING and met[name + attributes] < 3:
            met[name + attributes] += 1
            others += size
        work += len(attributes) + (0 if tag[1] else link + others)
        if work > MAX_COMPLEXITY:
            raise ValueError(
                "Formatting tags with attributes would be repeated too often."
            )


def _build_cleaner(base: str) -> nh3.Cleaner:
    def keep(tag: str, attribute: str, value: str) -> str | None:
        try:
            value = text.normalize(text.strip_invalid_chars(value))
        except ValueError:  # too many combining marks
            return None
        if attribute in _URL_ATTRIBUTES:
            return _absolute_url(tag, value, base)
        if attribute in _NUMBERS:
            return value if re.fullmatch(r"[0-9]{1,5}%?", value) else None
        return value

    return nh3.Cleaner(
        tags=TAGS,
        attributes=ATTRIBUTES,
        clean_content_tags=_DROPPED_WITH_CONTENT,
        set_tag_attribute_values={"iframe": {"sandbox": SANDBOX}},
        attribute_filter=keep,
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel="noopener noreferrer",
    )


def _absolute_url(tag: str, value: str, base: str) -> str | None:
    value = value.strip()
    if tag == "a" and re.fullmatch(r"(?i)(mailto|tel):[^\s<>\"\x27]+", value):
        return value
    if tag == "iframe" and value.startswith("//"):
        value = f"https:{value}"  # the page's own scheme, which may be http on an old portal
    try:
        url = urls.validate_url(urljoin(base, value.replace(" ", "%20")))
    except ValueError:
        return None
    if tag == "iframe" and not is_embed(url):
        return None
    return url
