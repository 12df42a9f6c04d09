"""Values of documents by JSON pointers."""

from copy import deepcopy
from typing import Any

ABSENT = object()
"""Stands for a member that is left out."""


def replace_value(document: Any, pointer: str, value: Any) -> Any:
    """Return a copy of a document with another value at a pointer, such as `#/a/0/b`."""
    copy = container = deepcopy(document)
    *steps, last = (
        int(step) if step.isdigit() else step.replace("~1", "/").replace("~0", "~")
        for step in pointer.split("/")[1:]
    )
    for step in steps:
        container = container[step]
    if value is ABSENT:
        del container[last]
    else:
        container[last] = value
    return copy
