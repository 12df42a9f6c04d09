"""One tree of exceptions. The table in http/problem_details.py gives each its HTTP status."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One thing that is wrong with a document: where (a JSON pointer, RFC 6901) and what."""

    pointer: str
    detail: str


class FeedsvcError(Exception):
    """Root of everything that this service refuses or cannot do; the message is fit for a client."""


class BadRequest(FeedsvcError):
    """The request cannot be read: no strict JSON, or a bad parameter."""


class ValidationFailed(FeedsvcError):
    """A document that can be read breaks rules; `faults` names each."""

    def __init__(self, *faults: FieldError) -> None:
        super().__init__("The document breaks the rules for its fields.")
        self.errors = faults


class Unauthorized(FeedsvcError):
    """No token, or none that is valid."""


class Forbidden(FeedsvcError):
    """The token lacks a scope."""


class NotFound(FeedsvcError):
    """There is no such thing."""


class IdempotencyKeyConflict(FeedsvcError):
    """An Idempotency-Key was used before, for another body."""


class Gone(FeedsvcError):
    """It was there once, and was removed; `notice` is what the editors say of it, as text for readers."""

    def __init__(self, message: str, notice: str = "") -> None:
        super().__init__(message)
        self.reason = notice


class CategoryRenamed(FeedsvcError):
    """A category has another slug now, or a feed another selector: `new`, empty for a whole section."""

    def __init__(self, new: str) -> None:
        super().__init__(
            f"It is named “{new}” now." if new else "It is the whole section now."
        )
        self.current_slug = new


class Conflict(FeedsvcError):
    """What is stored stands against it."""


class PreconditionFailed(FeedsvcError):
    """What is stored is not what the request was made for."""


class PreconditionRequired(FeedsvcError):
    """The request must say which version it was made for."""


class RateLimited(FeedsvcError):
    """Too often in too short a time; `seconds` is how long to wait."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Too many requests; try again in {seconds} seconds.")
        self.retry_after = seconds


class Unavailable(FeedsvcError):
    """The database cannot do it now; it may work after some `seconds`."""

    retry_after = 5


class Busy(Unavailable):
    """Too much is being done at once; nothing is wrong with the database."""

    retry_after = 2

    def __init__(self) -> None:
        super().__init__(
            f"Too many large documents are being made; try again in {self.retry_after} seconds."
        )


class SchemaTooNew(FeedsvcError):
    """The database was made by a newer version than this one."""
