"""A part of the API: what an operation answers and whom it lets in, said once to clients and to the door."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

from flask_smorest import Blueprint

from feedsvc.api.auth import Authenticator
from feedsvc.api.openapi_schemas import Json, ref
from feedsvc.api.request_parsing import StrictParser

BODY_ERRORS = (413, 415, 411, 422)
_EVERYWHERE, _TO_TOKENS = (400, 503), (401, 403, 429)
_SUCCESS = {
    200: "It is done, or this is it.",
    201: "It was created.",
    204: "It is gone.",
    207: "Some lines went wrong; each result says how its line went.",
    304: "Nothing has changed.",
}


class ApiBlueprint(Blueprint):  # type: ignore[misc]
    """The operations under `/api/v1/<name>`."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, door: Authenticator) -> None:
        super().__init__(name, __name__, url_prefix=f"/api/v1/{name}")
        self._door = door

    def endpoint(
        self,
        *answers: int,
        schema: str | None = None,
        scopes: Sequence[str] = (),
        errors: Iterable[int] = (),
        headers: Iterable[str] = (),
        returns: Iterable[str] = (),
        body: Mapping[str, tuple[str, Any]] | None = None,
    ) -> Callable[[Callable[..., Any]], Any]:
        """A view's decorator, which stands above those that read the body.

        :param answers: the statuses of success, whose body has the `schema`.
        :param scopes: of which the request's token needs any one; without them anyone may come in.
        :param headers: names of header parameters; `returns` names those of the answer.
        :param body: by media type, the schema's name and an example.
        """
        content = (
            {"content": {"application/json": {"schema": ref(schema)}}} if schema else {}
        )
        known = {*_EVERYWHERE, *errors, *(_TO_TOKENS if scopes else ())}
        responses: dict[int, Any] = {status: f"Error{status}" for status in known}
        for status in answers:
            told = (name for name in returns if name != "Location" or status == 201)
            told_as = {name: {"$ref": f"#/components/headers/{name}"} for name in told}
            body_as = content if status != 304 else {}
            responses[status] = {
                "description": _SUCCESS[status],
                "headers": told_as,
                **body_as,
            }
        about: Json = {"responses": responses}
        if headers:
            about["parameters"] = list(headers)
        if scopes:
            about["security"] = [{"bearer": [scope]} for scope in scopes]
        if body:
            media = {
                kind: {"schema": ref(name), "example": example}
                for kind, (name, example) in body.items()
            }
            about["requestBody"] = {"required": True, "content": media}

        def decorate(view: Callable[..., Any]) -> Any:
            @wraps(view)
            def admitted(*args: Any, **kwargs: Any) -> Any:
                if scopes:
                    self._door.authorize(scopes)
                return view(*args, **kwargs)

            return self.doc(**about)(admitted)

        return decorate
