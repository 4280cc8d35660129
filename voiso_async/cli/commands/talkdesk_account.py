"""Which Talkdesk account the commands mean."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import anyio
from attrs import frozen
from cyclopts import Parameter

from voiso_async.cli.common import GROUPS, Connection
from voiso_async.cli.units import TextId
from voiso_async.talkdesk import TalkdeskClient

CampaignId = Annotated[TextId, Parameter(help="Id of the Talkdesk campaign.")]


@Parameter(name="*", group=GROUPS["Connection"])
@frozen(kw_only=True)
class Account:
    """Which Talkdesk account, and as which client; a secret is never an argument, other users could read it."""

    talkdesk_account: str | None = None
    """Name of the account, before .talkdeskid.com; else TALKDESK_ACCOUNT."""
    talkdesk_region: str | None = None
    """Region of the account: us, eu or ca; else TALKDESK_REGION."""
    talkdesk_client_id: str | None = None
    """Id of the OAuth client; else TALKDESK_CLIENT_ID."""
    talkdesk_secret_file: Path | None = None
    """File that holds the client's secret; else TALKDESK_CLIENT_SECRET holds it."""
    talkdesk_key_file: Path | None = None
    """File that holds a private key in place of a secret; else TALKDESK_PRIVATE_KEY holds it."""
    talkdesk_key_id: str | None = None
    """Id of the private key; else TALKDESK_KEY_ID."""

    def client(self) -> TalkdeskClient:
        """Make the client, or say which setting is missing."""
        return TalkdeskClient(
            self.talkdesk_account,
            region=self.talkdesk_region,
            client_id=self.talkdesk_client_id,
            client_secret=_held(
                self.talkdesk_secret_file, "TALKDESK_CLIENT_SECRET_FILE", "TALKDESK_CLIENT_SECRET"
            ),
            private_key=_held(self.talkdesk_key_file, "TALKDESK_PRIVATE_KEY_FILE", "TALKDESK_PRIVATE_KEY"),
            key_id=self.talkdesk_key_id,
        )


OF_ENVIRONMENT = Account()


def _held(path: Path | None, file_variable: str, variable: str) -> str | None:
    """Read a secret from the file that was named; the environment's own is left to the client."""
    if path is None and not os.environ.get(variable) and (named := os.environ.get(file_variable)):
        path = Path(named)
    return None if path is None else Connection(key_file=path).key()


@asynccontextmanager
async def account_client(account: Account | TalkdeskClient) -> AsyncIterator[TalkdeskClient]:
    """Open a client, and close it whatever happens."""
    client = account if isinstance(account, TalkdeskClient) else account.client()
    try:
        yield client
    finally:
        with anyio.CancelScope(shield=True):
            await client.aclose()
