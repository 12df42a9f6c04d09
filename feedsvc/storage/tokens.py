"""Bearer tokens of the API; only their SHA-256 hashes are stored.

A token is `fsv_`, 30 random characters, and a checksum of six, so that scanners can
recognize a leaked one and a mistyped one costs no query.
"""

from __future__ import annotations

import hashlib
import secrets
import string
import threading
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from feedsvc.errors import Conflict, NotFound, Unauthorized, Unavailable
from feedsvc.models import EPOCH, Clock, Token
from feedsvc.storage.change_log import IMPORT, MAINTENANCE
from feedsvc.storage.database import Database
from feedsvc.storage.tables import tokens

LAST_USED_THREAD = "token last used"
"""The name of the threads that store when a token was used."""

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "fsv_"
_SECRET_LENGTH = 30
_CHECKSUM_LENGTH = 6
_LAST_USED_RESOLUTION = timedelta(minutes=1)
_ALL = sa.select(*(tokens.c[field.name] for field in fields(Token)))
_BY_HASH = _ALL.where(tokens.c.hash == sa.bindparam("hash"))


class Tokens:
    """The tokens of a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._last_used: dict[str, datetime] = {}

    def create(
        self,
        name: str,
        scopes: Iterable[str],
        expires: datetime | None = None,
        *,
        replace: bool = False,
    ) -> str:
        """Create a token and return it; it cannot be read again.

        :param replace: take the place of a revoked or expired token of this name.
        :raises Conflict: the name is taken, or reserved for the change log.
        """
        # The log tells writers apart by these names.
        if name in {IMPORT} | MAINTENANCE:
            raise Conflict(f"The name “{name}” is reserved for the change log.")
        token = _generate()
        row = {
            "hash": _hash(token),
            "name": name,
            "scopes": sorted(scopes),
            "created": self._clock(),
            "expires": expires,
        }
        try:
            with self._database.write() as connection:
                if replace:
                    self._delete_ended(name, connection)
                connection.execute(tokens.insert(), row)
        except IntegrityError:
            raise Conflict(self._taken(name)) from None
        return token

    def _delete_ended(self, name: str, connection: sa.Connection) -> None:
        """Delete a token that is revoked or has expired."""
        now = self._clock()
        connection.execute(
            tokens.delete().where(
                tokens.c.name == name,
                sa.or_(tokens.c.revoked.is_not(None), tokens.c.expires <= now),
            )
        )

    def _taken(self, name: str) -> str:
        """Return why a name is taken, and what replaces its token."""
        stored = next((token for token in self.list() if token.name == name), None)
        now = self._clock()
        if stored and stored.revoked:
            state, advice = "a revoked", "`--replace` makes a new one"
        elif stored and stored.expires and stored.expires <= now:
            state, advice = "an expired", "`--replace` makes a new one"
        else:
            state, advice = "a valid", "choose another name"
        return f"There is {state} token named “{name}” already: {advice}."

    def authenticate(self, token: str) -> Token:
        """Return the stored token that a text is.

        :raises Unauthorized: it is mistyped, unknown, revoked or expired.
        """
        if not _has_valid_checksum(token):
            raise Unauthorized("The token is misspelt.")
        now = self._clock()
        with self._database.read() as connection:
            row = connection.execute(_BY_HASH, {"hash": _hash(token)}).one_or_none()
        if row is None:
            raise Unauthorized("The token is unknown.")
        # Only to a client that has the token.
        if row.revoked:
            raise Unauthorized("The token was revoked. Ask the operator for a new one.")
        if row.expires and row.expires <= now:
            raise Unauthorized(
                f"The token expired on {row.expires:%Y-%m-%d at %H:%M} UTC. "
                "Ask the operator for a new one."
            )
        self._update_last_used(row.name, now)
        return _token_from(row)

    def _update_last_used(self, name: str, now: datetime) -> None:
        """Store the minute in which a token was used.

        In a thread, since a request that only reads must not wait for writers.
        """
        if now - self._last_used.get(name, EPOCH) < _LAST_USED_RESOLUTION:
            return
        # Before the thread ends, or requests meanwhile would start others.
        self._last_used[name] = now

        def update() -> None:
            # Nobody waits for it, and the next minute's request stores it again.
            with suppress(Unavailable), self._database.write() as connection:
                connection.execute(
                    tokens.update().where(tokens.c.name == name).values(last_used=now)
                )

        threading.Thread(target=update, name=LAST_USED_THREAD, daemon=True).start()

    def list(self) -> list[Token]:
        """Return all tokens by name, revoked ones too."""
        with self._database.read() as connection:
            rows = connection.execute(_ALL.order_by(tokens.c.name)).all()
        return [_token_from(row) for row in rows]

    def revoke(self, name: str) -> None:
        """End a token at once and for good.

        :raises NotFound: there is no token of this name.
        """
        now = sa.literal(self._clock(), tokens.c.revoked.type)
        # The first time stays if the token was revoked before.
        statement = (
            tokens.update()
            .where(tokens.c.name == name)
            .values(revoked=sa.func.coalesce(tokens.c.revoked, now))
        )
        with self._database.write() as connection:
            if not connection.execute(statement).rowcount:
                raise NotFound(f"There is no token named “{name}”.")


def _generate() -> str:
    characters = (secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))
    return _with_checksum("".join(characters))


def _has_valid_checksum(token: str) -> bool:
    secret = token[len(_PREFIX) : -_CHECKSUM_LENGTH]
    # Not in constant time: anybody can compute the checksum of a guess.
    return len(secret) == _SECRET_LENGTH and token == _with_checksum(secret)


def _with_checksum(secret: str) -> str:
    """Return the token of a secret, which ends with the CRC-32 in base 62."""
    number = zlib.crc32(secret.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return _PREFIX + secret + digits


def _hash(token: str) -> str:
    # Without salt and rounds, which guard passwords: a random secret of 30 characters
    # cannot be guessed, and each request looks its token up by the hash.
    return hashlib.sha256(token.encode()).hexdigest()


def _token_from(row: sa.Row[Any]) -> Token:
    return Token(**{**row._mapping, "scopes": frozenset(row.scopes)})
