"""The image installs the versions of requirements.txt, with hashes."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from tests.server import ROOT


def pinned(text: str) -> dict[str, str]:
    return {
        canonicalize_name(name): version
        for name, version in re.findall(r"^(\S+)==(\S+)", text, re.M)
    }


def test_image_has_the_same_versions_with_hashes() -> None:
    hashed = (ROOT / "deploy" / "requirements.txt").read_text("utf-8")
    assert pinned(hashed) == pinned((ROOT / "requirements.txt").read_text("utf-8"))
    blocks = re.split(r"^(?=\S+==)", hashed, flags=re.M)[1:]
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", block) for block in blocks)
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    assert "COPY deploy/requirements.txt ." in dockerfile
    assert "--require-hashes -r requirements.txt" in dockerfile
