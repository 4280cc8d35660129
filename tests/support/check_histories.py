"""Compares the three histories after every test that starts a sandbox, also without a ``Stage``."""

from collections.abc import Iterator
from typing import Any

import pytest
from http_histories import Histories

from voiso_async.sandbox import Sandbox


@pytest.fixture(autouse=True)
def check_histories(request: pytest.FixtureRequest) -> Iterator[list[Histories]]:
    """The histories of every sandbox of this test, its clients and their callers; a ``Stage`` keeps its own."""
    kept: list[Histories] = []
    if request.node.get_closest_marker("unwatched"):
        yield kept
        return
    make, record = Sandbox.__init__, Histories.record

    def making(sandbox: Sandbox, **options: Any) -> None:
        make(sandbox, **options)
        histories = Histories(sandbox, paced=False, alone=False)
        record(histories, patch)
        kept.append(histories)

    def recording(histories: Histories, patch: pytest.MonkeyPatch) -> None:
        kept[:] = [other for other in kept if other.sandbox is not histories.sandbox]
        record(histories, patch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sandbox, "__init__", making)
        patch.setattr(Histories, "record", recording)
        yield kept
    for histories in kept:
        if histories.urls:
            histories.check()
