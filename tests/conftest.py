"""Loops and isolation for every test."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from virtual_time import VirtualLoop

from voiso_async.ingest import gate

pytest_plugins = ["pytester", "row_report", "canary", "check_histories"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "virtual: runs on a clock that jumps over every wait")
    config.addinivalue_line(
        "markers", "unwatched: no history is kept: it would keep a client alive, or read what cannot be read"
    )


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    if item.get_closest_marker("virtual"):
        return {"virtual": VirtualLoop}
    return {"real": asyncio.new_event_loop}


@pytest.fixture(autouse=True)
def fresh_gates(monkeypatch: pytest.MonkeyPatch) -> dict[Any, Any]:
    """Virtual clocks begin at 0 in each test, so gates of another test mean nothing."""
    gates: dict[Any, Any] = {}
    monkeypatch.setattr(gate, "_GATES", gates)
    return gates
