"""The house as it is meant to stand: imports point down, names are declared, facts agree."""

import ast
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import voiso_async

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "voiso_async"

FLOORS = [
    "sandbox",
    *(
        "version",
        "errors",
        "statuses",
        "values",
        "events",
        "phone",
        "wire",
        "retry",
        "convert",
        "models",
        "decipher",
        "faults",
        "attempt",
        "transport",
        "auth",
        "oauth",
        "session",
    ),
    *("pages", "paginator"),
    *("ingest.outcome", "ingest.policy", "ingest.rows", "ingest.report", "ingest.usual", "ingest.intake"),
    *("ingest.bisection", "ingest.verdict", "ingest.batch", "ingest.submission", "ingest.durable", "ingest.gate"),
    *("ingest.accumulator", "ingest.handler", "ingest.lane", "ingest.jobs", "ingest.store", "ingest.drain"),
    *("ingest.source", "ingest.ingestion", "ingest.batcher", "ingest"),
    *("outbox.base", "outbox.loading"),
    *(
        "outbox.sqlite.bell",
        "outbox.sqlite.faults",
        "outbox.sqlite.owners",
        "outbox.sqlite.schema",
        "outbox.sqlite.ledger",
        "outbox.sqlite.seen",
        "outbox.sqlite.shares",
        "outbox.sqlite.worker",
        "outbox.sqlite.storing",
        "outbox.sqlite.working",
        "outbox.sqlite.reading",
        "outbox.sqlite.keeping",
        "outbox.sqlite.recovery",
        "outbox.sqlite.picking",
        "outbox.sqlite.claims",
        "outbox.sqlite.closing",
        "outbox.sqlite.door",
        "outbox.sqlite.taking",
        "outbox.sqlite.copying",
        "outbox.sqlite.loader",
        "outbox.sqlite.housekeeping",
        "outbox.sqlite.outbox",
        "outbox.sqlite",
        "outbox",
    ),
    *("resources.params", "resources.members", "resources.campaigns", "resources.users", "resources.leads"),
    *("resources", "answer", "client", "talkdesk", "testing", "files", "cli"),
]
"""Ground floor first: a room stands above all that it imports."""

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
LIBRARIES = {
    "aiohttp": {"faults", "attempt", "transport", "sandbox"},
    "cattrs": {"convert"},
    # values are what is made for each lead of millions: a Struct costs a fifth of a frozen attrs class
    "msgspec": {"values", "convert", "ingest.usual", "sandbox"},
    "cyclopts": {"cli"},
    "rich": {"cli"},
    "sqlite3": {f"outbox.sqlite.{name}" for name in ("faults", "ledger", "schema", "seen", "worker")},
    "pytest": {"testing"},
    "jwt": {"talkdesk", "sandbox"},
    "cryptography": {"talkdesk"},
}


def room(module: str) -> str:
    """The floor plan's name for a module: its own, or that of its folder."""
    name = module.removeprefix("voiso_async").removeprefix(".")
    return name if name in FLOORS else name.partition(".")[0]


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module), node.lineno
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from ((name, node.lineno) for name in names if name in MODULES)


def own_imports(path: Path) -> list[str]:
    return [name for name, _ in imports_of(path) if name.partition(".")[0] == "voiso_async"]


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) and not m.startswith("voiso_async.sandbox")])
def test_imports_point_down(module: str) -> None:
    here = room(module)
    assert here in FLOORS, f"{module} has no floor yet"
    for name in own_imports(MODULES[module]):
        if name == "voiso_async":
            assert here in {"cli", "files"}, "only the top floor uses the front door"
        elif room(name) != here:
            assert FLOORS.index(room(name)) < FLOORS.index(here), f"{module} imports {name}, which stands above it"


def test_no_module_imports_itself_through_others() -> None:
    graph = {module: {n for n in own_imports(path) if n in MODULES} - {module} for module, path in MODULES.items()}
    standing = dict(graph)
    while ground := [module for module, needs in standing.items() if not needs & standing.keys()]:
        for module in ground:
            del standing[module]
    assert {} == standing, "a circle"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("voiso_async.sandbox")])
def test_the_sandbox_shares_no_code(module: str) -> None:
    """Two independent readings of one contract check each other."""
    assert all(name.startswith("voiso_async.sandbox") for name in own_imports(MODULES[module]))


@pytest.mark.parametrize("module", MODULES)
def test_own_imports_stand_at_the_top(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text())
    top = {node.lineno for node in tree.body}
    for name, line in imports_of(MODULES[module]):
        assert not name.startswith("voiso_async") or line in top


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_library_is_known_where_it_belongs(library: str) -> None:
    knowing = {
        room(module)
        for module, path in MODULES.items()
        if any(name.partition(".")[0] == library for name, _ in imports_of(path))
    }
    assert knowing <= LIBRARIES[library]


@pytest.mark.parametrize("module", [m for m in MODULES if not m.endswith("__main__") and ".cli" not in m])
def test_all_is_sorted_and_complete(module: str) -> None:
    """What is public is declared, and what is declared exists."""
    loaded = importlib.import_module(module)
    tree = ast.parse(MODULES[module].read_text())
    defined = {
        node.name
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    }
    declared = getattr(loaded, "__all__", None)
    if declared is None:
        return
    assert len(declared) == len(set(declared))
    assert all(hasattr(loaded, name) for name in declared)
    assert defined <= set(declared)
    assert sorted(declared) == list(declared) or sorted(declared, key=_constants_first) == list(declared)


def _constants_first(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def test_version_is_the_newest_in_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    headings = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert project["version"] == headings[0] == voiso_async.__version__


def test_core_dependencies_are_the_five() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=~!]", dependency)[0] for dependency in project["dependencies"]}
    assert {"aiohttp", "attrs", "cattrs", "anyio", "msgspec"} == names


def test_top_level_holds_what_was_agreed() -> None:
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    agreed = {
        "pyproject.toml",
        "voiso_async",
        "tests",
        "benchmarks",
        "README.md",
        "CHANGELOG.md",
        ".ci",
        ".gitignore",
    }
    assert top <= agreed | {"LICENSE"}


@pytest.mark.parametrize("module", MODULES)
def test_a_file_is_one_noun(module: str) -> None:
    """Longer than this, it is two."""
    assert len(MODULES[module].read_text().splitlines()) <= 400


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("voiso_async.outbox.")])
def test_values_of_sql_stand_in_their_order_or_are_named(module: str) -> None:
    """Python 3.12 warns of numbered ones that are given in their order, and 3.14 refuses them."""
    assert [] == re.findall(r"\?[0-9]", MODULES[module].read_text())
