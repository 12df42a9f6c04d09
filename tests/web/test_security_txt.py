"""`/.well-known/security.txt` (RFC 9116)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient

from config import Config, SettingError
from tests.conftest import MakeApp
from tests.fake_clock import Clock

PATH = "/.well-known/security.txt"


def test_file_names_the_contact(make_app: MakeApp, clock: Clock) -> None:
    app = make_app(security_contact="mailto:an-ninh@portal.example")
    response = app.test_client().get(PATH)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    lines = [line.partition(": ") for line in response.text.split("\r\n")[:-1]]
    fields = {name: value for name, _, value in lines}
    assert len(fields) == len(lines)
    expires = datetime.fromisoformat(fields.pop("Expires"))
    assert timedelta(days=300) < expires - clock() < timedelta(days=366)
    assert fields == {
        "Contact": "mailto:an-ninh@portal.example",
        "Preferred-Languages": "vi, en",
        "Canonical": f"https://feeds.example{PATH}",
    }


def test_without_a_contact_there_is_no_file(client: FlaskClient) -> None:
    assert client.get(PATH).status_code == 404


@pytest.mark.parametrize(
    ("value", "contact"),
    [
        ("an@portal.example", "mailto:an@portal.example"),
        ("https://portal.example/report?by=web", "https://portal.example/report?by=web"),
    ],
)  # fmt: skip
def test_contact_is_a_uri(value: str, contact: str) -> None:
    config = Config.from_env({"FEEDSVC_SECURITY_CONTACT": value})
    assert config.security_contact == contact


@pytest.mark.parametrize(
    "value", ["http://portal.example", "https://", "https://a b", "an", "a@b\nc: d"]
)
def test_other_contact_is_refused(value: str) -> None:
    with pytest.raises(SettingError, match=r"SECURITY_CONTACT: Must be an e-mail"):
        Config.from_env({"FEEDSVC_SECURITY_CONTACT": value})
