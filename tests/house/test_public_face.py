"""What a public signature names can be imported from a public module."""

import importlib
import inspect
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import voiso_async

MODULES = ["voiso_async", "voiso_async.outbox", "voiso_async.files", "voiso_async.talkdesk", "voiso_async.events"]
EXPORTED = {
    id(getattr(importlib.import_module(module), name))
    for module in MODULES
    for name in importlib.import_module(module).__all__
}
MADE_FOR_USERS = {"OpenLeads", "Ingestion", "Paginator", "Listing", "LeadFile", "RecordAddition", "EventHook"}
"""Users get these from a method: what their constructors take is no concern of theirs."""
ENGINE_SIDE = {"gate", "release"}
"""Methods of an outbox that only the dispatcher and the lanes call."""


def types_in(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type) and annotation.__module__.partition(".")[0] == "voiso_async":
        yield annotation
    for part in annotation if isinstance(annotation, list | tuple) else typing.get_args(annotation):
        yield from types_in(part)


def signatures_of(cls: type) -> Iterator[tuple[str, Any]]:
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] != "voiso_async":
            continue
        for name, member in vars(base).items():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            skipped = name.startswith("_") and name not in ("__init__", "__aenter__", "__anext__")
            skipped = skipped or name in ENGINE_SIDE or (name == "__init__" and cls.__name__ in MADE_FOR_USERS)
            if inspect.isfunction(function) and not skipped:
                yield name, function


def named_by(module: str) -> Iterator[tuple[str, type]]:
    """Every class of ours that the signatures and fields of a module's public classes and functions name."""
    loaded = importlib.import_module(module)
    for public in loaded.__all__:
        thing = getattr(loaded, public)
        functions = [("", thing)] if inspect.isfunction(thing) else []
        if isinstance(thing, type):
            functions = list(signatures_of(thing))
            hints = typing.get_type_hints(thing, localns=vars(voiso_async))
            fields = {name: hint for name, hint in hints.items() if not name.startswith("_")}
            yield from ((f"{public}.{name}", kind) for name, hint in fields.items() for kind in types_in(hint))
        for name, function in functions:
            hints = typing.get_type_hints(function, localns=vars(voiso_async))
            yield from ((f"{public}.{name}", kind) for hint in hints.values() for kind in types_in(hint))


@pytest.mark.parametrize("module", MODULES)
def test_every_type_that_a_signature_names_can_be_imported(module: str) -> None:
    found = list(named_by(module))
    assert found
    private = {f"{where}: {kind.__name__}" for where, kind in found if id(kind) not in EXPORTED}
    assert {one for one in private if not one.rpartition(" ")[2].startswith("_")} == set()


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_a_docstring(module: str) -> None:
    loaded = importlib.import_module(module)
    things = [getattr(loaded, name) for name in loaded.__all__]
    assert all(inspect.getdoc(thing) for thing in things if isinstance(thing, type) or inspect.isfunction(thing))
