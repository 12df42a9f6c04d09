"""The probe `/readyz`; tests/storage/test_tick.py tests what is no write."""

from flask.testing import FlaskClient

from tests.conftest import ApiClient
from tests.fake_clock import Clock


def test_readyz_has_the_time_of_the_last_write(
    editor: ApiClient, client: FlaskClient, clock: Clock
) -> None:
    editor.put("/articles/a", {"title": "Một", "status": "draft"})
    written_at = f"{clock():%Y-%m-%dT%H:%M:%SZ}"
    clock.forward(hours=3)
    assert client.get("/readyz").text == f"ready\nlast write: {written_at}\n"


def test_readyz_of_an_empty_database_says_never(client: FlaskClient) -> None:
    assert client.get("/readyz").text == "ready\nlast write: never\n"
