"""The packages import only what docs/architecture.md allows, under TYPE_CHECKING too."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "feedsvc"
PACKAGES = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}

MAY_IMPORT = {
    "api": {"feeds", "formats", "http", "storage"},
    "cli": PACKAGES,
    "feeds": {"http", "storage"},
    "formats": set(),
    "http": set(),
    "importers": {"api", "formats", "storage"},
    "server": PACKAGES,
    "storage": set(),
    "web": {"feeds", "formats", "http", "storage"},
    "websub": {"storage"},
}
"""The packages that each may import, besides itself and the modules of SHARED."""

MUST_NOT_IMPORT = {
    "api": {"sqlalchemy", "feedgen"},
    "cli": set(),
    "feeds": {"flask", "sqlalchemy", "feedgen", "marshmallow"},
    "formats": {
        "aiohttp",
        "flask",
        "http",
        "marshmallow",
        "requests",
        "socket",
        "sqlalchemy",
        "time",
    },
    "http": {"sqlalchemy", "marshmallow", "nh3"},
    "importers": {"sqlalchemy", "flask"},
    "server": {"sqlalchemy", "marshmallow", "feedgen"},
    "storage": {"flask", "marshmallow", "feedgen"},
    "web": {"sqlalchemy", "marshmallow", "nh3"},
    "websub": {"sqlalchemy", "feedgen", "marshmallow"},
}
"""The libraries that each package must not know."""

SHARED = {
    "embeds",
    "errors",
    "models",
    "feed_query",
    "recurrence",
    "suggestions",
    "words",
    "timezones",
}
"""The modules that every package may import."""


def imports(path: Path) -> set[str]:
    """Return the full names of what a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules() -> list[Path]:
    """Return every module of the package except the migrations."""
    return [path for path in PACKAGE.rglob("*.py") if "versions" not in path.parts]


@pytest.mark.parametrize(
    "path", modules(), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_module_imports_what_its_package_may(path: Path) -> None:
    package = path.relative_to(PACKAGE).parts[0]
    if package not in PACKAGES:
        return
    for name in imports(path):
        top, _, rest = name.partition(".")
        imported = rest.split(".")[0]
        assert top not in MUST_NOT_IMPORT[package], f"{package} imports {name}"
        if top == "feedsvc" and imported in PACKAGES - {package}:
            assert imported in MAY_IMPORT[package], f"{package} imports {name}"


def test_every_package_has_its_rules() -> None:
    assert set(MAY_IMPORT) == set(MUST_NOT_IMPORT) == PACKAGES


def test_docs_tell_the_modules_and_what_packages_may_import() -> None:
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text("utf-8")
    modules, packages = text.split("\n## ")[:2]
    documented = {
        name: PACKAGES if imported == "all" else set(filter(None, imported.split(", ")))
        for name, imported in re.findall(r"^- `(\w+)`(?: \((.*?)\))?:", packages, re.M)
    }
    assert documented == MAY_IMPORT
    assert {name for name in SHARED if f"{name}.py`" not in modules} == set()


def test_formats_read_no_clock() -> None:
    for path in (PACKAGE / "formats").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        names |= {node.id for node in nodes if isinstance(node, ast.Name)}
        assert not names & {"now", "today", "utcnow"}, path.name


def test_every_top_level_module_is_shared_or_an_entry_point() -> None:
    names = {path.stem for path in PACKAGE.glob("*.py")}
    assert names == SHARED | {"__init__", "__main__", "app", "services"}


@pytest.mark.parametrize("name", sorted(SHARED))
def test_shared_module_imports_no_package(name: str) -> None:
    own = {
        item for item in imports(PACKAGE / f"{name}.py") if item.startswith("feedsvc")
    }
    assert {item.split(".")[1] for item in own} <= SHARED


@pytest.mark.parametrize(
    "path", modules(), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_module_has_a_docstring(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    assert not tree.body or ast.get_docstring(tree)


def test_only_storage_has_sql() -> None:
    users = {
        path.relative_to(PACKAGE).parts[0]
        for path in modules()
        if any("sqlalchemy" in name for name in imports(path))
    }
    assert users == {"storage"}
