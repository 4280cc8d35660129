"""``voiso users``: everybody who can sign in."""

from typing import Annotated

from cyclopts import App, Parameter

from voiso_async.cli.common import FROM_ENVIRONMENT, Connection, Json, connected
from voiso_async.cli.render.listing import Limit, show_listing, show_users

users: App = App(name="users", help="Find the users of the contact centre.")


@users.command(name="list")
async def list_users(
    *,
    name: Annotated[str | None, Parameter(help="Only those with this name.")] = None,
    email: Annotated[str | None, Parameter(help="Only those with this address.")] = None,
    extension: Annotated[str | None, Parameter(help="Only those with this extension.")] = None,
    caller_id: Annotated[str | None, Parameter(help="Only those who show this number.")] = None,
    sip_account: Annotated[str | None, Parameter(help="Only those with this account, user@domain.")] = None,
    security_access_group_id: Annotated[int | None, Parameter(help="Only those of this access group.")] = None,
    timezone: Annotated[str | None, Parameter(help="Only those in this zone, such as Europe/London.")] = None,
    limit: Limit = None,
    json: Json = False,
    connection: Connection = FROM_ENVIRONMENT,
) -> None:
    """List users; with --json one a line. The key needs the scope users.read."""
    async with connected(connection) as voiso:
        found = voiso.users.list(
            name=name,
            email=email,
            sip_account=sip_account,
            security_access_group_id=security_access_group_id,
            extension=extension,
            caller_id=caller_id,
            timezone=timezone,
        )
        await show_listing(found, show_users, "user", limit=limit, json=json)
