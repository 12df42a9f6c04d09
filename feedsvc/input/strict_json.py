"""Parse JSON strictly (RFC 8259): no parser may read the document in another way."""

import json
import math
from collections import Counter
from typing import Any, NoReturn

from feedsvc.errors import BadRequest

MAX_DEPTH = 32
#: Members of an object: each unknown one would be an error to report.
MAX_MEMBERS = 1000

#: Values of a document, by its commas and brackets, of which texts have fewer. An
#: object counts as four.
MAX_VALUES = 1_000_000


def loads_strict(body: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """Return the JSON value in a body.

    :raises BadRequest: it is not UTF-8 or not JSON, has a duplicate key, NaN,
        Infinity or a number that is too large, is nested too deep, has too many
        values, or has an object with too many members.
    """
    # An object takes as long as several other values.
    weights = {b",": 1, b"[": 1, b"{": 4}
    count = sum(weight * body.count(sign) for sign, weight in weights.items())
    if count > MAX_VALUES:
        raise BadRequest(f"The body has more than {MAX_VALUES:,} values.")
    try:
        value = _DECODER.decode(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise BadRequest(
            f"The body is not UTF-8: byte {error.start}, at line {line}."
        ) from None
    except json.JSONDecodeError as error:
        position = f"line {error.lineno}, column {error.colno}"
        raise BadRequest(f"The body is not JSON: {error.msg} at {position}.") from None
    except RecursionError:
        raise _too_deep(max_depth) from None
    _check_depth(value, max_depth)
    return value


def _check_depth(value: Any, max_depth: int) -> None:
    # Level by level instead of by recursion, whose limit is the process's.
    level = [value]
    for _ in range(max_depth + 1):
        containers = [item for item in level if isinstance(item, (dict, list))]
        if not containers:
            return
        level = []
        for item in containers:
            level.extend(item.values() if isinstance(item, dict) else item)
    raise _too_deep(max_depth)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise BadRequest(f"An object has more than {MAX_MEMBERS:,} members.")
    members = dict(pairs)
    if len(members) < len(pairs):
        duplicate, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise BadRequest(f"Duplicate key {json.dumps(duplicate)}.")
    return members


def _constant(name: str) -> NoReturn:
    raise BadRequest(f"The body is not JSON: {name} is no number.")


def _float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise BadRequest(f"The number {text[:40]} is too large.")
    return number


def _int(text: str) -> int:
    # The length is checked first: int() of a long text takes quadratic time.
    if len(text) > 20 or not -(2**63) <= int(text) < 2**63:
        raise BadRequest(f"The number {text[:40]} is too large.")
    return int(text)


def _too_deep(max_depth: int) -> BadRequest:
    return BadRequest(f"The body is nested more than {max_depth} levels deep.")


#: Python's decoder, made strict; it reads text.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_constant=_constant,
    parse_float=_float,
    parse_int=_int,
)
