"""Everything that the service refuses or cannot do, as exceptions without HTTP.

`STATUSES` in web/errors.py gives each its HTTP status. Messages are shown to
clients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedsvc.feeds.query import CategoryFilter


@dataclass(frozen=True)
class FieldError:
    """An error in a document: where (a JSON pointer, RFC 6901) and what."""

    pointer: str
    detail: str


class FeedsvcError(Exception):
    """Root of the exceptions that are expected; the message is for the client."""

    retry_after: int | None = None
    """Seconds after which the same request may succeed; None where it will not."""


class BadRequest(FeedsvcError):
    """The request cannot be read: invalid JSON, or a bad parameter.

    :param parameter: the name of the bad parameter of a URL, which pages tell people in
        their own language.
    """

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


class ValidationFailed(FeedsvcError):
    """The document can be read, but breaks rules; `errors` has one item for each."""

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("The document has invalid fields.")
        self.errors = errors


class Unauthorized(FeedsvcError):
    """The token is missing or not valid."""


class Forbidden(FeedsvcError):
    """The token lacks a scope, or may not write in a category."""


class NotFound(FeedsvcError):
    """The resource does not exist, or is not public yet."""


class Gone(FeedsvcError):
    """The resource existed, and was removed.

    :param reason: the editors' notice for readers, as plain text.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class CategoryRenamed(FeedsvcError):
    """The category has another slug now."""

    def __init__(self, current_slug: str) -> None:
        super().__init__(f"The category is named “{current_slug}” now.")
        self.current_slug = current_slug


class FeedMoved(FeedsvcError):
    """The feed has another category filter now: a category was renamed."""

    def __init__(self, category_filter: CategoryFilter) -> None:
        super().__init__("The feed has another URL now.")
        self.category_filter = category_filter


class Conflict(FeedsvcError):
    """The request conflicts with what is stored, such as an id that is taken."""


class PreconditionFailed(FeedsvcError):
    """The stored version is not the one that the request names."""


class RateLimited(FeedsvcError):
    """The client sends more requests than it may.

    :param retry_after: seconds to wait.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many requests. Try again in {retry_after} seconds.")
        self.retry_after: int = retry_after


class Unavailable(FeedsvcError):
    """The database cannot be used at the moment, such as before its upgrade."""

    retry_after: int = 5
