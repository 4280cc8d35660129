"""The structure of the package: which package imports which, what is public, how long a function may be."""

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
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
TREES = {module: ast.parse(path.read_text()) for module, path in MODULES.items()}

FRONT = {"voiso_async", "voiso_async.client"}
LIBRARY = {"core", "models", "ingest", "outbox", "resources", "front"}
MAY_IMPORT = {
    "core": set(),
    "models": {"core"},
    "ingest": {"core", "models"},
    "outbox": {"core", "models", "ingest"},
    "resources": {"core", "models", "ingest", "outbox"},
    "front": LIBRARY,
    "talkdesk": LIBRARY - {"outbox"},
    "files": {"core", "ingest", "outbox"},
    "sandbox": set(),  # two independent readings of one contract check each other
    "testing": {"front", "ingest", "sandbox"},
    "cli": LIBRARY | {"talkdesk", "files", "sandbox"},
}
"""Which other packages each may import. A module in no folder belongs to ``core``, or is named in ``FRONT``."""

TOP_IMPORTERS = {"cli", "files"}
"""Who may import ``voiso_async`` itself, which imports nearly everything."""

KNOWN_BY = {
    "aiohttp": {"transport", "transport_errors", "sandbox"},
    "cattrs": {"convert"},
    # a Struct costs a fifth of a frozen attrs class: it is for values that exist once per lead
    "msgspec": {"_structs", "convert", "ingest", "sandbox"},
    "cyclopts": {"cli"},
    "rich": {"cli"},
    "sqlite3": {"outbox"},
    "pytest": {"testing"},
    "jwt": {"talkdesk", "sandbox"},
    "cryptography": {"talkdesk"},
}

PUBLIC = {
    f"voiso_async{name}"
    for name in (
        *("", ".errors", ".events", ".files", ".outbox", ".talkdesk", ".testing"),
        *("._structs", ".models", ".resources"),  # they pass on what others define
        *(".sandbox", ".sandbox.faults"),
    )
}
"""What users import: only these modules have ``__all__``."""

LONGEST = 40
"""Lines of a function, without signature and docstring."""

# Known exceptions. Each set may only shrink: an entry that is no exception any more fails its test.
EXTRA_FOLDERS: set[str] = set()
LONG_FUNCTIONS: set[str] = set()
PRIVATE_ALL: set[str] = set()


def package_of(module: str) -> str:
    """The first folder below ``voiso_async``, or for a module in none what it belongs to."""
    if module in FRONT:
        return "front"
    first = module.split(".")[1]
    return first if first in MAY_IMPORT else "core"


def imports_of(module: str) -> Iterator[tuple[str, int]]:
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield str(node.module), node.lineno
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from ((name, node.lineno) for name in names if name in MODULES)


IMPORTS = {module: list(imports_of(module)) for module in MODULES}
FOR_TYPES = {
    module: {
        line.lineno
        for node in tree.body
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for line in node.body
    }
    for module, tree in TREES.items()
}
"""The lines of imports that are never run: they point wherever a type is."""

OWN_IMPORTS = {
    module: {name for name, line in imports if name in MODULES and line not in FOR_TYPES[module]} - {module}
    for module, imports in IMPORTS.items()
}


def test_every_folder_is_a_package_with_known_imports() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders - MAY_IMPORT.keys() == EXTRA_FOLDERS
    assert MAY_IMPORT.keys() - folders == {"core", "front", "testing"}


def test_packages_import_only_what_they_may() -> None:
    wrong = {
        f"{module} imports {name}"
        for module in MODULES
        for name in OWN_IMPORTS[module] - {"voiso_async"}
        if package_of(name) not in MAY_IMPORT[package_of(module)] | {package_of(module)}
    }
    assert set() == wrong


def test_only_the_top_imports_the_package_itself() -> None:
    importers = {package_of(module) for module in MODULES if "voiso_async" in OWN_IMPORTS[module]}
    assert importers <= TOP_IMPORTERS


def test_no_module_imports_itself_through_others() -> None:
    left = dict(OWN_IMPORTS)
    while free := [module for module, needs in left.items() if not needs & left.keys()]:
        for module in free:
            del left[module]
    assert {} == left, "a circle"


def test_own_imports_stand_at_the_top() -> None:
    for module, tree in TREES.items():
        top = {node.lineno for node in tree.body} | FOR_TYPES[module]
        below = {name for name, line in IMPORTS[module] if name in MODULES and line not in top}
        assert set() == below, module


@pytest.mark.parametrize("library", KNOWN_BY)
def test_each_library_is_known_where_it_belongs(library: str) -> None:
    known = tuple(f"voiso_async.{name}." for name in KNOWN_BY[library])
    importers = {m for m in MODULES if library in {name.partition(".")[0] for name, _ in IMPORTS[m]}}
    assert importers
    assert set() == {module for module in importers if not f"{module}.".startswith(known)}


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return int(body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_no_function_is_too_long() -> None:
    long = {
        f"{package_of(module)}: {node.name}"
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and lines_of(node) > LONGEST
    }
    assert long == LONG_FUNCTIONS


def test_only_public_modules_have_all() -> None:
    with_all = {
        module
        for module, tree in TREES.items()
        for node in tree.body
        if isinstance(node, ast.Assign) and "__all__" in {ast.unparse(target) for target in node.targets}
    }
    assert PUBLIC <= with_all
    assert {package_of(module) for module in with_all - PUBLIC} == PRIVATE_ALL


def _constants_first(name: str) -> tuple[int, str]:
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("module", sorted(PUBLIC))
def test_all_is_sorted_and_complete(module: str) -> None:
    loaded = importlib.import_module(module)
    names: list[str] = loaded.__all__
    assert len(names) == len(set(names))
    assert all(hasattr(loaded, name) for name in names)
    assert sorted(names) == list(names) or sorted(names, key=_constants_first) == list(names)
    defined = {
        node.name
        for node in TREES[module].body
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
    }
    assert defined <= set(names)


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


def test_values_of_sql_stand_in_their_order_or_are_named() -> None:
    """Python 3.12 warns of numbered ones that are given in their order, and 3.14 refuses them."""
    numbered = {module for module, path in MODULES.items() if re.search(r"\?[0-9]", path.read_text())}
    assert set() == {module for module in numbered if module.startswith("voiso_async.outbox.")}
