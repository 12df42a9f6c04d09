"""Golden files: documents in a readable form, and digests of their exact bytes."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from lxml import etree

FOLDER = Path(__file__).parent.parent / "golden"
DIGESTS = FOLDER / "sha256.json"


def assert_golden(name: str, document: bytes) -> None:
    """Compare a document with its golden file, line by line, and by its digest.

    Set GOLDEN=write to write both, and read the difference before it is committed.
    """
    path = FOLDER / name
    digests: dict[str, str] = json.loads(DIGESTS.read_text("utf-8"))
    digest = hashlib.sha256(document).hexdigest()
    text = readable(name, document)
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8", newline="\n")
        digests[name] = digest
        ordered = json.dumps(digests, indent=1, sort_keys=True)
        DIGESTS.write_text(ordered + "\n", "utf-8")
    assert text.splitlines() == path.read_text("utf-8").splitlines()
    assert digest == digests[name], "the bytes differ, but not their readable form"


def readable(name: str, document: bytes) -> str:
    """Return a document with a line for each element, member or property."""
    if name.endswith((".rss", ".atom")):
        root: Any = etree.fromstring(document)
        etree.indent(root)
        return etree.tostring(root, encoding="unicode") + "\n"
    if name.endswith(".json"):
        return json.dumps(json.loads(document), ensure_ascii=False, indent=1) + "\n"
    return document.decode().replace("\r\n", "\n")
