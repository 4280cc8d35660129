"""Pytest fixtures for users' own tests, registered as a plugin: a sandbox with the real rules, and a client.

::

    async def test_signup_reaches_the_campaign(voiso_sandbox, voiso_client):
        campaign = voiso_sandbox.add_campaign(id=3, name="Welcome")
        await my_backend.sign_up(voiso_client, "441632960123")
        assert "441632960123" in campaign.leads

``voiso_sandbox`` (a ``voiso_async.sandbox.Sandbox``) serves real HTTP from a thread of its own, so it also answers
while a synchronous test waits. The cooldown is scaled down to ``COOLDOWN`` seconds on both sides; for other rules
override the fixture ``voiso_rules``. ``voiso_client`` needs pytest-asyncio.
"""

from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from voiso_async.client import VoisoClient
from voiso_async.ingest.policy import LanePolicy

try:
    from pytest_asyncio import fixture as async_fixture
except ImportError:  # the sandbox alone is of use too
    async_fixture = pytest.fixture  # type: ignore[assignment]

__all__ = ["COOLDOWN", "voiso_client", "voiso_rules", "voiso_sandbox"]

COOLDOWN = 0.05


def _sandbox() -> Any:
    """Load the sandbox on first use: a test run that asks for none of this pays for none of it."""
    return import_module("voiso_async.sandbox")


@pytest.fixture
def voiso_rules() -> Any:
    """The ``Rules`` of ``voiso_sandbox``: the contract's, with a short cooldown."""
    return _sandbox().Rules(cooldown=COOLDOWN)


@pytest.fixture
def voiso_sandbox(voiso_rules: Any) -> Iterator[Any]:
    """A running ``Sandbox`` without campaigns; its ``url`` and ``key`` are for any client."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(_sandbox().Sandbox(rules=voiso_rules)) as sandbox,
    ):
        yield sandbox


@async_fixture
async def voiso_client(voiso_sandbox: Any, voiso_rules: Any) -> AsyncIterator[VoisoClient]:
    """A ``VoisoClient`` of ``voiso_sandbox``, closed after the test."""
    lane = LanePolicy(cooldown=voiso_rules.cooldown, doubt_backoff=voiso_rules.cooldown)
    async with VoisoClient(voiso_sandbox.key, base_url=voiso_sandbox.url, lane=lane) as client:
        yield client
