"""Leads are plain values: they check nothing, and their repr shows nothing personal."""

import pickle

import attrs
import pytest

from voiso_async.models import Lead, LeadSource, LeadUpdate

PHONE = "441632960101"
NAME = "Quill Zzyzx"
URL = "https://crm.example.net/c/9"


def test_a_lead_takes_its_phone_first_and_the_rest_by_name() -> None:
    lead = Lead(PHONE, name=NAME, source=LeadSource(system="billing"), priority=5, active=False, key="9")
    assert (PHONE, NAME, "billing", None) == (
        lead.phone_number,
        lead.name,
        lead.source and lead.source.system,
        lead.context_headers,
    )
    with pytest.raises(TypeError):
        Lead(PHONE, NAME)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        LeadUpdate(PHONE, NAME)  # type: ignore[call-arg]


def test_nothing_is_checked_when_a_lead_is_made() -> None:
    """The batcher gives each lead its own outcome, so that one bad lead does not stop the others."""
    assert Lead("not a number", priority=0).priority == 0
    assert LeadUpdate("not a number").phone_number == "not a number"


def test_leads_are_values() -> None:
    lead = Lead(PHONE, context_headers={"X-Plan": "gold"})
    other = Lead(PHONE, context_headers={"X-Plan": "silver"})
    assert len({lead, Lead(PHONE, context_headers={"X-Plan": "gold"}), other}) == 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        lead.priority = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "record",
    [
        Lead(PHONE, name=NAME, source=LeadSource(system=NAME), context_headers={"X-Name": NAME}, key=PHONE),
        LeadUpdate(PHONE, name=NAME, source=LeadSource(url=URL), key=PHONE),
        LeadSource(system=NAME, url=URL),
        Lead(int(PHONE)),
    ],
    ids=lambda record: type(record).__name__,
)
def test_no_repr_of_a_lead_shows_anything_personal(record: object) -> None:
    shown = f"{record!r} {record} {[record]}"
    assert [] == [word for word in (PHONE, "Quill", "crm") if word in shown]


def test_a_repr_of_a_lead_still_says_how_it_is_dialled() -> None:
    assert repr(Lead(PHONE, priority=5, active=True)) == "Lead(priority=5, active=True)"


def test_leads_survive_pickle() -> None:
    lead = Lead(PHONE, name=NAME, source=LeadSource(system="billing", url=URL))
    assert lead == pickle.loads(pickle.dumps(lead))  # noqa: S301 - our own bytes
