"""Room for text in Chromium: a default font of twice its size, and many languages."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from feedsvc.formats.phrases import get_phrases
from feedsvc.text.languages import UI_LANGUAGES
from tests.browser.conftest import Open
from tests.data import read_tables

LAYOUT: dict[str, Any] = read_tables("browser")["layout"]
NARROWEST = """() => Math.min(
  ...[...document.querySelectorAll(".item .text")].map((part) => part.offsetWidth))"""
SCROLL_WIDTH = "document.documentElement.scrollWidth"
# Words of more than three letters, of whose pieces the mean has two or fewer.
BROKEN_WORDS = """() => {
  const words = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (const { 0: word, index } of node.data.matchAll(/\\p{L}{4,}/gu)) {
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      const pieces = new Set([...range.getClientRects()].map((box) => box.top)).size;
      if (pieces > 1 && word.length / pieces < 3) words.push(word);
    }
  }
  return words;
}"""
# The width in rem of the portal's name, infinite in a row of its own, and that of the page,
# with as many links to other languages as there are names.
NAME_WIDTHS = """(lists) => lists.map((names) => {
  for (const link of document.querySelectorAll(".menu a[hreflang]")) link.remove();
  for (const name of names) {
    const link = document.createElement("a");
    link.hreflang = "de";
    link.textContent = name;
    document.querySelector(".menu nav").parentElement.append(link);
  }
  const name = document.querySelector(".brand");
  const box = name.getBoundingClientRect();
  const others = [...name.parentElement.children].filter((part) => part !== name);
  const isAlone = others.every((part) => part.getBoundingClientRect().top >= box.bottom);
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const width = isAlone ? Infinity : box.width / rem;
  return [names.length, width, document.documentElement.scrollWidth];
})"""
# The texts of which the button covers a tab, or the window ends within one.
HIDDEN = """(texts) => texts.filter(([follow, ...tabs]) => {
  const summary = document.querySelector(".follow > summary");
  summary.textContent = follow;
  const links = [...document.querySelectorAll(".kinds a")];
  links.forEach((link, number) => { link.textContent = tabs[number]; });
  const button = summary.getBoundingClientRect();
  return links.some((link) => {
    const tab = link.getBoundingClientRect();
    return tab.right > innerWidth || (tab.right > button.left && tab.left < button.right
      && tab.bottom > button.top && tab.top < button.bottom);
  });
})"""


def resize(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})


@pytest.mark.parametrize("path", LAYOUT["pages"])
def test_large_text_has_its_room_on_a_phone(
    open_page: Open, large_text: Browser, path: str
) -> None:
    page = open_page(path, browser=large_text)
    resize(page, 390)
    assert page.evaluate(SCROLL_WIDTH) <= 390
    assert page.evaluate(BROKEN_WORDS) == []
    if page.locator(".item").count():
        assert page.evaluate(NARROWEST) >= 0.6 * 390


def test_name_of_the_portal_has_its_room_beside_languages(
    open_page: Open, large_text: Browser
) -> None:
    least = dict(LAYOUT["name_widths"])
    names = [LAYOUT["languages"][:number] for number in least]
    for options in ({}, {"browser": large_text}):
        page = open_page("/?ui=de", **options)
        for width in (390, 768, 960, 1280):
            resize(page, width)
            for number, name_width, page_width in page.evaluate(NAME_WIDTHS, names):
                assert name_width >= least[number], (number, width)
                assert page_width <= width, (number, width)


def test_follow_button_covers_no_tab_of_a_search(open_page: Open) -> None:
    """In any language: the texts of a page are replaced by those of the others."""
    texts = []
    for language in UI_LANGUAGES:
        t = get_phrases(language)
        kinds = (t["kind.news"], t["kind.events"])
        tabs = [t["punctuation.in_brackets"].format(kind, "100+") for kind in kinds]
        texts.append([f"+ {t['follow.title']}", *tabs])
    page = open_page("/feeds/events.html?q=tin")
    for width in (390, 320):
        resize(page, width)
        assert page.evaluate(HIDDEN, texts) == []
