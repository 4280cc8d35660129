"""Records speak the vendor's words, are open to new ones, and show nothing personal."""

import copy
import pickle
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_records import CAMPAIGN, NAME, PERSONAL, PHONE, USER

from voiso_async.convert import structure, unstructure
from voiso_async.errors import ResponseError
from voiso_async.models import (
    AmdVoicemailMessage,
    CallerIdSet,
    Campaign,
    CampaignStatus,
    CampaignStrategy,
    ChannelProfile,
    DialLevelOverride,
    Ref,
    SkillLevel,
    User,
    VoiceMessage,
    WebrtcRingtone,
    campaign_from,
    user_from,
)


def test_a_full_campaign_is_read_field_by_field() -> None:
    expected = Campaign(
        id=71,
        name="Renewals north",
        status=CampaignStatus.AUTO_PAUSED,
        strategy=CampaignStrategy.PREDICTIVE_AI,
        method="api",
        live=True,
        dial_level=2,
        dial_level_override=DialLevelOverride(enabled=True, value=1.2, active_agents_threshold=2),
        max_dial_time=40,
        max_wait_time=4,
        max_dial_attempts=5,
        amd_enabled=False,
        amd_voicemail_message=AmdVoicemailMessage(
            enabled=True, voice_message=VoiceMessage(type="voice_message", name=NAME)
        ),
        caller_id_sets=(CallerIdSet(phone_numbers=(PHONE,)),),
        use_local_caller_id=False,
        asr_optimization_enabled=True,
        follow_up_mode="timer",
        created_at=datetime(2026, 2, 3, 8, tzinfo=UTC),
        updated_at=datetime(2026, 2, 4, 9, 30, 0, 250_000, tzinfo=UTC),
    )
    assert expected == structure(CAMPAIGN, Campaign)


def test_a_full_user_is_read_field_by_field() -> None:
    expected = User(
        id="5f0c2f7e-0d9a-4d1c-9a43-0e8f3b1f7a10",
        name=NAME,
        email="quill@example.com",
        sip_account="quill@sip.example.com",
        extension="231",
        caller_id=PHONE,
        employee_id="quill-7",
        timezone="Europe/Lisbon",
        speech_language="pt",
        status="available",
        security_access_group=Ref(id=1, name=NAME),
        teams=(Ref(id=2, name=NAME),),
        supervised_teams=(),
        queues=(Ref(id=3, name=NAME),),
        supervised_queues=(Ref(id=4, name=NAME),),
        webrtc_ringtone=WebrtcRingtone(type="default", name=NAME),
        channels=("voice", "chat"),
        channel_group_capacity={"chat": 3, "instant": 2},
        channel_profiles=(ChannelProfile(id=5, channel="whatsapp", identifier=PHONE, name=NAME),),
        skills=(SkillLevel(skill=Ref(id=6, name=NAME), value=80),),
        created_at=datetime(2026, 2, 3, 8, tzinfo=UTC),
        updated_at=datetime(2026, 2, 3, 8, 0, 0, 123_000, tzinfo=UTC),
        deleted_at=datetime(2026, 3, 1, tzinfo=UTC),
    )
    assert expected == structure(USER, User)


RECORDS = [pytest.param(CAMPAIGN, Campaign, id="campaign"), pytest.param(USER, User, id="user")]


@pytest.mark.parametrize(("wire", "cls"), RECORDS)
def test_a_record_comes_back_as_it_was(wire: dict[str, Any], cls: Any) -> None:
    assert wire == unstructure(structure(wire, cls))


@pytest.mark.row(70)
@pytest.mark.parametrize(("wire", "cls"), RECORDS)
def test_everything_but_the_id_may_be_null_or_missing(wire: dict[str, Any], cls: Any) -> None:
    nulls = dict.fromkeys(wire) | {"id": 3}
    assert cls(id=3) == structure(nulls, cls) == structure({"id": 3}, cls)
    assert all(value is None for name, value in attrs.asdict(cls(id=3)).items() if name not in {"id", "extra"})


@pytest.mark.row(70)
@pytest.mark.parametrize(("wire", "cls"), RECORDS)
def test_new_fields_are_kept_and_change_neither_equality_nor_repr(wire: dict[str, Any], cls: Any) -> None:
    grown = structure(wire | {"score": [1], "extra": "x"}, cls)
    assert {"score": [1], "extra": "x"} == grown.extra
    assert structure(wire, cls) == grown
    assert repr(structure(wire, cls)) == repr(grown)


@pytest.mark.parametrize(("wire", "cls"), RECORDS)
def test_records_survive_pickle_and_copy(wire: dict[str, Any], cls: Any) -> None:
    record = structure(wire | {"status": "brand_new", "score": 1}, cls)
    for twin in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record)):  # noqa: S301 - our own bytes
        assert record == twin
        assert record.extra == twin.extra


def test_records_without_unknown_fields_share_an_extra_that_stays_empty() -> None:
    read, made = structure({"id": 1}, Ref), Ref(id=2)
    for record in (read, made, copy.deepcopy(read), pickle.loads(pickle.dumps(made))):  # noqa: S301 - our own bytes
        assert record.extra is read.extra
    with pytest.raises(TypeError):
        read.extra.update(new=1)
    with pytest.raises(TypeError):
        read.extra["new"] = 1
    assert {} == made.extra == structure({"id": 3}, User).extra


@pytest.mark.parametrize("cls", [Campaign, User, Ref, ChannelProfile])
def test_records_hash_by_type_and_id(cls: Any) -> None:
    assert hash(cls(id=3)) == hash(cls(id=3, name="other", extra={"unhashable": []}))
    assert hash(cls(id=3)) != hash(cls(id=4))
    assert len({Campaign(id=3), User(id=3), Ref(id=3), ChannelProfile(id=3)}) == 4
    assert cls(id=3) != cls(id=3, name="other")


def test_a_full_user_can_stand_in_a_set() -> None:
    assert len({structure(USER, User), structure(USER, User)}) == 1


@pytest.mark.parametrize(
    "record",
    [
        structure(CAMPAIGN, Campaign),
        structure(USER, User),
        structure({"id": 1, PHONE: NAME, "extra": PHONE}, User),
    ],
    ids=lambda record: type(record).__name__,
)
def test_no_repr_shows_anything_personal(record: object) -> None:
    for shown in (repr(record), str(record), f"{[record]}"):
        assert [] == [word for word in (*PERSONAL.values(), "quill", "231", "crm") if word in shown]


def test_a_repr_still_tells_records_apart() -> None:
    assert "Campaign(id=71, name='Renewals north', status=<CampaignStatus.AUTO_PAUSED: 'auto_paused'>" in repr(
        structure(CAMPAIGN, Campaign)
    )


@pytest.mark.parametrize("cls", [Campaign, User])
def test_records_are_frozen_and_keyword_only(cls: Any) -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        cls(id=3).name = "other"
    with pytest.raises(AttributeError):
        cls(id=3).invented = 1
    with pytest.raises(TypeError):
        cls(3)


@pytest.mark.row(71)
@pytest.mark.parametrize(
    ("value", "cls", "path"),
    [
        ({"id": "3"}, Campaign, "$.id"),
        ({"id": True}, User, "$.id"),
        ({"id": 1, "live": "false"}, Campaign, "$.live"),
        ({"id": 1, "max_dial_time": 1.5}, Campaign, "$.max_dial_time"),
        ({"id": 1, "status": 3}, Campaign, "$.status"),
        ({"id": 1, "name": 3}, User, "$.name"),
        ({"id": 1, "caller_id_sets": [{"phone_numbers": [441632960101]}]}, Campaign, None),
        ({"id": 1, "skills": [{"skill": {"id": "6"}}]}, User, "$.skills[0].skill.id"),
    ],
)
def test_wrong_scalars_are_refused(value: Any, cls: Any, path: str | None) -> None:
    with pytest.raises(ResponseError) as caught:
        structure(value, cls)
    assert (path or "$.caller_id_sets[0].phone_numbers[0]") == caught.value.path


@pytest.mark.parametrize("identity", [311, "311", "5f0c2f7e-0d9a"])
def test_user_ids_are_kept_as_they_came(identity: int | str) -> None:
    user = structure({"id": identity}, User)
    assert (identity, type(identity)) == (user.id, type(user.id))


@pytest.mark.parametrize(
    ("read", "key", "cls"), [(campaign_from, "campaign", Campaign), (user_from, "user", User)]
)
def test_both_envelopes_are_read(read: Callable[..., Any], key: str, cls: Any) -> None:
    assert cls(id=71) == read({key: {"id": 71}}) == read({"id": 71})


@pytest.mark.parametrize("answer", [None, [], "ok", 3, {}, {"campaign": {}}, {"campaign": [1]}, {"error": "no"}])
def test_an_answer_without_a_campaign_is_refused(answer: Any) -> None:
    with pytest.raises(ResponseError) as caught:
        campaign_from(answer, "POST /campaigns/{campaign_id}/pause")
    assert caught.value.request == "POST /campaigns/{campaign_id}/pause"


def test_a_state_answer_may_be_short() -> None:
    assert Campaign(id=71, status=CampaignStatus.PAUSED) == campaign_from({"id": 71, "status": "paused"})


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def damaged(wire: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from([*wire, "new"]), JSON, max_size=2).map(lambda damage: wire | damage)


@pytest.mark.parametrize(("wire", "cls"), RECORDS)
@given(data=st.data())
def test_a_damaged_answer_gives_a_record_or_a_response_error(
    wire: dict[str, Any], cls: Any, data: st.DataObject
) -> None:
    with suppress(ResponseError):
        record = structure(data.draw(JSON | damaged(wire)), cls)
        assert record == structure(unstructure(record), cls)
