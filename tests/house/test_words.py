"""Words that identifiers no longer use, because the field has a standard word for the thing.

Not listed, since they have an honest other use: ``call`` and ``answer`` (of a phone, of a server), ``settle``
(a public setting of the pace), ``gate``, ``parked`` and ``verdict`` (kept), ``line``, ``ring``, ``seen``,
``fresh``, ``quiet``, ``usual``, ``places``, ``names``, ``begun``, ``said``, ``told``, ``offer``, ``stop`` and
``leave`` (ordinary English).
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

RETIRED = {
    "accumulator": "agenda boarding filling",
    "batch bisection": "suspect suspects hopeless",
    "buffered source": "stocked",
    "claim": "wish wishes lent lender lenders owed flown",
    "file push, send context, state": "errand trip standing",
    "checks": "checkup",
    "conflicting, unexpected": "torn stranger strangers",
    "counts": "tally tallies",
    "database, submission": "ledger",
    "error body": "complaint",
    "escape": "unguarded",
    "gate": "door doors turnstile",
    "handler, effect, attempt": "landing landed reckoning carried",
    "normalise": "squeezed tidy",
    "operations, fork server": "deed deeds zygote",
    "oversize, forward compatibility": "flood floods surprise surprises",
    "placeholder, prefetched": "foreseen hollow",
    "reap": "bury",
    "redacted": "discreet",
    "report": "books notable",
    "request handler, server": "visit visits switchboard",
    "submission: close input, cancelled": "seal departed",
    "wakeup, on close, recovery hold": "bell hush farewell caution",
}
"""What is said now, and the words that it replaces."""

STILL_USED = """

"""
"""Known exceptions. The set may only shrink: a word that no identifier uses any more has to leave it."""


def words_of(identifier: str) -> Iterator[str]:
    """The words of snake_case, CamelCase and CONSTANT_CASE, in lower case."""
    for part in identifier.split("_"):
        yield from (word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", part))


def identifiers_of(tree: ast.Module) -> Iterator[str]:
    """What a module names itself: names that it only uses are found where they are given."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name


def users() -> dict[str, set[str]]:
    """The files that use each word in an identifier."""
    found: dict[str, set[str]] = defaultdict(set)
    for folder in ("voiso_async", "tests", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            file = path.relative_to(ROOT)
            for identifier in [*file.with_suffix("").parts, *identifiers_of(ast.parse(path.read_text()))]:
                for word in words_of(identifier):
                    found[word].add(str(file))
    return found


def test_words_are_split_as_they_are_written() -> None:
    assert ["http", "door", "of", "lent", "rows", "most"] == [
        word for name in ("HTTPDoor", "_of", "lentRows", "MOST") for word in words_of(name)
    ]


def test_every_kind_of_name_is_seen() -> None:
    source = """
import a as b
class C:
    d: int
    def e(self, f, *g, **h):
        self.i = j = (k := 1)
        for l, m in n: pass
        with o as p: pass
        try: ...
        except q as r: pass
        match s:
            case [t, *u]: pass
        return lambda v: [w for w in x]
"""
    assert set("bCdefghijklmprtuvw") | {"self"} == set(identifiers_of(ast.parse(source)))


def test_no_identifier_uses_a_retired_word() -> None:
    retired = {word for words in RETIRED.values() for word in words.split()}
    found = {word: sorted(files) for word, files in users().items() if word in retired}
    assert {} == {word: files for word, files in found.items() if word not in STILL_USED.split()}
    assert set() == set(STILL_USED.split()) - found.keys(), "no longer used: remove these from STILL_USED"
