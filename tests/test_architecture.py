"""The packages import only what docs/architecture.md allows, under TYPE_CHECKING too."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "feedsvc"
PACKAGES = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}

MAY_IMPORT = {
    name: set(filter(None, imported.split(", ")))
    for name, imported in re.findall(
        r"^- `(\w+)/`(?: \((.*)\))?:",
        (PACKAGE.parent / "docs/architecture.md").read_text("utf-8"),
        re.M,
    )
}
"""The packages that each may import, as documented."""

MUST_NOT_IMPORT = {
    "feeds": {"flask"},
    "formats": {"flask", "sqlalchemy", "socket", "time"},
    "importers": {"flask"},
    "input": {"flask", "sqlalchemy"},
    "storage": {"flask", "marshmallow", "feedgen"},
}
"""The libraries that a package must not know."""


def imports(path: Path) -> set[str]:
    """Return the full names of what a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules(package: str) -> list[Path]:
    """Return every module of a package except the migrations."""
    paths = (PACKAGE / package).rglob("*.py")
    return [path for path in paths if "versions" not in path.parts]


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_package_imports_what_it_may(package: str) -> None:
    for path in modules(package):
        for name in imports(path):
            for library in MUST_NOT_IMPORT.get(package, ()):
                assert not f"{name}.".startswith(f"{library}."), f"{path}: {name}"
            top, _, rest = name.partition(".")
            imported = rest.split(".")[0]
            if top == "feedsvc" and imported in PACKAGES - {package}:
                assert imported in MAY_IMPORT[package], f"{path}: {name}"


def test_formats_read_no_clock() -> None:
    for path in modules("formats"):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        names |= {node.id for node in nodes if isinstance(node, ast.Name)}
        assert not names & {"now", "today", "utcnow"}, path.name
