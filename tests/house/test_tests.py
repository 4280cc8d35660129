"""Tests prove that the loops and branches they assert in were entered; their helpers are all explained."""

import ast
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

TESTS = Path(__file__).parents[1]
TREES = {path.stem: ast.parse(path.read_text()) for path in sorted(TESTS.rglob("*.py"))}
Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = [
    (module, node) for module, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, Function)
]

UNPROVEN: set[str] = set()
"""Known exceptions. The set may only shrink: a test that certainly asserts has to leave it."""


def is_assertion(node: ast.AST) -> bool:
    return isinstance(node, ast.Assert) or ast.unparse(node) in {"pytest.raises", "pytest.warns", "pytest.fail"}


def is_never_empty(iterable: ast.expr) -> bool:
    """A literal with items, a constant or an enum by its name, or what is made of these alone."""
    match iterable:
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            return bool(items)
        case ast.Name(id=name):
            return name[0].isupper()
        case ast.Call(func=ast.Attribute(value=value, attr="items")):
            return is_never_empty(value)
        case ast.Call(func=ast.Name(id="range"), args=args):
            return isinstance(args[-1], ast.Constant)
        case ast.Call(func=function, args=args):
            made_of = {"enumerate", "zip", "itertools.product"}
            return ast.unparse(function) in made_of and all(map(is_never_empty, args))
    return False


def some(nodes: Iterable[ast.AST]) -> bool:
    return any(map(certainly_asserts, nodes))


def certainly_asserts(node: ast.AST) -> bool:
    """Whether it asserts whenever it is run to its end. Functions inside of a test are taken to be called."""
    match node:
        case ast.If(body=body, orelse=orelse):
            return some(body) and some(orelse)
        case ast.Match(cases=cases):
            return all(some(case.body) for case in cases)
        case ast.For(iter=iterable, body=body):
            return is_never_empty(iterable) and some(body)
        case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=last):
            return some(last) or (some([*body, *orelse]) and all(some(handler.body) for handler in handlers))
        case ast.While() | ast.AsyncFor():
            return False
    return is_assertion(node) or some(ast.iter_child_nodes(node))


def test_tests_assert_on_every_way() -> None:
    unproven = {
        f"{module}::{function.name}"
        for module, function in FUNCTIONS
        if module.startswith("test_") and function.name.startswith("test_")
        if any(map(is_assertion, ast.walk(function))) and not some(function.body)
    }
    assert unproven == UNPROVEN


def test_tests_that_name_a_row_assert_something() -> None:
    """Themselves, or in a helper that they call."""
    asserting = {function.name for _, function in FUNCTIONS if any(map(is_assertion, ast.walk(function)))}
    silent = [
        f"{module}::{function.name}"
        for module, function in FUNCTIONS
        if any("mark.row" in ast.unparse(decorator) for decorator in function.decorator_list)
        if not any(map(is_assertion, ast.walk(function)))
        and asserting.isdisjoint(
            ast.unparse(node.func).rpartition(".")[2] for node in ast.walk(function) if isinstance(node, ast.Call)
        )
    ]
    assert [] == silent


def test_each_helper_stands_in_the_page_of_the_helpers() -> None:
    support = TESTS / "support"
    named = re.findall(r"`([a-z_*]+)`", (support / "README.md").read_text())
    helpers = [path.stem for path in support.glob("*.py")]
    assert [] == [helper for helper in helpers if not any(fnmatch(helper, name) for name in named)]
    assert {"post", "pythonpath"} == {
        name for name in named if not any(fnmatch(helper, name) for helper in helpers)
    }
