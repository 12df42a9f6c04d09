"""Bearer tokens of the API; only their SHA-256 hashes are stored.

A token is `fsv_` and 36 random hexadecimal digits, so that scanners can recognize a
leaked one.
"""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from feedsvc.errors import Conflict, NotFound, Unauthorized
from feedsvc.storage.categories import Categories
from feedsvc.storage.database import Database
from feedsvc.storage.tables import TokenRow


def create_token(
    database: Database,
    name: str,
    scopes: Iterable[str],
    categories: Iterable[str] = (),
    days: int | None = None,
) -> str:
    """Create a token and return it; it cannot be read again.

    A token of the same name that has ended is replaced.

    :param categories: slugs of those to which it is limited, if to any.
    :param days: it expires after them; never if None.
    :raises Conflict: there is a token of this name.
    :raises NotFound: a category does not exist.
    :raises Gone: a category was deleted.
    """
    token = f"fsv_{secrets.token_hex(18)}"
    with database.write() as transaction:
        session = transaction.session
        stored_categories = Categories(session)
        category_ids = [stored_categories.get_current(slug).id for slug in categories]
        row = session.scalar(sa.select(TokenRow).filter_by(name=name))
        if row and not _reason_to_refuse(row, transaction.now):
            raise Conflict(
                f"There is a token named “{name}” already: revoke it first, or choose "
                "another name."
            )
        if row is None:
            row = TokenRow(name=name)
            session.add(row)
        row.hash = _hash(token)
        row.scopes = sorted(scopes)
        row.category_ids = category_ids
        row.created_at = transaction.now
        row.expires_at = transaction.now + timedelta(days) if days else None
        row.revoked_at = None
    return token


def authenticate(database: Database, token: str) -> TokenRow:
    """Return the stored token that a text is.

    :raises Unauthorized: it is unknown, revoked or expired.
    """
    with database.read() as session:
        row = session.scalar(sa.select(TokenRow).filter_by(hash=_hash(token)))
        if row is None:
            raise Unauthorized("The token is unknown.")
        # Only a client that has the token is told.
        if reason := _reason_to_refuse(row, database.clock()):
            raise Unauthorized(f"The token {reason}. Ask the operator for a new one.")
        return row


def stored_tokens(session: Session) -> Iterable[TokenRow]:
    """Return all tokens by name, revoked ones too."""
    return session.scalars(sa.select(TokenRow).order_by(TokenRow.name))


def revoke_token(database: Database, name: str) -> None:
    """End a token, at once and for good.

    :raises NotFound: there is no token of this name.
    """
    with database.write() as transaction:
        row = transaction.session.scalar(sa.select(TokenRow).filter_by(name=name))
        if row is None:
            raise NotFound(f"There is no token named “{name}”.")
        # The first time stays if the token was revoked before.
        row.revoked_at = row.revoked_at or transaction.now


def _reason_to_refuse(row: TokenRow, now: datetime) -> str:
    """Return why a token has ended, or an empty text."""
    if row.revoked_at:
        return "was revoked"
    if row.expires_at and row.expires_at <= now:
        return "has expired"
    return ""


def _hash(token: str) -> str:
    # Salt and rounds guard passwords. A random secret of 144 bits cannot be guessed,
    # and each request looks its token up by the hash.
    return hashlib.sha256(token.encode()).hexdigest()
