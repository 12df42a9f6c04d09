"""Read the errors of problem documents."""

from typing import Any


def errors(response: Any) -> dict[str, str]:
    """Return the details of a refusal's errors by their pointers."""
    assert response.mimetype == "application/problem+json", response.text
    document = response.get_json()
    assert document["status"] == response.status_code
    assert "type" not in document
    assert document["title"]
    assert document["detail"]
    return {error["pointer"]: error["detail"] for error in document.get("errors", [])}


def pointers(response: Any) -> list[str]:
    """Return the pointers of the errors of a document that was refused."""
    assert response.status_code == 422, response.text
    return list(errors(response))
