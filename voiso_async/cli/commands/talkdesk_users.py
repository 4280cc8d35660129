"""``voiso talkdesk bring-users``: the agents of a Talkdesk campaign into a Voiso campaign, by e-mail address."""

from typing import Annotated, Any

from cyclopts import Parameter

from voiso_async.cli import units
from voiso_async.cli.commands.talkdesk_account import OF_ENVIRONMENT, Account, CampaignId, account_client
from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Exit, Json, connected
from voiso_async.cli.render.tables import counted, note, show_json, show_table
from voiso_async.talkdesk.user_sync import Change, ChangeKind, UserPlan, plan_users

WORDS = {
    ChangeKind.ADD: "will be added",
    ChangeKind.KEEP: "is in the campaign",
    ChangeKind.REMOVE: "will be removed",
    ChangeKind.STAY: "is no agent there, and stays",
    ChangeKind.NO_MATCH: "has no user with this address",
    ChangeKind.AMBIGUOUS: "shares this address with others",
    ChangeKind.NO_ADDRESS: "has no address",
    ChangeKind.INACTIVE: "is not active there",
    ChangeKind.GONE: "is not known there any more",
}
DONE = {ChangeKind.ADD: "was added", ChangeKind.REMOVE: "was removed"}


async def bring_users(
    campaign_id: CampaignId,
    /,
    *,
    campaign: Annotated[units.CampaignId, Parameter(help="Id of the Voiso campaign.")],
    remove: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    apply: Annotated[bool, Parameter(negative="", show_default=False)] = False,
    json: Json = False,
    account: Account = OF_ENVIRONMENT,
    connection: Connection = FROM_ENVIRONMENT,
) -> int:
    """Bring the agents of a Talkdesk campaign into a Voiso campaign: who is who, their e-mail addresses tell.

    Without --apply it only says what it would do. The exit code is 0 if every active agent has a user, 3 if some
    have none, or more than one. Needs the scopes campaigns:read and users:read there; campaigns.read, users.read
    and, with --apply, campaigns.manage here.

    Parameters
    ----------
    remove
        Also take out of the Voiso campaign who is no agent of the other.
    apply
        Do it.
    """
    async with account_client(account) as talkdesk, connected(connection) as voiso:
        plan = await plan_users(talkdesk, campaign_id, voiso, campaign, remove=remove)
        if apply:
            await plan.apply(voiso)
    (_show_json if json else _show)(plan, applied=apply)
    return Exit.OK if plan.ok else Exit.NOT_ALL


def _show(plan: UserPlan, *, applied: bool) -> None:
    words = WORDS | DONE if applied else WORDS
    rows = [(*_who(move), words[move.kind]) for move in plan.changes]
    if rows:
        show_table(("NAME", "EMAIL", "AGENT", "USER", ""), rows)
    note(str(plan) or "nobody works in either campaign")
    changes = plan.counts[ChangeKind.ADD] + plan.counts[ChangeKind.REMOVE]
    if not applied and changes:
        note(f"nothing was changed; --apply makes the {counted(changes, 'change')}")


def _who(move: Change) -> tuple[str | None, str | None, str | None, str | None]:
    user = None if move.user is None else str(move.user.id)
    person = move.agent or move.user
    if person is None:
        return (None, None, move.agent_id, user)
    return (person.name, person.email, move.agent_id, user)


def _show_json(plan: UserPlan, *, applied: bool) -> None:
    for move in plan.changes:
        name, email, agent, user = _who(move)
        line: dict[str, Any] = {
            "event": move.kind.value,
            "agent": agent,
            "user": user,
            "name": name,
            "email": email,
        }
        show_json({field: value for field, value in line.items() if value is not None})
    counts = {kind.value: count for kind, count in plan.counts.items()}
    show_json({"event": "plan", "campaign": str(plan.campaign_id), **counts, "applied": applied, "ok": plan.ok})
