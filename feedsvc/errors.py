"""Everything that the service refuses or cannot do.

Each class knows its HTTP status. Messages are shown to clients.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class FieldError:
    """An error in a document: where (a JSON pointer, RFC 6901) and what."""

    pointer: str
    detail: str


class FeedsvcError(Exception):
    """Root of the exceptions that are expected; the message is for the client."""

    #: The HTTP status of the response.
    status: ClassVar[int]

    #: Seconds after which the same request may succeed; None where it will not.
    retry_after: int | None = None


class BadRequest(FeedsvcError):
    """The request cannot be read: invalid JSON, or a bad parameter.

    :param parameter: the name of the bad parameter of a URL, which pages tell people in
        their own language.
    """

    status = 400

    def __init__(self, message: str, parameter: str = "") -> None:
        super().__init__(message)
        self.parameter = parameter


class ValidationFailed(FeedsvcError):
    """The document can be read, but breaks rules; `errors` has one item for each."""

    status = 422

    def __init__(self, *errors: FieldError) -> None:
        super().__init__("The document has invalid fields.")
        self.errors = errors


class Unauthorized(FeedsvcError):
    """The token is missing or not valid."""

    status = 401


class Forbidden(FeedsvcError):
    """The token lacks a scope, or may not write in a category."""

    status = 403


class NotFound(FeedsvcError):
    """The resource does not exist, or is not public yet."""

    status = 404


class Gone(FeedsvcError):
    """The resource existed, and was removed.

    :param reason: the editors' notice for readers, as plain text.
    """

    status = 410

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class CategoryRenamed(FeedsvcError):
    """The category has another slug now.

    Reading it redirects; the status is for calls that name it in their body.
    """

    status = 404

    def __init__(self, current_slug: str) -> None:
        super().__init__(f"The category is named “{current_slug}” now.")
        self.current_slug = current_slug


class Conflict(FeedsvcError):
    """The request conflicts with what is stored, such as an id that is taken."""

    status = 409


class PreconditionFailed(FeedsvcError):
    """The stored version is not the one that the request names."""

    status = 412


class RateLimited(FeedsvcError):
    """The client sends more requests than it may.

    :param retry_after: seconds to wait.
    """

    status = 429

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many requests. Try again in {retry_after} seconds.")
        self.retry_after: int = retry_after


class TooManySearches(FeedsvcError):
    """Other searches run, which read all entries."""

    status = 503
    # Without Retry-After, which FreshRSS obeys for all feeds of the host.


class Unavailable(FeedsvcError):
    """The database cannot be used at the moment, or the service has too much to do."""

    status = 503
    retry_after: int = 5
