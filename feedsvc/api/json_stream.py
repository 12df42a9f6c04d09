"""Bulk bodies read as a stream: a JSON array or NDJSON, one document at a time in little memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, Protocol

from feedsvc.api import strict_json
from feedsvc.errors import BadRequest

MAX_DOCUMENT = 4 * 1024 * 1024
"""Characters, or bytes, of one document at most."""

_CHUNK = 64 * 1024
_SPACE = " \t\r\n"


class Stream(Protocol):
    """Where a body comes from."""

    def read(self, size: int, /) -> bytes: ...


def iter_ndjson(stream: Stream) -> Iterator[Any]:
    """The documents of NDJSON; for a line that is no strict JSON, the Malformed that says why.

    :raises Malformed: a line is too long to be read on.
    """
    pending = b""
    while chunk := stream.read(_CHUNK):
        *lines, pending = (pending + chunk).split(b"\n")
        yield from map(_parsed, filter(bytes.strip, lines))
        if len(pending) > MAX_DOCUMENT:
            raise BadRequest(f"A line is longer than {MAX_DOCUMENT} bytes.")
    if pending.strip():
        yield _parsed(pending)


def iter_json_array(stream: Stream) -> Iterator[Any]:
    """The members of a JSON array.

    :raises Malformed: the body is no array, or stops being strict JSON.
    """
    text = _JsonScanner(stream)
    text.expect("[")
    if text.peek() != "]":
        yield text.document()
        while text.peek() != "]":
            text.expect(",")
            yield text.document()
    text.expect("]")
    if text.peek():
        raise BadRequest("Something follows the array.")


def _parsed(line: bytes) -> Any:
    try:
        return strict_json.loads_strict(line)
    except BadRequest as error:
        return error


class _JsonScanner:
    """The text of a stream, of which only what is not yet understood is kept."""

    def __init__(self, stream: Stream) -> None:
        self._stream, self._decode = (
            stream,
            codecs.getincrementaldecoder("utf-8")().decode,
        )
        self._text, self._position, self._ended = "", 0, False

    def peek(self) -> str:
        """The next character that is no white space, or nothing at the end."""
        while True:
            while (
                self._position < len(self._text)
                and self._text[self._position] in _SPACE
            ):
                self._position += 1
            if self._position < len(self._text) or not self._read():
                return self._text[self._position : self._position + 1]

    def expect(self, sign: str) -> None:
        """Pass over a sign that must come now."""
        if self.peek() != sign:
            raise BadRequest(f"The body is no JSON array: “{sign}” is missing.")
        self._position += 1

    def document(self) -> Any:
        """The document that begins here."""
        self.peek()
        while True:
            try:
                value, end = strict_json.STRICT_DECODER.raw_decode(
                    self._text, self._position
                )
                # A number may go on in what is not read yet; an object ends with its bracket.
                complete = isinstance(value, dict) or self._text[
                    end : end + 1
                ] in tuple(_SPACE + ",]")
            except RecursionError:
                raise BadRequest("The body nests too deep.") from None
            except json.JSONDecodeError as error:
                complete, value, end = False, error, 0
            if complete or not self._read():
                if isinstance(value, json.JSONDecodeError):
                    raise BadRequest(f"The body is not JSON: {value.msg}.")
                self._position = end
                return strict_json.check_depth(value)

    def _read(self) -> bool:
        """Read on: as much again as is kept, so that trying again costs little; False at the end."""
        self._text, self._position = self._text[self._position :], 0
        if len(self._text) > MAX_DOCUMENT:
            raise BadRequest(f"A document is longer than {MAX_DOCUMENT} characters.")
        while not self._ended:
            chunk = self._stream.read(max(_CHUNK, len(self._text)))
            self._ended = not chunk
            try:
                more = self._decode(chunk, self._ended)
            except UnicodeDecodeError:
                raise BadRequest("The body is not UTF-8.") from None
            if more:
                self._text += more
                return True
        return False
