"""What a caller hands over: leads to add, and changes to leads.

Nothing is checked here: the batcher checks each lead and gives each its own outcome.
"""

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class LeadSource:
    """Where a lead came from: the name of a system, and the address of its record there."""

    system: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)


@frozen
class Lead:
    """One lead to add; ``priority`` is 1 to 1000 and a lower one is dialled earlier.

    ``context_headers`` become SIP headers, so their names begin with ``X-``. ``key`` is the caller's own: it comes
    back on the outcome and is never sent. The repr shows nothing personal.
    """

    phone_number: str | int = field(repr=False)
    name: str | None = field(default=None, kw_only=True, repr=False)
    source: LeadSource | None = field(default=None, kw_only=True, repr=False)
    priority: int | None = field(default=None, kw_only=True)
    active: bool | None = field(default=None, kw_only=True)
    context_headers: Mapping[str, str] | None = field(default=None, kw_only=True, repr=False, hash=False)
    key: str | None = field(default=None, kw_only=True, repr=False)


@frozen
class LeadUpdate:
    """A change to one lead, found by its phone number; a field left out stays as it is.

    ``active=False`` stops the dialling of a lead. ``key`` is the caller's own: it comes back on the outcome and is
    never sent. The repr shows nothing personal.
    """

    phone_number: str | int = field(repr=False)
    name: str | None = field(default=None, kw_only=True, repr=False)
    source: LeadSource | None = field(default=None, kw_only=True, repr=False)
    active: bool | None = field(default=None, kw_only=True)
    priority: int | None = field(default=None, kw_only=True)
    key: str | None = field(default=None, kw_only=True, repr=False)
