"""The walls between the stages, read from the imports."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "feedsvc"
STAGES = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}

# What each stage may import of the package, beside those in COMMON and itself.
MAY_IMPORT = {
    "ingest": {"store"},
    "store": set(),
    "select": set(),
    "render": set(),
    "deliver": {"select", "render"},
    "coming": {"ingest", "store"},
    "push": set(),
    "cli": STAGES,
}
# Libraries that a stage must not know.
MUST_NOT_IMPORT = {
    "ingest": {"sqlalchemy", "feedgen"},
    "store": {"flask", "marshmallow", "feedgen"},
    "select": {"flask", "sqlalchemy", "feedgen", "marshmallow"},
    "render": {"flask", "sqlalchemy", "requests", "marshmallow"},
    "deliver": {"sqlalchemy", "marshmallow", "nh3"},
    "coming": {"sqlalchemy", "flask"},
    "push": {"sqlalchemy", "feedgen", "marshmallow"},
    "cli": set(),
}


def imports(path: Path) -> set[str]:
    """The modules that a file imports, by their full names; for the type checker alone do not count."""
    found: set[str] = set()
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    blocks = [n for n in nodes if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    typed = {node for block in blocks for node in ast.walk(block)}
    for node in nodes:
        if node in typed:
            continue
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: a relative import"
            found |= {f"{node.module}.{name.name}" for name in node.names}
    return found


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_wall_is_broken(path: Path) -> None:
    stage = path.relative_to(PACKAGE).parts[0]
    if stage not in STAGES:
        return
    for name in imports(path):
        top, _, rest = name.partition(".")
        other = rest.split(".")[0]
        assert top not in MUST_NOT_IMPORT[stage], f"{stage} imports {name}"
        if top == "feedsvc" and other in STAGES - {stage}:
            assert other in MAY_IMPORT[stage], f"{stage} imports {name}"


def test_every_stage_has_its_rules() -> None:
    assert set(MAY_IMPORT) == set(MUST_NOT_IMPORT) == STAGES


COMMON = (
    "stamps",
    "withdrawal",
    "access",
    "model",
    "query",
    "recurrence",
    "nearby",
    "occurrences",
    "errors",
    "subscription",
    "timezones",
    "date_range",
)


@pytest.mark.parametrize("name", COMMON)
def test_what_everyone_may_import_imports_no_stage(name: str) -> None:
    used = {found.split(".")[1] for found in imports(PACKAGE / f"{name}.py") if found.startswith("feedsvc")}
    assert used <= set(COMMON)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_has_one_job(path: Path) -> None:
    assert path.read_text("utf-8").count("\n") <= 300
    tree = ast.parse(path.read_text("utf-8"))
    if tree.body:
        assert ast.get_docstring(tree), "a module says what it is for"


def test_only_the_store_has_sql() -> None:
    using = {
        path.relative_to(PACKAGE).parts[0]
        for path in modules()
        if any("sqlalchemy" in n for n in imports(path))
    }
    assert using == {"store"}
