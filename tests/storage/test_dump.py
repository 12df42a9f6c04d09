"""A dump that is not whole, or not one of ours, leaves an empty database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from feedsvc.errors import BadRequest
from feedsvc.models import Entry, utcnow
from feedsvc.storage import Storage
from tests.fake_clock import HANOI

Lines = list[dict[str, Any]]


def change_entry(**members: Any) -> Callable[[Lines], None]:
    def change(lines: Lines) -> None:
        (entry,) = (line["entries"] for line in lines if "entries" in line)
        entry.update(members)

    return change


def add_before_end(line: Any) -> Callable[[Lines], None]:
    return lambda lines: lines.insert(-1, line)


CHANGES: dict[str, Callable[[Lines], object]] = {
    "no end": lambda lines: lines.pop(),
    "a row too few": lambda lines: lines.pop(-2),
    "other schema": lambda lines: lines[0].update(feedsvc="0000"),
    "unknown table": add_before_end({"pictures": {}}),
    "no object": add_before_end(["entries"]),
    "two members": add_before_end({"entries": {}, "categories": {}}),
    "row is a list": add_before_end({"entries": [1]}),
    "row lacks values": add_before_end({"entries": {"pk": 7}}),
    "time is a number": change_entry(published=7),
    "time is no time": change_entry(published="soon"),
    "number is a text": change_entry(pk="x"),
}


@pytest.mark.both_databases
@pytest.mark.parametrize("name", CHANGES)
def test_malformed_dump_is_refused_and_leaves_nothing(
    storage: Storage, tmp_path: Path, name: str
) -> None:
    source = Storage(f"sqlite:///{tmp_path}/source.db", utcnow, HANOI)
    source.upgrade()
    with source.writer("editor") as writer:
        writer.entries.put(Entry("a", "news", "Một", "vi"))
    lines = [json.loads(line) for line in source.dump()]
    source.close()
    CHANGES[name](lines)
    with pytest.raises(BadRequest):
        storage.load_dump(json.dumps(line).encode() for line in lines)
    with storage.reader() as reader:
        assert reader.entries.get_by_ids(["a"]) == {}
