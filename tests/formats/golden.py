"""Golden files: documents in a readable form, with the digest of their exact bytes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from lxml import etree

FOLDER = Path(__file__).parent.parent / "golden"


def assert_golden(name: str, document: bytes) -> None:
    """Compare a document with its golden file, line by line, then by its digest.

    Set GOLDEN=write to write the file, and read the difference before it is committed.
    """
    path = FOLDER / name
    # Last, so that a difference in the text is reported first.
    digest = f"\nsha256 of the bytes: {hashlib.sha256(document).hexdigest()}\n"
    text = readable(name, document) + digest
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8", newline="\n")
    assert text.splitlines() == path.read_text("utf-8").splitlines(), (
        f"tests/golden/{name}; write it by GOLDEN=write"
    )


def readable(name: str, document: bytes) -> str:
    """Return a document with a line for each element, member or property."""
    if name.endswith((".rss", ".atom")):
        root: Any = etree.fromstring(document)
        etree.indent(root)
        return etree.tostring(root, encoding="unicode") + "\n"
    if name.endswith(".json"):
        return json.dumps(json.loads(document), ensure_ascii=False, indent=1) + "\n"
    return document.decode().replace("\r\n", "\n")
