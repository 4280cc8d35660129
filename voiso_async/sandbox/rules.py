"""The rules of the Voiso API; where its documentation is unclear, a setting chooses between the readings."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import field, frozen
from attrs.validators import in_

COOLDOWN_SECONDS = 2.0
MAX_LEADS = 1000
MAX_PAGE = 100
MAX_USER_IDS = 100

Lead = Mapping[str, Any]


@frozen(kw_only=True)
class Limit:
    """The general rate limit: at most ``requests`` in any ``seconds``; the next one is a 429.

    ``retry_after`` is sent as the header of that name, in seconds or as any text; ``None`` sends no header.
    """

    requests: int
    seconds: float
    retry_after: float | str | None = None


@frozen(kw_only=True)
class Rules:
    """What this Voiso requires and how it replies; change it at run time with ``attrs.evolve``.

    Times are seconds. The defaults are what Voiso documents, or the likelier reading of it.
    """

    cooldown: float = COOLDOWN_SECONDS
    """From the end of one lead request to the start of the next one for the same campaign."""
    max_leads: int = MAX_LEADS
    max_page: int = MAX_PAGE
    max_user_ids: int = MAX_USER_IDS
    max_body: int | None = None
    """Bytes; larger bodies get a 413. ``None`` means 32 MiB."""

    busy_status: Literal[409, 429] = field(default=409, validator=in_((409, 429)))
    """The status of a lead request that came too early."""
    busy_retry_after: float | str | None = None
    wrong_verb: Literal[404, 405] = field(default=404, validator=in_((404, 405)))
    live_required: bool = False
    """Lead requests for a campaign that is not live get a 422."""
    stopped_can_start: bool = False
    slow_transitions: float = 0.0
    """How long ``pausing`` and ``stopping`` last; 0 skips them."""
    state_wrapped: bool = False
    """Start, pause and stop reply with ``{"campaign": {...}}`` instead of the bare object."""
    success_status: Literal[200, 201] = field(default=200, validator=in_((200, 201)))
    """The status of adding leads and of adding users."""

    user_id_style: Literal["int", "uuid"] = field(default="int", validator=in_(("int", "uuid")))
    """The ids of users in lists; replies to adding and removing users always have integers."""
    takes_uuids: bool = False
    """Adding and removing users also accepts the UUIDs of lists."""
    unknown_user_status: Literal[404, 422] | None = field(default=404, validator=in_((404, 422, None)))
    """The status for an unknown id in ``user_ids``; ``None`` ignores the id."""

    update_verbs: frozenset[str] = frozenset({"PATCH", "PUT"})
    update_reply: Literal["lists", "bare", "empty"] = field(
        default="lists", validator=in_(("lists", "bare", "empty"))
    )
    """The body of updates: ``leads_import`` with the lists, the bare lists, or none."""
    name_index: bool = True
    """Errors of a lead name its index, as in ``17.phone_number``, or only the field."""
    echo_plus: bool = False
    """Replies write numbers with a leading plus, instead of as sent."""
    repeats_listed: bool = True
    """A number that occurs twice in one batch is also listed under ``duplicates``."""
    do_not_call: frozenset[str] = frozenset()
    """Well-formed numbers that are rejected."""
    poison: Callable[[Lead], str | None] | None = field(default=None, repr=False)
    """A lead for which this returns a text makes the whole request a 422 with that text."""

    clamp_limit: bool = False
    """A ``limit`` above the maximum is reduced to it, instead of a 400."""
    page_cap: int | None = None
    """The largest page, even if ``limit`` is higher."""
    ignore_offset: bool = False
    """Every page is the first page."""
    show_live: bool = False
    """Campaigns also have ``live`` and ``method``, which Voiso documents only as filters."""
    forward_compat: bool = False
    """Replies have unknown fields, new enum values and nulls, as a later version of the API may."""
    decorate: Callable[[Any], Any] | None = field(default=None, repr=False)
    """Changes the decoded body of every success, after everything else."""

    server_time: float = 0.0
    """How long a lead request takes; its campaign is busy until then."""
    per_lead_time: float = 0.0
    """How much each lead adds to ``server_time``."""
    latency: float = 0.0
    """How long every other request takes."""
    limit: Limit | None = None
