"""Bearer tokens: made, looked up, rotated, revoked. Only their SHA-256 is stored."""

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

_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_PREFIX = "fsv_"
LAST_USED_THREAD = "note of use"
"""The name of the threads that note when a token is used."""

_USE_RESOLUTION = timedelta(minutes=1)
_TOKENS = sa.select(*(tokens.c[field.name] for field in fields(Token)))
_KNOWN = _TOKENS.where(
    sa.or_(
        tokens.c.hash == sa.bindparam("given"),
        sa.and_(
            tokens.c.previous_hash == sa.bindparam("given"),
            tokens.c.previous_valid_until > sa.bindparam("now"),
        ),
    )
)


class Tokens:
    """The tokens of a database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._noted: dict[str, datetime] = {}

    def create(
        self, name: str, scopes: Iterable[str], expires: datetime | None = None
    ) -> str:
        """Make a token and return it: the only time that it is to be seen.

        :raises Conflict: the name is taken, or one that the change log has for the service itself.
        """
        if name == IMPORT or name in MAINTENANCE:
            raise Conflict(f"“{name}” stands for the service itself in the change log.")
        token, now = _generate(), self._clock()
        row = {
            "hash": _hash(token),
            "name": name,
            "scopes": sorted(scopes),
            "created": now,
            "expires": expires,
        }
        try:
            with self._database.write() as connection:
                connection.execute(tokens.insert(), row)
        except IntegrityError:
            raise Conflict(f"There is a token named “{name}” already.") from None
        return token

    def authenticate(self, token: str) -> Token:
        """The stored token that this text is; a misspelt one is refused without a look at the database.

        :raises Unauthorized: it is none, or revoked, or its time is over.
        """
        secret, checksum = token[len(_PREFIX) : -6], token[-6:]
        if (
            not token.startswith(_PREFIX)
            or len(secret) != 30
            or not _constant_time_equals(checksum, _checksum(secret))
        ):
            raise Unauthorized("The token is misspelt.")
        now = self._clock()
        with self._database.read() as connection:
            row = connection.execute(
                _KNOWN, {"given": _hash(token), "now": now}
            ).one_or_none()
        if row is None or row.revoked or (row.expires and row.expires <= now):
            raise Unauthorized("The token is unknown, revoked or expired.")
        self._note_use(row.name)
        return _token_from(row)

    def _note_use(self, name: str) -> None:
        """Note when a token is used, to the minute, beside the request: it must not wait for a writer."""
        now = self._clock()
        if now - self._noted.get(name, EPOCH) < _USE_RESOLUTION:
            return
        self._noted[name] = now

        def note() -> None:
            with suppress(Unavailable), self._database.write() as connection:
                connection.execute(
                    tokens.update().where(tokens.c.name == name).values(last_used=now)
                )

        threading.Thread(target=note, name=LAST_USED_THREAD, daemon=True).start()

    def list(self) -> list[Token]:
        """Every token, revoked ones too, by name."""
        with self._database.read() as connection:
            return [
                _token_from(row)
                for row in connection.execute(_TOKENS.order_by(tokens.c.name))
            ]

    def rotate(
        self, name: str, grace: timedelta, expires: datetime | None = None
    ) -> str:
        """Make another token for a name; the present one works for the grace time, the one before it no more.

        :param expires: where None, it expires when the present one would.
        :raises NotFound: none is named so.
        :raises Conflict: it is revoked or has expired.
        """
        token, now = _generate(), self._clock()
        named = tokens.c.name == name
        with self._database.write() as connection:
            row = connection.execute(
                sa.select(tokens).where(named).with_for_update()
            ).one_or_none()
            if row is None:
                raise NotFound(f"There is no token named “{name}”.")
            if row.revoked or (row.expires and row.expires <= now and not expires):
                raise Conflict(f"The token “{name}” is revoked or has expired.")
            values = {
                "hash": _hash(token),
                "created": now,
                "expires": expires or row.expires,
                "previous_hash": row.hash,
                "previous_valid_until": min(now + grace, row.expires or now + grace),
            }
            connection.execute(tokens.update().where(named).values(values))
        return token

    def revoke(self, name: str) -> None:
        """End a token, and the one that it has replaced, at once, for good.

        :raises NotFound: none is named so.
        """
        first = sa.func.coalesce(
            tokens.c.revoked, sa.literal(self._clock(), tokens.c.revoked.type)
        )
        ended = tokens.update().where(tokens.c.name == name).values(revoked=first)
        with self._database.write() as connection:
            if not connection.execute(ended).rowcount:
                raise NotFound(f"There is no token named “{name}”.")


def _generate() -> str:
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(30))
    return _PREFIX + secret + _checksum(secret)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _checksum(secret: str) -> str:
    """Six base62 digits of the CRC-32."""
    number, digits = zlib.crc32(secret.encode("utf-8", "surrogatepass")), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def _constant_time_equals(given: str, wanted: str) -> bool:
    return secrets.compare_digest(
        given.encode("utf-8", "surrogatepass"), wanted.encode()
    )


def _token_from(row: sa.Row[Any]) -> Token:
    return Token(**{**row._mapping, "scopes": frozenset(row.scopes)})
