"""Files that `make golden` writes, and tests compare.

Golden files are documents in a readable form, with the digest of their exact bytes.
Parts of other files are generated from the code.
"""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from lxml import etree

FOLDER = Path(__file__).parent.parent / "golden"
ROOT = FOLDER.parent.parent


def assert_golden(name: str, document: bytes) -> None:
    """Compare a document with its golden file, line by line, then by its digest.

    Read the difference before a written file is committed.
    """
    path = FOLDER / name
    # Last, so that a difference in the text is reported first.
    digest = f"\nsha256 of the bytes: {hashlib.sha256(document).hexdigest()}\n"
    text = readable(name, document) + digest
    assert_file(path, text)


def assert_generated(path: Path, parts: dict[str, str]) -> None:
    """Compare parts of a file with what the code says.

    :param parts: by a pattern that matches the old part, and nothing else.
    """
    text = path.read_text("utf-8")
    for pattern, part in parts.items():
        before, *after = re.split(pattern, text)
        assert len(after) == 1, f"{path.relative_to(ROOT)}: {pattern}"
        text = before + part + after[0]
    assert_file(path, text)


def assert_file(path: Path, text: str) -> None:
    """Compare a file with a text, which `make golden` writes into it.

    Tests that call it, or one of the above, are marked `golden`.
    """
    if os.environ.get("GOLDEN") == "write":
        path.write_text(text, "utf-8", newline="\n")
    old = path.read_text("utf-8") if path.exists() else ""
    assert text.splitlines() == old.splitlines(), (
        f"{path.relative_to(ROOT)}: make golden writes it"
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
