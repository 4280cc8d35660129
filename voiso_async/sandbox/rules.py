"""Every number and every switch of the sandbox: where the documents are silent, both readings can be had."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from attrs import field, frozen
from attrs.validators import in_

__all__ = ["Limit", "Rules"]

COOLDOWN_SECONDS = 2.0  # contract 6.3
MAX_LEADS = 1000  # contract 6.3
MAX_PAGE = 100  # contract 4
MAX_USER_IDS = 100  # contract 8.2

Lead = Mapping[str, Any]


@frozen(kw_only=True)
class Limit:
    """The general limiter: at most ``requests`` in any ``seconds``; the next one is a 429 (contract 3).

    ``retry_after`` is sent as the header of that name, in seconds or as any text; ``None`` sends no header.
    """

    requests: int
    seconds: float
    retry_after: float | str | None = None


@frozen(kw_only=True)
class Rules:
    """What this Voiso demands and how it answers; change it at run time with ``attrs.evolve``.

    Seconds everywhere. The defaults are those of contract section 14.
    """

    cooldown: float = COOLDOWN_SECONDS
    """From the end of one lead call to the beginning of the next one of the same campaign."""
    max_leads: int = MAX_LEADS
    max_page: int = MAX_PAGE
    max_user_ids: int = MAX_USER_IDS
    max_body: int | None = None
    """Larger bodies get a 413; ``None`` leaves only the sandbox's own bound of 32 MiB."""

    busy_status: Literal[409, 429] = field(default=409, validator=in_((409, 429)))
    """contract 12.4: the code of the refusal of a lead call that came too early."""
    busy_retry_after: float | str | None = None
    wrong_verb: Literal[404, 405] = field(default=404, validator=in_((404, 405)))
    live_required: bool = False
    """Lead calls to a campaign that is not live get a 422 (contract 12.8)."""
    stopped_can_start: bool = False
    slow_transitions: float = 0.0
    """How long ``pausing`` and ``stopping`` last before ``paused`` and ``stopped``; 0 skips them."""
    state_wrapped: bool = False
    """State calls answer ``{"campaign": {...}}`` instead of the bare object (contract 12.1)."""
    success_status: Literal[200, 201] = field(default=200, validator=in_((200, 201)))
    """contract 12.7: the code of adding leads and of adding users."""

    user_id_style: Literal["int", "uuid"] = field(default="int", validator=in_(("int", "uuid")))
    """contract 12.2: the ids in list answers; the short users of add and remove keep their integers."""
    takes_uuids: bool = False
    """Adding and removing users also takes the UUID texts of the list answers."""
    unknown_user_status: Literal[404, 422] | None = field(default=404, validator=in_((404, 422, None)))
    """contract 8.2: what an unknown id among ``user_ids`` gives; ``None`` leaves it out in silence."""

    update_verbs: frozenset[str] = frozenset({"PATCH", "PUT"})
    update_answer: Literal["lists", "bare", "empty"] = field(
        default="lists", validator=in_(("lists", "bare", "empty"))
    )
    """contract 7: lists in ``leads_import``, the lists themselves, or no body at all."""
    name_index: bool = True
    """Errors about a lead name its index, as in ``17.phone_number``; else the field alone."""
    echo_plus: bool = False
    """Numbers come back with a leading plus (contract 12.3: as sent or normalised is not said)."""
    repeats_listed: bool = True
    """A number that is repeated in one batch is also listed under ``duplicates``."""
    do_not_call: frozenset[str] = frozenset()
    """Well-formed numbers that are rejected all the same."""
    poison: Callable[[Lead], str | None] | None = field(default=None, repr=False)
    """A lead for which this returns a text makes the whole request a 422 with that text."""

    clamp_limit: bool = False
    """A ``limit`` above the maximum is cut instead of refused (contract 4)."""
    page_cap: int | None = None
    """No page is longer than this, whatever ``limit`` asked for and was granted."""
    ignore_offset: bool = False
    """Every page is the first page."""
    show_live: bool = False
    """Campaigns also carry ``live`` and ``method``, which the documents show as filters only."""
    surprises: bool = False
    """Answers carry unknown fields, new enum values and nulls (rule 26)."""
    decorate: Callable[[Any], Any] | None = field(default=None, repr=False)
    """The last word on the body of every success."""

    server_time: float = 0.0
    """How long a lead call is being processed, its campaign busy meanwhile."""
    per_lead_time: float = 0.0
    """What each lead adds to ``server_time``."""
    latency: float = 0.0
    """How long every other call takes."""
    limit: Limit | None = None
