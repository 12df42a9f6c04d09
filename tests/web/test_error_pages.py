"""Error pages: in the language of the page; problem documents stay English."""

from typing import NoReturn

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from feedsvc.errors import Unavailable
from feedsvc.storage.database import Database
from tests.conftest import ApiClient
from tests.data import read_tables
from tests.web.feeds import get_page


def page_texts(
    client: FlaskClient, path: str, status: int, method: str = "GET"
) -> list[str]:
    """Return the language of an error page, its heading, and its paragraphs."""
    page = get_page(client, path, status, method)
    paragraphs = page.xpath("//main/p[not(@class='status' or @class='pages')]")
    return [page.get("lang"), page.findtext(".//h1")] + [
        paragraph.text_content() for paragraph in paragraphs
    ]


def test_bad_parameter_is_named_in_the_language_of_the_page(
    client: FlaskClient,
) -> None:
    path = "/feeds/news.html?limit=0"
    assert page_texts(client, path, 400) == [
        "vi",
        "Địa chỉ này chưa đúng",
        "Một phần của địa chỉ hoặc một lựa chọn không dùng được.",
        "Hãy kiểm tra phần “limit” trong địa chỉ.",
    ]
    assert page_texts(client, f"{path}&ui=xx", 400)[0] == "vi"
    language, _, _, detail = page_texts(client, f"{path}&ui=en", 400)
    assert language == "en"
    assert detail == "The parameter “limit” must be a whole number, at least 1."
    document = client.get(path).get_json()
    assert document["title"] == "Bad Request"
    assert document["detail"] == detail


def test_error_of_a_request(editor: ApiClient, client: FlaskClient) -> None:
    editor.put("/articles/a", {"title": "Tin"})
    editor.send("DELETE", "/articles/a")
    for method, path, status, vi, en in read_tables("web")["errors"]:
        assert page_texts(client, path, status, method)[:2] == ["vi", vi]
        english = page_texts(client, f"{path}?ui=en", status, method)
        assert english[:2] == ["en", en]


@pytest.mark.parametrize(
    ("error", "status", "vi", "en"),
    [
        (RuntimeError(), 500, "Có lỗi xảy ra", "Something went wrong"),
        (Unavailable("The database does not answer."), 503, "Tạm thời chưa phục vụ được", "Temporarily unavailable"),
    ],
)  # fmt: skip
def test_error_of_the_service(
    client: FlaskClient,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    vi: str,
    en: str,
) -> None:
    def fail() -> NoReturn:
        raise error

    monkeypatch.setattr(database, "read", fail)
    assert page_texts(client, "/", status)[:2] == ["vi", vi]
    assert page_texts(client, "/?ui=en", status)[:2] == ["en", en]
    assert client.get("/").get_json()["status"] == status


def test_missing_page_is_404_without_the_database(
    client: FlaskClient, editor: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.put("/articles/a", {"title": "Tin"})
    title = "//aside[@class='related']//h3/a"
    with monkeypatch.context() as patch:
        patch.setattr(Database, "read", _fail)
        assert not get_page(client, "/missing", 404).xpath(title)
    (link,) = get_page(client, "/missing", 404).xpath(title)
    assert link.text == "Tin"


def _fail(*_: object) -> NoReturn:
    raise OperationalError("", {}, Exception("away"))
