"""States and kinds are open: the vendor may add to them."""

import copy
import pickle
from typing import Any

import pytest

from voiso_async.models import CampaignStatus, CampaignStrategy

ENUMS = [CampaignStatus, CampaignStrategy]


@pytest.mark.row(70)
@pytest.mark.parametrize("enum", ENUMS)
def test_an_unlisted_value_is_a_member_equal_to_its_text(enum: Any) -> None:
    member = enum("brand_new")
    assert isinstance(member, enum)
    assert ("brand_new", "brand_new", "UNLISTED") == (str(member), member.value, member.name)
    assert member == "brand_new" == f"{member}"
    assert {"brand_new": 1}[member] == 1
    assert enum("brand_new") == member != enum("another")


@pytest.mark.parametrize("enum", ENUMS)
def test_an_unlisted_value_leaves_no_trace_in_its_enum(enum: Any) -> None:
    before = list(enum)
    enum("brand_new")
    assert before == list(enum)
    assert "brand_new" not in enum.__members__.values()


@pytest.mark.parametrize("text", ["paused", "brand_new", ""])
def test_a_state_survives_pickle_and_copy(text: str) -> None:
    state = CampaignStatus(text)
    for twin in (pickle.loads(pickle.dumps(state)), copy.copy(state), copy.deepcopy(state)):  # noqa: S301 - our own
        assert state == twin
        assert isinstance(twin, CampaignStatus)


@pytest.mark.parametrize("value", [None, 3, b"paused", ["paused"]])
def test_what_is_no_text_is_no_state(value: Any) -> None:
    with pytest.raises(ValueError, match="is not a valid CampaignStatus"):
        CampaignStatus(value)


def test_the_states_are_the_vendor_s() -> None:
    words = (
        "draft active paused stopping completed processing stopped auto_paused pausing auto_pausing import_error"
    )
    assert words.split() == list(CampaignStatus)


def test_four_states_are_in_transition() -> None:
    moving = {state for state in (*CampaignStatus, CampaignStatus("brand_new")) if state.in_transition}
    assert moving == {"pausing", "auto_pausing", "stopping", "processing"}
