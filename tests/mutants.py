"""`make mutants`: change the code in one place, and see whether a test notices.

Of all small changes to some packages, a sample is drawn with a fixed seed. For each, the
tests of the package's own folder that run the changed line are run until one fails, the
fastest first; for a line that runs at import, all tests of the folder. A change that
survives all of them shows a rule that no test holds. (cosmic-ray and mutmut have one test
command for all files, and no sample by a seed.)
"""

from __future__ import annotations

import argparse
import ast
import os
import queue
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from coverage import CoverageData

from tests.scratch import scratch_directory

ROOT = Path(__file__).parent.parent
TESTS = {
    "storage": ("tests/storage",),
    "feeds": ("tests/feeds", "tests/web", "tests/integration/test_clock_skew.py"),
    "feed_query.py": ("tests/test_feed_query.py",),
    "http": ("tests/web",),
    "api": ("tests/api", "tests/web/test_api_docs.py"),
}
"""The tests that must notice a change in a package or module of feedsvc."""

# A wrong rule is as wrong on SQLite, where the tests take half the time.
SELECTION = ["-k", "not postgresql"]

SEED, MIN_KILLED = 16, 85
"""MIN_KILLED is a percentage."""

TEST_LIMIT, STOP_LIMIT = 120, 30
"""Seconds for one test, and for pytest to stop after that."""

PAIRS = (
    (ast.Lt, ast.LtE),
    (ast.Gt, ast.GtE),
    (ast.Eq, ast.NotEq),
    (ast.Is, ast.IsNot),
    (ast.In, ast.NotIn),
    (ast.And, ast.Or),
    (ast.Add, ast.Sub),
    (ast.Mult, ast.FloorDiv),
)
SWAPS = dict(PAIRS) | {second: first for first, second in PAIRS}
# Annotations are never evaluated here, so no test could notice a change of one.
SKIPPED_FIELDS = ("annotation", "returns", "decorator_list", "bases")


class Mutator(ast.NodeTransformer):
    """Lists the possible changes of a module, and makes the one with a number."""

    def __init__(self, number: int = -1) -> None:
        self.number, self.descriptions = number, list[str]()
        self.lines = list[range]()
        """The lines of the statement that each change is in, up to the change; none for
        code that runs at import, which coverage counts for the first test that imports.
        """
        self._statement, self._is_in_function = 0, False

    def visit(self, node: ast.AST) -> ast.AST:
        """Visit a node's fields, then offer the change of the node itself."""
        outer = self._statement, self._is_in_function
        if isinstance(node, ast.stmt):
            self._statement = node.lineno
        if isinstance(node, ast.FunctionDef):
            self._is_in_function = True
        changed = self._offer(node)
        self._statement, self._is_in_function = outer
        return changed

    def _offer(self, node: ast.AST) -> ast.AST:
        skipped = {name: node.__dict__.pop(name, None) for name in SKIPPED_FIELDS}
        self.generic_visit(node)
        vars(node).update(skipped)
        changed = change(node)
        if changed is None:
            return node
        before, after = (" ".join(ast.unparse(n).split()) for n in (node, changed))
        line = getattr(node, "lineno", 0)
        self.descriptions.append(f"{line}: {before:.90} → {after:.90}")
        begin = self._statement if self._is_in_function else line + 1
        self.lines.append(range(begin, line + 1))
        return changed if len(self.descriptions) - 1 == self.number else node


def change(node: ast.AST) -> ast.AST | None:
    """Return a node with a mistake that programmers make; None for other nodes."""
    changed: Any = copy(node)
    match node:
        case ast.Compare(ops=[op, *others]) if type(op) in SWAPS:
            changed.ops = [SWAPS[type(op)](), *others]
        case ast.BoolOp(op=op) | ast.BinOp(op=op) | ast.AugAssign(op=op):
            if type(op) not in SWAPS:
                return None
            changed.op = SWAPS[type(op)]()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            changed = operand
        case ast.Constant(value=bool() as flag):
            changed.value = not flag
        case ast.Constant(value=int() as number):
            # One more of a large number, such as a limit in bytes, is no mistake.
            changed.value = number + 1 if number < 100 else number * 2
        case ast.Tuple(elts=[_, *_] as items) | ast.Set(elts=[_, *_] as items):
            # A list that code reads, such as one of columns, loses its last item.
            if not all(isinstance(item, ast.Constant) for item in items):
                return None
            changed.elts = items[:-1]
        case ast.If(test=ast.Name() | ast.Call() | ast.Attribute() as test):
            if ast.unparse(test) == "TYPE_CHECKING":
                return None
            changed.test = ast.UnaryOp(ast.Not(), test)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            changed.value = ast.Constant(None)
        case ast.Expr(value=ast.Call()) | ast.Raise():
            changed = ast.Pass()
        case ast.Break():
            changed = ast.Continue()
        case _:
            return None
    result: ast.AST = ast.copy_location(changed, node)
    return result


@dataclass(frozen=True)
class Mutant:
    """The change with a number of a file."""

    package: str
    path: Path
    number: int
    description: str
    lines: range

    def code(self) -> str:
        """Return the file with the change."""
        tree = ast.parse((ROOT / self.path).read_text("utf-8"))
        return ast.unparse(ast.fix_missing_locations(Mutator(self.number).visit(tree)))

    def tests(self, measured: Measurement) -> list[str]:
        """List the tests that may notice: those that run the line first, then by speed."""
        lines = measured.coverage.contexts_by_lineno(str(ROOT / self.path))
        contexts = {context for line in self.lines for context in lines.get(line, ())}
        # pytest-cov names a context by the test and its phase; imports have none. All
        # cases of a test run, since the names of some are no arguments for pytest.
        covering = {re.split(r"[|\[]", context)[0] for context in contexts if context}
        tests = [
            test for test in measured.seconds if test.startswith(TESTS[self.package])
        ]
        if covering or (self.lines and not contexts):
            # Other tests of their files too: they may find in a cache of a shared
            # fixture what the covering test has put there.
            files = {test.partition("::")[0] for test in covering}
            tests = [test for test in tests if test.partition("::")[0] in files]
        words = [word.rstrip("s") for word in self.path.stem.split("_")]
        return sorted(
            tests,
            key=lambda test: (
                test not in covering,
                -sum(word in test for word in words),
                measured.seconds[test],
            ),
        )


def list_mutants(within: Sequence[str] = ()) -> Iterator[Mutant]:
    """Yield every mutant, in the same order each time.

    :param within: files and folders (default: all that TESTS names).
    """
    for package in TESTS:
        source = ROOT / "feedsvc" / package
        paths = sorted(source.rglob("*.py")) if source.is_dir() else [source]
        for path in paths:
            name = str(path.relative_to(ROOT))
            if "migrations" in path.parts or not name.startswith(tuple(within) or ""):
                continue
            mutator = Mutator()
            mutator.visit(ast.parse(path.read_text("utf-8")))
            changes = zip(mutator.descriptions, mutator.lines, strict=True)
            for number, (description, lines) in enumerate(changes):
                yield Mutant(
                    package, path.relative_to(ROOT), number, description, lines
                )


@dataclass(frozen=True)
class Measurement:
    """A run of the tests without a change.

    :param seconds: the duration of each test, of all its cases together.
    """

    coverage: CoverageData
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """The resources of all mutants: free copies of the code, their tests, the end."""

    copies: queue.Queue[Path]
    measured: Measurement
    deadline: float


def run(mutant: Mutant, shared: Run) -> tuple[bool, str] | None:
    """Run the tests of a mutant in a free copy; return whether it was killed, and how.

    None is returned if there is no time left.
    """
    if time.monotonic() > shared.deadline:
        return None
    folder = shared.copies.get()
    file = folder / mutant.path
    file.write_text(mutant.code(), "utf-8")
    # Python knows changed code by the size and the second of its last change only.
    os.utime(file, (mutant.number + 1,) * 2)
    try:
        result, is_killed = run_tests(mutant.tests(shared.measured), folder)
    finally:
        shutil.copy2(ROOT / mutant.path, file)
        shared.copies.put(folder)
    text = f"{mutant.path}:{mutant.description} [{result}]"
    print("killed  " if is_killed else "SURVIVED", text, flush=True)
    return is_killed, text


def measure(packages: set[str], jobs: int, folder: Path) -> Measurement:
    """Run the packages' tests without a change.

    :raises SystemExit: a test fails, which would count as killing every mutant.
    """
    tests = sorted({name for package in packages for name in TESTS[package]})
    data_file = folder / "coverage"
    options = ["-q", "-rfE", "--durations=0", "--durations-min=0", "-n", str(jobs)]
    options += ["--cov-context=test", "--cov-report=", "--cov=feedsvc"]
    options += ["-p", "tests.mutants"]
    process = subprocess.run(
        [sys.executable, "-m", "pytest", *SELECTION, *options, *tests],
        cwd=ROOT,
        env={**_environ(), "COVERAGE_FILE": str(data_file)},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = re.findall(r"^(?:FAILED|ERROR) ([^\s\[]+)", process.stdout, re.MULTILINE)
    if failed:
        # While coverage is measured, code is slower and needs more memory.
        result, is_failed = run_tests(sorted(set(failed)), ROOT)
        if is_failed:
            sys.exit(f"Without a change: {result}")
    coverage = CoverageData(str(data_file))
    coverage.read()
    seconds: defaultdict[str, float] = defaultdict(float)
    for line in process.stdout.splitlines():
        phase = re.match(r"([0-9.]+)s (?:setup|call|teardown) +([^\s\[]+)", line)
        if phase:
            seconds[phase[2]] += float(phase[1])
    return Measurement(coverage, seconds)


def pytest_runtest_setup() -> None:
    """Empty the caches of functions before each test (a hook of pytest).

    Otherwise coverage counts the lines of such functions for the first test alone.
    """
    for name, module in list(sys.modules.items()):
        if not name.startswith("feedsvc."):
            continue
        for cached in vars(module).values():
            # Of the type, since a proxy of Flask has no attributes without an application.
            if hasattr(type(cached), "cache_clear"):
                cached.cache_clear()


def _environ() -> dict[str, str]:
    """Let Python write bytecode: pytest starts three times as fast from it."""
    environ = dict(os.environ)
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return environ


def run_tests(tests: list[str], folder: Path) -> tuple[str, bool]:
    """Return the test that failed, or what else happened, and whether any failed."""
    if not tests:
        return "no test of its folder runs the line", False
    options = ["-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider"]
    options += SELECTION
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "pytest", *options, *tests],
        cwd=folder,
        env={**_environ(), "PYTHONPATH": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout
        output = b""
        # Every test that ends writes a dot; a slow folder is no endless loop.
        while select.select([process.stdout], [], [], TEST_LIMIT)[0]:
            chunk = os.read(process.stdout.fileno(), 65536)
            if not chunk:
                break
            output += chunk
        else:
            # As Ctrl+C, so that pytest stops its servers.
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=STOP_LIMIT)
            except subprocess.TimeoutExpired:
                # Python waits for threads at its end, and the change may stop one.
                process.kill()
                process.communicate()
            return "timed out", True
    text = output.decode(errors="replace")
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", text, re.MULTILINE)
    if process.returncode and not failed and "conftest" not in text:
        raise RuntimeError(f"The tests cannot be run: {text[-2000:]}")
    if process.returncode == 0:
        return "all tests passed", False
    return failed[1] if failed else "no test can start", True


def main() -> None:
    """Draw mutants, run them, and print the share of killed ones and the survivors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("within", nargs="*", help="files or folders (default: all)")
    parser.add_argument("--mutants", type=int, default=300)
    parser.add_argument("--minutes", type=float, default=24 * 60)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    mutants = list(list_mutants(options.within))
    random.Random(SEED).shuffle(mutants)
    print(f"{options.mutants} of {len(mutants)} mutants, seed {SEED}", flush=True)
    del mutants[options.mutants :]
    copies: queue.Queue[Path] = queue.Queue()
    with tempfile.TemporaryDirectory(dir=scratch_directory()) as name:
        for job in range(options.jobs):
            copies.put(Path(name, str(job)))
            ignored = shutil.ignore_patterns(".git", ".venv", "node_modules", ".*cache")
            shutil.copytree(ROOT, Path(name, str(job)), ignore=ignored)
        packages = {mutant.package for mutant in mutants}
        measured = measure(packages, options.jobs, Path(name))
        deadline = time.monotonic() + 60 * options.minutes
        shared = Run(copies, measured, deadline)
        with ThreadPoolExecutor(options.jobs) as pool:
            results = list(pool.map(run, mutants, repeat(shared)))
    done = [(m, r) for m, r in zip(mutants, results, strict=True) if r]
    if not done:
        sys.exit("No mutant was run.")
    report(done)


def report(results: list[tuple[Mutant, tuple[bool, str]]]) -> None:
    """Print the results, and exit with 1 if too few mutants were killed."""
    print("\n| package | killed | survived |\n|---|---|---|")
    for package in TESTS:
        killed = [result[0] for m, result in results if m.package == package]
        print(f"| {package} | {killed.count(True)} | {killed.count(False)} |")
    survivors = [text for _, (is_killed, text) in results if not is_killed]
    share = 100 * (1 - len(survivors) / len(results))
    print(
        f"\nKilled: {share:.0f} % of {len(results)} (at least {MIN_KILLED} %). "
        "Survivors:",
        *survivors,
        sep="\n",
    )
    sys.exit(share < MIN_KILLED)


if __name__ == "__main__":
    main()
