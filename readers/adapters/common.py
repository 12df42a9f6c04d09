"""Functions that adapters in Python share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
BEGIN, END = (
    datetime(2029, 12, 1, tzinfo=UTC),
    datetime(2031, 2, 1, tzinfo=UTC),
)
"""A period with every event of the corpus, for programs that expand series."""


@dataclass(frozen=True)
class Source:
    """A feed, its document in a file, and a directory that a program may keep."""

    url: str
    path: Path
    home: Path

    def run(self, *command: str | Path) -> str:
        """Run a command in the directory, and return its output."""
        environ = {**os.environ, "HOME": str(self.home), "LC_ALL": "C.UTF-8"}
        return subprocess.check_output(
            command,
            cwd=self.home,
            env=environ,
            stdin=subprocess.DEVNULL,
            text=True,
        )


Adapter = Callable[[Source], Iterable[Facts]]
_groups: dict[str, dict[str, Adapter]] = defaultdict(dict)


def shows(group: str) -> Callable[[Adapter], Adapter]:
    """Register the adapter of a program, which has the name of its package.

    :param group: `feed reader` or `calendar program`, which people use, `feed library`
        or `calendar library`
    """

    def register(adapter: Adapter) -> Adapter:
        _groups[group][adapter.__name__.replace("_", "-")] = adapter
        return adapter

    return register


def pick(item: Any, paths: str) -> Facts:
    """Return facts of an object, each by the path of its value.

    `link date=published enclosures=files.url|files.href` are the attribute or key
    `link`, `published`, and `url` of each member of `files`, or `href` if none has that;
    `content.0.value` is that of the first member.
    """
    facts = {}
    for word in paths.split():
        name, _, alternatives = word.partition("=")
        values = (
            _follow(item, path.split(".")) for path in (alternatives or name).split("|")
        )
        facts[name] = next(filter(None, values), None)
    return facts


def _follow(value: Any, names: list[str]) -> Any:
    if not names:
        return value
    name, *rest = names
    if name == "0":
        return _follow(next(iter(value or ()), None), rest)
    if isinstance(value, list | tuple):
        values = (_follow(member, names) for member in value)
        return [value for value in values if value]
    if isinstance(value, Mapping) and name in value:
        return _follow(value[name], rest)
    return _follow(getattr(value, name, None), rest)


def main() -> None:
    """Print the programs by group, or what one shows of a feed."""
    if len(sys.argv) == 1:
        print(json.dumps({group: [*names] for group, names in _groups.items()}))
        return
    name, url, path, home = sys.argv[1:]
    (adapter,) = [names[name] for names in _groups.values() if name in names]
    shown = adapter(Source(url, Path(path), Path(home)))
    print(json.dumps(list(shown), default=str))
