"""Strict JSON (RFC 8259): what two parsers could read in two ways is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

from feedsvc.errors import BadRequest

MAX_DEPTH = 32


def loads_strict(body: bytes) -> Any:
    """The JSON value in `body`.

    :raises Malformed: no UTF-8 or no JSON, a key twice, NaN or Infinity, a number that is too large, or
        more than 32 levels of nesting.
    """
    try:
        value = STRICT_DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"The body is not UTF-8: byte {error.start} is wrong."
        ) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"The body is not JSON: {error.msg} at {where}.") from None
    except RecursionError:
        raise _too_deep() from None
    return check_depth(value)


def check_depth(value: Any) -> Any:
    """A parsed value itself.

    :raises Malformed: it nests more than 32 levels deep.
    """
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        members = [item.values() if isinstance(item, dict) else item for item in level]
        level = [
            child
            for children in members
            for child in children
            if isinstance(child, (dict, list))
        ]
        if not level:
            return value
    raise _too_deep()


def apply_merge_patch(document: Any, patch: Any) -> Any:
    """A document with a JSON merge patch applied (RFC 7396 §2)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = apply_merge_patch(merged.get(name), value)
    return merged


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise BadRequest(f"The key {json.dumps(twice)} stands twice in one object.")
    return found


def _constant(name: str) -> Any:
    raise BadRequest(f"{name} is not JSON.")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadRequest(f"The number {text[:40]} is too large.")
    return number


def _int(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise BadRequest(f"The number {text[:40]} is too large.")
    return int(text)


def _too_deep() -> BadRequest:
    return BadRequest(f"The body nests more than {MAX_DEPTH} levels deep.")


STRICT_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_float=_float,
    parse_int=_int,
)
"""Python's own decoder, made strict; it reads text."""
