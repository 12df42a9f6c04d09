"""XSS payloads in Chromium: nothing runs, even without the Content-Security-Policy.

The pages of feeds show every payload. The pages of categories and entries repeat them in other
places; `make soak` opens more of these.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Route

from feedsvc.models import KINDS
from feedsvc.text.iframes import is_embed
from tests.conftest import CopyDatabase
from tests.data.xss_payloads import PAYLOADS, everywhere, groups
from tests.server import Service

FIRE_EVENTS = """() => {
  document.addEventListener("click", (event) => event.preventDefault(), true);
  for (const element of document.querySelectorAll("main *:not(button)"))
    for (const type of ["click", "mouseover", "focus", "error", "load", "toggle", "animationstart"])
      element.dispatchEvent(new Event(type));
  return [...new Set([...document.links].map((link) => link.protocol))];
}"""
"""Fire the events that handlers wait for, and return the schemes of all links."""

SCHEMES = set("http: https: mailto: tel: webcal:".split())

FEEDS = [
    f"/feeds/{kind}/g-{number}.html?limit=100&when=all"
    for number in groups()
    for kind in KINDS
]
CATEGORIES = [
    f"/feeds/{KINDS[number % 2]}/p-{number}.html?limit=1"
    for number in everywhere()[::3]
]
ENTRIES = [
    f"/entries/{KINDS[number % 2]}-{number}"
    for number, payload in enumerate(PAYLOADS)
    if number % 10 == 0 or "</script" in payload or "<!--" in payload
]


@pytest.fixture(scope="module")
def attacked_service(
    # Without Chromium it skips the tests, before the payloads are posted.
    chromium: Browser,
    request: pytest.FixtureRequest,
    copy_database: CopyDatabase,
) -> Iterator[Service]:
    """Start a service with the payloads stored."""
    template = request.getfixturevalue("attacked_template")
    with Service(copy_database(template)) as service:
        yield service


@pytest.fixture
def context_without_csp(chromium: Browser) -> Iterator[BrowserContext]:
    """Open a context without the Content-Security-Policy: the sanitizer alone protects it."""
    with chromium.new_context(bypass_csp=True) as context:
        yield context


@pytest.mark.parametrize(
    "paths",
    [
        pytest.param(["/"], id="front"),
        pytest.param(FEEDS, id="feeds"),
        pytest.param(CATEGORIES[::8], id="categories"),
        pytest.param(ENTRIES[::8], id="entries"),
        pytest.param(CATEGORIES, id="more categories", marks=pytest.mark.soak),
        pytest.param(ENTRIES, id="more entries", marks=pytest.mark.soak),
    ],
)
def test_payloads_run_nothing_and_request_nothing(
    attacked_service: Service,
    context_without_csp: BrowserContext,
    paths: list[str],
) -> None:
    dialogs: list[str] = []
    requested: list[str] = []
    framed: list[str] = []
    own = urlsplit(attacked_service.url).netloc

    def block_other_host(route: Route) -> None:
        if route.request.resource_type == "document":
            framed.append(route.request.url)
        else:
            requested.append(route.request.resource_type)
        route.abort()

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    context_without_csp.route(lambda url: urlsplit(url).netloc != own, block_other_host)
    page = context_without_csp.new_page()
    page.on("dialog", dismiss)
    for path in paths:
        page.goto(attacked_service.url + path)
        assert set(page.evaluate(FIRE_EVENTS)) <= SCHEMES, path
        # Handlers of the fired events run before the next task.
        page.evaluate("new Promise((resolve) => setTimeout(resolve))")
        assert page.evaluate("typeof window.pwned") == "undefined", path
        assert page.url == attacked_service.url + path
        assert dialogs == [], path
        assert len(context_without_csp.pages) == 1, path
    assert set(requested) <= {"image", "media", "texttrack"}
    assert all(is_embed(url) for url in framed), framed


def test_running_script_is_detected(
    attacked_service: Service, context_without_csp: BrowserContext
) -> None:
    page = context_without_csp.new_page()
    page.goto(attacked_service.url)
    with page.expect_event("dialog") as dialog:
        page.on("dialog", lambda opened: opened.dismiss())
        page.evaluate(
            "(html) => document.querySelector('main').insertAdjacentHTML('beforeend', html)",
            "<img src=x onerror=alert(window.pwned=1)>",
        )
    assert dialog.value.message == "1"
    assert page.evaluate("window.pwned") == 1
