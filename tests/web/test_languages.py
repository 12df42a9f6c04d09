"""A portal of several languages, and entries in another language than the portal's."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from lxml import etree

from feedsvc.formats.phrases import translate
from feedsvc.text.languages import UI_LANGUAGES
from tests.conftest import ApiClient, MakeApp
from tests.data import read_tables
from tests.data.fixtures import make_client
from tests.web.feeds import calendar, get_page, items

TABLES = read_tables("web")
_EVENT = {
    "start": "2030-12-24T19:00:00",
    "categories": ["van-hoa"],
    "event_status": "cancelled",
    "notice": "N.",
}
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def get_xml(client: FlaskClient, path: str) -> Any:
    """Return the root element of a feed or OPML."""
    return etree.fromstring(client.get(path).get_data())


def portal_in(make_app: MakeApp, languages: str) -> FlaskClient:
    """Return a client of a portal in some languages, its own first."""
    own, *others = languages.split()
    named = (own, *others) if others else ()
    return make_app(site_language=own, site_languages=named).test_client()


@pytest.fixture
def portal(make_app: MakeApp, editor: ApiClient) -> FlaskClient:
    """Return a client of a portal in Vietnamese and English, with entries in both."""
    app = make_app(
        site_languages=("vi", "en", "is"),
        site_title="P",
        site_titles={"en": "City Portal"},
        site_descriptions={"en": "All of the city"},
        site_hubs=("https://hub.example/",),
    )
    editor.put(
        "/categories/van-hoa",
        {"title": "Văn hoá", "titles": {"en": "Culture", "is": "Cultura"}},
    )
    for id, language, title in TABLES["fairs"]:
        event = {**_EVENT, "language": language, "title": title}
        editor.put(f"/events/{id}", {**event, "translation_key": "fair"})
        article = {**event, "title": f"{title}."}
        for name in ("start", "event_status", "notice"):
            del article[name]
        editor.put(f"/articles/{id}-news", article)
    return app.test_client()


def _titles(page: Any) -> list[str]:
    """Return the titles of the entries of a list."""
    texts = page.xpath("//article//h3/a/text() | //article//h3/a/s/text()")
    return [text for text in texts if text.strip()]


@pytest.mark.parametrize("language", UI_LANGUAGES)
def test_words_about_an_entry_are_in_its_language(
    language: str, client: FlaskClient, editor: ApiClient
) -> None:
    editor.put("/events/e", {**_EVENT, "title": "T", "language": language})
    title = translate(language, "state.cancelled", "T")
    reason = translate(language, "entry.reason", "N.")
    rss = get_xml(client, "/feeds/events.rss")
    atom = get_xml(client, "/feeds/events.atom")
    item = rss.find("channel/item")
    entry = atom.find("{*}entry")
    (json_item,) = items(client, "/feeds/events.json")
    (event,) = calendar(client).events
    assert item.findtext("title") == title
    assert entry.findtext("{*}title") == title
    assert json_item["title"] == title
    assert event["SUMMARY"] == title
    for text in (
        item.findtext("description"),
        item.findtext("{*}encoded"),
        entry.findtext("{*}summary"),
        entry.findtext("{*}content"),
        json_item["summary"],
        json_item["content_html"],
        event["DESCRIPTION"],
    ):
        assert reason in text
    # The feed itself is in the portal's language.
    assert rss.findtext("channel/title").startswith("Sự kiện mới nhất")
    foreign = language if language != "vi" else None
    assert item.findtext("{*}language") == foreign
    assert entry.get(_XML_LANG) == foreign
    assert event["SUMMARY"].params.get("LANGUAGE") == foreign
    page = get_page(client, "/entries/e")
    assert page.get("lang") == language
    assert page.xpath("string(//title)").startswith(title)
    assert page.xpath("string(//meta[@property='og:title']/@content)") == title
    assert page.xpath("string(//p[@class='notice'])") == reason
    other = get_page(client, "/entries/e?ui=vi")
    assert other.get("lang") == "vi"
    marked = other.xpath("//p[@class='notice']//@lang")
    assert marked == ([foreign] if foreign else [])


def test_language_without_phrases_has_the_words_of_the_portal(
    client: FlaskClient, editor: ApiClient
) -> None:
    event = {**_EVENT, "title": "Sýning", "language": "is"}
    for id in "ab":
        editor.put(f"/events/{id}", event)
    rss = get_xml(client, "/feeds/events.rss?lang=is")
    assert rss.findtext("channel/title").startswith("Sự kiện mới nhất")
    assert rss.findtext("channel/item/title") == "Hủy: Sýning"
    first = calendar(client, "/feeds/events.ics?lang=is&limit=1")
    assert first["X-WR-CALNAME"].startswith("Sự kiện")
    note = translate("vi", "follow.calendar_end", "|").partition("|")[0]
    assert note in first["DESCRIPTION"]
    assert get_page(client, "/feeds/events.html?lang=is").get("lang") == "vi"
    opml = get_xml(client, "/feeds.opml?lang=is")
    assert "Sự kiện" in opml.xpath("//outline/@text")


def test_range_of_a_language_ends_at_a_hyphen(
    client: FlaskClient, editor: ApiClient, make_app: MakeApp
) -> None:
    titles = {"fi": "Kulttuuri", "en": "Culture"}
    editor.put("/categories/van-hoa", {"title": "Văn hoá", "titles": titles})
    for language in ("fi", "fi-FI", "fil"):
        article = {"title": language, "language": language, "categories": ["van-hoa"]}
        editor.put(f"/articles/{language}", article)
    for path in ("news", "news/van-hoa"):
        finnish = items(client, f"/feeds/{path}.json?lang=fi")
        assert {item["title"] for item in finnish} == {"fi", "fi-FI"}
        (filipino,) = items(client, f"/feeds/{path}.json?lang=fil")
        assert (filipino["title"], filipino["tags"]) == ("fil", ["Văn hoá"])
    # The portal's own pages have all languages that it does not name.
    own = get_page(portal_in(make_app, "vi fi"), "/feeds/news.html")
    assert own.xpath("//article//h2/a/text()") == ["fil"]


@pytest.mark.parametrize(
    ("lang", "name", "site", "category"),
    TABLES["languages"],
)
def test_feed_with_lang_is_in_that_language(
    portal: FlaskClient,
    editor: ApiClient,
    lang: str,
    name: str,
    site: str,
    category: str,
) -> None:
    event = {"start": "2030-12-25", "title": "T", "categories": ["van-hoa"]}
    editor.put("/events/e", {**event, "language": lang})
    path = f"/feeds/events/van-hoa.{{}}?lang={lang}"
    title = f"{name} – {category} – {site}"
    rss = get_xml(portal, path.format("rss"))
    assert rss.findtext("channel/title") == title
    assert rss.findtext("channel/language") == lang
    assert rss.findtext("channel/item/category") == category
    assert rss.find("channel/item/{*}language") is None
    atom = get_xml(portal, path.format("atom"))
    assert atom.findtext("{*}title") == title
    assert atom.get(_XML_LANG) == lang
    assert atom.find("{*}entry/{*}category").get("label") == category
    document = portal.get(path.format("json")).get_json()
    assert (document["title"], document["language"]) == (title, lang)
    assert document["items"][0]["tags"] == [category]
    whole = calendar(portal, path.format("ics"))
    assert whole["X-WR-CALNAME"] == f"{category} – {site}"
    assert whole.events[0]["CATEGORIES"].cats == [category]
    opml = get_xml(portal, f"/feeds.opml?lang={lang}")
    assert opml.findtext("head/title") == site
    (outline,) = opml.xpath("//outline[contains(@xmlUrl, 'events/van-hoa')]")
    assert outline.get("text").endswith(category)
    assert outline.get("xmlUrl").endswith(f"van-hoa.rss?lang={lang}")
    assert outline.get("language") == lang


def test_page_has_one_language(client: FlaskClient, editor: ApiClient) -> None:
    editor.put("/events/e", {**_EVENT, "title": "T", "language": "en"})
    page = get_page(client, "/feeds/events.html?lang=en")
    assert page.get("lang") == "en"
    mixed = get_page(client, "/feeds/events.html")
    assert mixed.get("lang") == "vi"
    assert "Đã hủy" in mixed.text_content()
    for path in ("/feeds/events.html?lang=en", "/entries/e"):
        assert client.get(f"{path}{'&' if '?' in path else '?'}ui=en").data == (
            client.get(path).data
        )


def test_pages_of_a_portal_of_several_languages(portal: FlaskClient) -> None:
    # Entries in a language that is not named are on the pages without `lang`.
    for path, titles in TABLES["lists"].items():
        assert sorted(_titles(get_page(portal, path))) == titles
    front = get_page(portal, "/?lang=en")
    assert front.get("lang") == "en"
    assert sorted(_titles(front)) == ["Fair", "Fair."]
    assert front.xpath("//header[@class='top']//a[@hreflang]/text()") == [
        "Tiếng Việt",
        "Íslenska",
    ]
    assert front.xpath("//header[@class='top']//a[@hreflang]/@href") == [
        "./",
        "?lang=is",
    ]
    assert "Culture" in front.text_content()
    # In no category are entries in Icelandic.
    assert not _titles(get_page(portal, "/?lang=is"))
    response = portal.get("/?lang=" + "x" * 99)
    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/", "/feeds/events.html", "/entries/fair"])
@pytest.mark.parametrize("lang", ["vi", "en"])
def test_pages_lead_to_what_is_in_their_language(
    portal: FlaskClient, path: str, lang: str
) -> None:
    if path == "/entries/fair":
        path = "/entries/hoi-cho" if lang == "vi" else path
    elif lang == "en":
        path += "?lang=en"
    page = get_page(portal, path)
    assert page.get("lang") == lang
    feeds = page.xpath(
        "//head/link[@rel='alternate'][@type]/@href | //input[@readonly][@id!='share-url']/@value"
    )
    assert feeds
    assert {url.partition("?")[2] for url in feeds} == {f"lang={lang}"}
    navigation = page.xpath("//header//nav/a/@href")
    expected = "" if lang == "vi" else "lang=en"
    assert {url.partition("?")[2] for url in navigation} == {expected}
    hidden = page.xpath("//form//input[@type='hidden']/@value")
    assert set(hidden) == (set() if lang == "vi" else {"en"})
    brand = page.find(".//a[@class='brand']/span")
    assert brand.get("lang") == lang
    if path.startswith("/?") or path == "/":
        opml = page.xpath("//a[@type='text/x-opml']/@href")
        assert opml == [f"https://feeds.example/feeds.opml?lang={lang}"]


def test_entry_of_a_portal_leads_to_its_translation(
    portal: FlaskClient,
) -> None:
    page = get_page(portal, "/entries/fair")
    links = {
        link.get("hreflang"): link.get("href")
        for link in page.xpath("//header[@class='top']//a[@hreflang]")
    }
    assert links == {"vi": "https://feeds.example/entries/hoi-cho"}
    page = get_page(portal, "/entries/hoi-cho-news")
    (link,) = page.xpath("//header[@class='top']//a[@hreflang]")
    assert link.get("href") == "?ui=en"
    related = page.xpath("//*[contains(@class, 'related')]//h3")
    assert "Fair." not in [each.text_content() for each in related]


@pytest.mark.parametrize("lang", ["vi", "en"])
def test_feeds_and_pages_in_languages_of_the_portal_are_plain(
    portal: FlaskClient, lang: str
) -> None:
    for name in ("rss", "atom", "json"):
        response = portal.get(f"/feeds/events/van-hoa.{name}?lang={lang}")
        assert "hub.example" in str(response.headers)
        assert "https://hub.example/" in response.text
        for other in (f"?lang={lang}&limit=5", "?lang=fr"):
            response = portal.get(f"/feeds/events/van-hoa.{name}{other}")
            assert "hub.example" not in str(response.headers)
    for path in ("/", "/feeds/news.html"):
        indexed = portal.get(f"{path}?lang={lang}").headers
        assert "X-Robots-Tag" not in indexed
        assert "X-Robots-Tag" in portal.get(f"{path}?lang=fr").headers


def test_portal_of_one_language_has_no_hubs_for_lang(
    make_app: MakeApp,
) -> None:
    client = make_app(site_hubs=("https://hub.example/",)).test_client()
    assert "hub.example" in client.get("/feeds/news.rss").text
    assert "hub.example" not in client.get("/feeds/news.rss?lang=vi").text


@pytest.mark.both_databases
@pytest.mark.parametrize(("languages", "entries", "lists"), TABLES["apart"])
def test_language_has_nothing_of_a_longer_one_that_the_portal_names(
    make_app: MakeApp,
    editor: ApiClient,
    languages: str,
    entries: str,
    lists: dict[str, str],
) -> None:
    client = portal_in(make_app, languages)
    for tag in entries.split():
        article = {"title": tag, "language": tag, "categories": ["van-hoa"]}
        editor.put("/categories/van-hoa", {"title": tag})
        editor.put(f"/articles/{tag}", article)
    for lang, titles in lists.items():
        suffix = f"?lang={lang}" if lang else ""
        for path in ("/", "/feeds/news.html", "/feeds/news/van-hoa.html"):
            page = get_page(client, path + suffix)
            links = page.xpath("//article//a[ancestor::h2 or ancestor::h3]")
            assert sorted(link.text for link in links) == titles.split(), path
        opml = client.get(f"/feeds.opml{suffix}").text
        assert ("van-hoa.rss" in opml) == bool(titles or not lang)
        if lang:
            documents = items(client, f"/feeds/news.json{suffix}")
            assert sorted(item["title"] for item in documents) == titles.split()


@pytest.mark.both_databases
@pytest.mark.parametrize(("languages", "lang", "broader"), TABLES["broader"])
def test_lang_without_entries_leads_to_its_language(
    make_app: MakeApp, languages: str, lang: str, broader: str
) -> None:
    client = portal_in(make_app, languages)
    editor = make_client(client.application)
    # Each kind by itself; entries that are not public do not count.
    event = {"title": "E", "start": "2030-12-24", "language": lang}
    editor.put("/events/e", event)
    article = {"title": "A", "language": lang}
    editor.put("/articles/a", {**article, "status": "draft"})
    status = 302 if broader else 200
    path = "/feeds/news.rss?lang={}&content=summary"
    response = client.get(path.format(lang))
    assert response.status_code == status
    if broader:
        target = f"https://feeds.example{path}"
        assert response.location == target.format(broader)
        assert response.headers["Cache-Control"] == "no-store"
    for other in ("/", "/feeds.opml", "/feeds/events.ics"):
        assert client.get(f"{other}?lang={lang}").status_code == 200
    editor.send("DELETE", "/events/e")
    for other in ("/", "/feeds.opml", "/feeds/events.ics"):
        response = client.get(f"{other}?lang={lang}")
        assert response.status_code == status
        if broader:
            target = f"https://feeds.example{other}?lang={broader}"
            assert response.location == target
    editor.put("/articles/a", article)
    assert client.get(path.format(lang)).status_code == 200


def test_place_and_names_on_a_page_have_their_own_direction(
    client: FlaskClient, editor: ApiClient
) -> None:
    event = {
        "title": "T",
        "language": "ar",
        "start": "2030-12-24",
        "authors": [{"name": "Author"}, {"name": "Writer", "url": "https://a.example"}],
        "location": {"name": "Place", "address": "Address", "url": "https://a.example"},
        "performers": [{"name": "Dancer"}],
        "organizer": {"name": "Organizer", "url": "https://a.example"},
    }
    assert editor.put("/events/e", event).status_code == 201
    for path in ("/entries/e", "/feeds/events.html?content=full"):
        page = get_page(client, path)
        (place,) = page.xpath("//dd/span[@lang='ar'][@dir='auto']")
        assert place.text_content() == "Place · Address"
        names = [name.text_content() for name in page.xpath("//bdi")]
        assert names == ["Dancer", "Organizer", "Author", "Writer"]


@pytest.mark.parametrize("own", UI_LANGUAGES)
@pytest.mark.parametrize("language", UI_LANGUAGES)
def test_credit_of_a_photo_has_one_label(
    shared_editor: ApiClient, own: str, language: str
) -> None:
    client = shared_editor.client
    credit = translate(own, "entry.photo", "Ảnh đẹp")
    image = {"url": "https://a.example/a.jpg", "credit": credit}
    article = {"title": "T", "image": image, "language": language}
    shared_editor.put("/articles/photo", article)
    expected = translate(language, "entry.photo", "Ảnh đẹp")
    page = get_page(client, f"/entries/photo?ui={language}")
    (shown,) = page.xpath("//figcaption/small")
    assert shown.text_content() == expected
    (item,) = items(client, f"/feeds/news.json?lang={language}")
    assert f"<small>{expected}</small>" in item["content_html"]
    # What the editor wrote stays.
    stored = shared_editor.send("GET", "/articles/photo").get_json()
    assert stored["image"]["credit"] == credit.replace("\xa0", " ")


@pytest.mark.parametrize("language", ["ar", "fa-AF", "he", "vi"])
def test_text_has_the_direction_of_its_language(
    client: FlaskClient, editor: ApiClient, language: str
) -> None:
    article = {"title": "T", "content_text": "C", "summary": "S", "notice": "N"}
    image = {"url": "https://a.example/a.jpg", "caption": "I"}
    language_of = {"language": language}
    event = {**article, **language_of, "start": "2030-12-24", "location": "L"}
    editor.put("/categories/van-hoa", {"title": "V", "description": "D"})
    editor.put("/articles/a", {**article, **language_of, "image": image})
    editor.put("/events/e", {**event, "categories": ["van-hoa"]})
    editor.put("/articles/gone", {**article, "status": "withdrawn"})
    for path, status in {
        "/": 200,
        "/feeds/news.html?content=full": 200,
        "/feeds/events/van-hoa.html": 200,
        "/entries/a": 200,
        "/entries/e?ui=en": 200,
        "/entries/gone": 404,
    }.items():
        marked = get_page(client, path, status).xpath("//body//*[@lang]")
        assert {element.get("dir") for element in marked} == {"auto"}, path
    is_rtl = language != "vi"
    rss = get_xml(client, "/feeds/events.rss").findtext("channel/item/{*}encoded")
    atom = get_xml(client, "/feeds/events.atom").findtext("{*}entry/{*}content")
    (item,) = items(client, "/feeds/events.json")
    for body in (rss, atom, item["content_html"]):
        assert body.startswith('<div dir="rtl">\n') == is_rtl
        assert body.endswith("\n</div>") == is_rtl
    (summary,) = items(client, "/feeds/events.json?content=summary")
    assert "content_html" not in summary


@pytest.mark.parametrize(("language", "name"), TABLES["easy"])
def test_easy_language_is_beside_its_language(
    make_app: MakeApp, editor: ApiClient, language: str, name: str
) -> None:
    easy = f"{language}-simple"
    client = portal_in(make_app, f"{language} {easy}")
    for tag in (language, easy):
        article = {"title": tag, "language": tag, "translation_key": "k"}
        editor.put(f"/articles/{tag}", article)
    editor.put("/articles/alone", {"title": "alone", "language": easy})
    path = f"/feeds/news.{{}}?lang={easy}"
    rss = get_xml(client, path.format("rss")).find("channel")
    assert rss.findtext("language") == easy
    assert rss.findtext("title").startswith(translate(language, "feed.news"))
    own = language_links(client, path.format("html"))
    assert own == [(language, "https://feeds.example/feeds/news.html")]
    url = f"https://feeds.example/feeds/news.html?lang={easy}"
    assert language_links(client, "/feeds/news.html") == [(easy, url)]
    page = get_page(client, f"/entries/{language}")
    assert page.xpath("//header//a[@hreflang]/text()") == [name, name]
    assert page.xpath("//head/link/@hreflang") == [language, easy]
    assert language_links(client, f"/entries/{easy}") == [
        (language, f"https://feeds.example/entries/{language}")
    ]
    other = "en" if language == "vi" else "vi"
    # Both languages have the same words.
    assert not language_links(client, "/entries/alone")
    back = language_links(client, f"/entries/alone?ui={other}")
    assert back == [(language, "alone")]


def language_links(client: FlaskClient, path: str) -> list[tuple[str, str]]:
    """Return the languages and URLs of the menu of a page."""
    links = get_page(client, path).xpath("//header[@class='top']//a[@hreflang]")
    return [(link.get("hreflang"), link.get("href")) for link in links]


def test_titles_of_categories(editor: ApiClient, client: FlaskClient) -> None:
    category = {"title": "Y tế", "titles": {"en": " Health ", "ja": ""}}
    stored = editor.put("/categories/y-te", category).get_json()
    assert stored["titles"] == {"en": "Health"}
    assert client.get("/api/v1/categories/y-te").get_json() == stored
    patch = {"titles": {"fr": "Santé"}}
    patched = editor.send("PATCH", "/categories/y-te", patch).get_json()
    assert patched["titles"] == {"en": "Health", "fr": "Santé"}


@pytest.mark.parametrize(("ui", "day", "follow"), TABLES["hidden_texts"])
def test_hidden_texts_have_the_punctuation_of_the_language(
    portal: FlaskClient, ui: str, day: str, follow: str
) -> None:
    page = get_page(portal, f"/feeds/events.html?lang=en&ui={ui}")
    texts = [each.text_content() for each in page.find_class("visually-hidden")]
    assert texts == [follow, day]
