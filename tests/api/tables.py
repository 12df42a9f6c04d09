"""Tables of cases in tests/data."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from tests import data


def read_table(name: str) -> dict[str, Any]:
    """Return the tables of a file."""
    path = Path(data.__file__).with_name(f"{name}.toml")
    return tomllib.loads(path.read_text("utf-8"))
