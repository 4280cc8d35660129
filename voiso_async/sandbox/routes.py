"""Which path and verb lead to which handler, and what the key must hold for it (contract 11)."""

import re
from collections.abc import Awaitable, Callable, Mapping

from attrs import frozen

from voiso_async.sandbox.answers import Answer, refuse
from voiso_async.sandbox.call import Call
from voiso_async.sandbox.campaigns import (
    get_campaign,
    list_campaigns,
    pause_campaign,
    start_campaign,
    stop_campaign,
)
from voiso_async.sandbox.leads import add_leads, update_leads
from voiso_async.sandbox.rules import Rules
from voiso_async.sandbox.scopes import CAMPAIGNS_MANAGE, CAMPAIGNS_READ, USERS_READ
from voiso_async.sandbox.users import (
    add_campaign_users,
    list_campaign_users,
    list_users,
    remove_campaign_user,
)

__all__ = ["Endpoint", "find"]

CAMPAIGN = r"/campaigns/(?P<campaign>[0-9]{1,19})"


@frozen
class Endpoint:
    """One handler and its scope; ``writes_leads`` puts it behind the campaign's gate (rule 12)."""

    scope: str
    handler: Callable[[Call], Awaitable[Answer]]
    writes_leads: bool = False


UPDATE = Endpoint(CAMPAIGNS_MANAGE, update_leads, writes_leads=True)
ROUTES: Mapping[str, Mapping[str, Endpoint]] = {
    r"/campaigns": {"GET": Endpoint(CAMPAIGNS_READ, list_campaigns)},
    CAMPAIGN: {"GET": Endpoint(CAMPAIGNS_READ, get_campaign)},
    CAMPAIGN + "/start": {"POST": Endpoint(CAMPAIGNS_MANAGE, start_campaign)},
    CAMPAIGN + "/pause": {"POST": Endpoint(CAMPAIGNS_MANAGE, pause_campaign)},
    CAMPAIGN + "/stop": {"POST": Endpoint(CAMPAIGNS_MANAGE, stop_campaign)},
    CAMPAIGN + "/leads": {
        "POST": Endpoint(CAMPAIGNS_MANAGE, add_leads, writes_leads=True),
        "PATCH": UPDATE,
        "PUT": UPDATE,
    },
    CAMPAIGN + "/users": {
        "GET": Endpoint(CAMPAIGNS_READ, list_campaign_users),
        "POST": Endpoint(CAMPAIGNS_MANAGE, add_campaign_users),  # contract 2: the scope is assumed
    },
    CAMPAIGN + "/users/(?P<user>[A-Za-z0-9-]+)": {"DELETE": Endpoint(CAMPAIGNS_MANAGE, remove_campaign_user)},
    r"/users": {"GET": Endpoint(USERS_READ, list_users)},
}


def find(method: str, path: str, rules: Rules) -> tuple[Endpoint, dict[str, str]]:
    """Find the endpoint and the ids in its path, or refuse with 404 or 405 (rules 3 and 4)."""
    for pattern, verbs in ROUTES.items():
        if match := re.fullmatch(pattern, path):
            endpoint = verbs.get(method)
            if endpoint is None or (endpoint is UPDATE and method not in rules.update_verbs):
                raise refuse(rules.wrong_verb)
            return endpoint, match.groupdict()
    raise refuse(404)
