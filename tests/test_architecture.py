"""The packages import only what docs/architecture.md allows, under TYPE_CHECKING too.

An extension, a folder of `feedsvc/extensions`, is a package of its own.
"""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "feedsvc"
EXTENSIONS = {
    f"extensions/{path.name}"
    for path in (PACKAGE / "extensions").iterdir()
    if path.is_dir()
}
PACKAGES = {
    path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()
} - {"extensions", "text"} | EXTENSIONS

MAY_IMPORT = {
    name: set(filter(None, imported.split(", ")))
    for name, imported in re.findall(
        r"^- `([\w/]+)/`(?: \((.*)\))?:",
        (PACKAGE.parent / "docs/architecture.md").read_text("utf-8"),
        re.M,
    )
}
"""The packages that each may import, as documented."""

MUST_NOT_IMPORT = {
    "feeds": {"flask"},
    "formats": {"flask", "sqlalchemy", "socket", "time"},
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


def package_of(name: str) -> str:
    """Return the package that something imported is in, as a path."""
    top, *parts = name.split(".")
    length = 2 if parts[:1] == ["extensions"] else 1
    return "/".join(parts[:length]) if top == "feedsvc" else ""


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
            imported = package_of(name)
            if imported in PACKAGES - {package}:
                assert imported in MAY_IMPORT[package], f"{path}: {name}"


def test_texts_know_no_package() -> None:
    for path in modules("text"):
        known = {name for name in imports(path) if name.startswith("feedsvc.")}
        assert all(name.startswith("feedsvc.text.") for name in known), path


def test_core_knows_no_extension() -> None:
    core = [
        *PACKAGE.glob("*.py"),
        *(path for package in PACKAGES - EXTENSIONS for path in modules(package)),
    ]
    for path in core:
        assert not EXTENSIONS & {package_of(name) for name in imports(path)}, path


#: Modules that are pure functions of values, as formats are.
PURE_PAGES = [
    PACKAGE / f"pages/{name}.py"
    for name in ("html", "json_ld", "links", "values", "words")
]


def test_pages_are_made_of_values() -> None:
    for path in PURE_PAGES:
        tops = {".".join(name.split(".")[:2]) for name in imports(path)}
        assert not tops & {"feedsvc.storage", "feedsvc.web", "feedsvc.services"}, path
        assert (
            not {name.split(".")[0] for name in imports(path)}
            & MUST_NOT_IMPORT["formats"]
        ), path


def test_formats_read_no_clock() -> None:
    for path in [*modules("formats"), *PURE_PAGES]:
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        names |= {node.id for node in nodes if isinstance(node, ast.Name)}
        assert not names & {"now", "today", "utcnow"}, path.name
