"""flask-smorest's Blueprint with authorization and the project's error responses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from flask_smorest import Blueprint

from feedsvc.api.auth import Authenticator
from feedsvc.api.request_parsing import StrictParser, check_content_headers

BODY_ERRORS = (411, 413, 415, 422)
"""The statuses of errors that an operation with a body may have."""

View = Callable[..., Any]


class ApiBlueprint(Blueprint):  # type: ignore[misc]
    """The operations under `/api/v1/<name>`."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(
        self, name: str, authenticator: Authenticator, *media_types: str
    ) -> None:
        super().__init__(name, __name__, url_prefix=f"/api/v1/{name}")
        self._authenticator = authenticator
        # Before authentication: asgi.py does not read a body that is refused here.
        self.before_request(partial(check_content_headers, media_types))

    def authorize(self, *scopes: str) -> Callable[[View], View]:
        """Return a decorator that requires a token with one of some scopes.

        It stands above `arguments`, so that no body is read without a token.
        """

        def decorate(view: View) -> View:
            @wraps(view)
            def authorized(*args: Any, **kwargs: Any) -> Any:
                self._authenticator.authorize(scopes)
                return view(*args, **kwargs)

            # OpenAPI: one of these alternatives is enough.
            security = [{"bearer": [scope]} for scope in scopes]
            errors = _error_responses((401, 403, 429))
            documented: View = self.doc(security=security, responses=errors)(authorized)
            return documented

        return decorate

    def errors(self, *statuses: int) -> Callable[[View], View]:
        """Return a decorator that documents statuses of errors.

        400 and 503 are added, which every operation may answer.
        """
        # `alt_response` for each would call every view through ten functions.
        decorate: Callable[[View], View] = self.doc(
            responses=_error_responses((400, *statuses, 503))
        )
        return decorate

    def merge_patch(self, component: str, example: Any) -> Callable[[View], View]:
        """Return a decorator that documents a JSON merge patch as the body.

        `arguments` would load the patch, but only the patched document can be loaded.
        """
        return self.json_body(
            {"application/merge-patch+json": {"schema": component, "example": example}}
        )

    def json_body(self, content: dict[str, Any]) -> Callable[[View], View]:
        """Return a decorator that documents the body of a view that parses it itself.

        :param content: by media type, with schemas as `arguments` takes them.
        """
        decorate: Callable[[View], View] = self.doc(
            requestBody={"required": True, "content": content}
        )
        return decorate


def _error_responses(statuses: tuple[int, ...]) -> dict[int, str]:
    """Return the components of OpenAPI that describe errors, by status."""
    return {status: f"Error{status}" for status in statuses}
