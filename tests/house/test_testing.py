"""The pytest fixtures for users, used as they would use them."""

from typing import Any

import pytest

from voiso_async import Outcome, VoisoClient
from voiso_async.sandbox import Rules, Sandbox


async def test_a_backend_is_tested_with_the_real_rules(voiso_sandbox: Sandbox, voiso_client: VoisoClient) -> None:
    campaign = voiso_sandbox.add_campaign(id=3, name="Welcome")
    report = await voiso_client.leads.add(3, ["441632960123"])
    assert report.ok
    assert ["441632960123"] == list(campaign.leads)
    assert 0 == voiso_sandbox.too_early


def test_the_sandbox_answers_a_synchronous_test_too(voiso_sandbox: Sandbox) -> None:
    from http.client import HTTPConnection

    connection = HTTPConnection("127.0.0.1", int(voiso_sandbox.url.rpartition(":")[2]), timeout=60)
    connection.request("GET", "/api/v4/campaigns", headers={"Authorization": f"Bearer {voiso_sandbox.key}"})
    assert 200 == connection.getresponse().status
    connection.close()


class TestOwnRules:
    @pytest.fixture
    def voiso_rules(self) -> Rules:
        return Rules(
            cooldown=0.01, name_index=True, poison=lambda lead: "no" if lead.get("name") == "bad" else None
        )

    async def test_rules_are_the_users_choice(self, voiso_sandbox: Sandbox, voiso_client: VoisoClient) -> None:
        voiso_sandbox.add_campaign(id=3, name="Welcome")
        report = await voiso_client.leads.add(3, ["441632960123", {"phone_number": "441632960124", "name": "bad"}])
        assert [Outcome.CREATED, Outcome.REJECTED] == [outcome.outcome for outcome in report.outcomes]


def test_the_plugin_alone_loads_no_sandbox(pytester: Any) -> None:
    pytester.makepyfile(
        "import sys\n"
        "def test_nothing():\n"
        "    assert not any(name.startswith('voiso_async.sandbox') for name in sys.modules)\n"
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)
