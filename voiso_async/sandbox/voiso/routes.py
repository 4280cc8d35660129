"""Which path and method lead to which endpoint of Voiso, and which scope the key needs for it."""

from voiso_async.sandbox.handler import Endpoint, RequestHandler, Routes, find_endpoint
from voiso_async.sandbox.replies import field_errors, http_error
from voiso_async.sandbox.voiso.campaigns import (
    get_campaign,
    list_campaigns,
    pause_campaign,
    start_campaign,
    stop_campaign,
)
from voiso_async.sandbox.voiso.leads import add_leads, update_leads
from voiso_async.sandbox.voiso.request import VoisoRequest
from voiso_async.sandbox.voiso.users import (
    add_campaign_users,
    list_campaign_users,
    list_users,
    remove_campaign_user,
)

ROOT = "/api/v4"
READABLE = ("*/*", "application/*", "application/json", "json")  # any other Accept header is a 406
CAMPAIGNS_READ = "campaigns.read"
CAMPAIGNS_MANAGE = "campaigns.manage"
USERS_READ = "users.read"
ALL_SCOPES = frozenset({CAMPAIGNS_READ, CAMPAIGNS_MANAGE, USERS_READ})

CAMPAIGN = r"/campaigns/(?P<campaign>[0-9]{1,19})"
UPDATE = Endpoint(CAMPAIGNS_MANAGE, update_leads, writes_leads=True)
ROUTES: Routes = {
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
        "POST": Endpoint(CAMPAIGNS_MANAGE, add_campaign_users),  # Voiso names no scope: this one is assumed
    },
    CAMPAIGN + "/users/(?P<user>[A-Za-z0-9-]+)": {"DELETE": Endpoint(CAMPAIGNS_MANAGE, remove_campaign_user)},
    r"/users": {"GET": Endpoint(USERS_READ, list_users)},
}


class VoisoHandler(RequestHandler):
    """Handles one request to Voiso; the order of its checks is the order of the errors."""

    def _keys(self) -> dict[str, set[str]]:
        return self._state.keys

    def _accept(self, key: str | None) -> tuple[Endpoint, VoisoRequest]:
        if key is None or key not in self._keys():
            raise http_error(401)
        if not self.http_request.raw_path.startswith(ROOT + "/"):
            raise http_error(404)
        method, wrong_method = self.http_request.method, self.rules.wrong_verb
        endpoint, ids = find_endpoint(ROUTES, method, self.exchange.path, wrong_method=wrong_method)
        if endpoint is UPDATE and method not in self.rules.update_verbs:
            raise http_error(wrong_method)
        if endpoint.scope not in self._keys()[key]:
            raise http_error(403)
        request = VoisoRequest(state=self._state, rules=self.rules, query=self._query, ids=ids)
        if "campaign" in ids:
            self._start_lead_request(endpoint, request)
        accepted = self.http_request.headers.get("Accept", READABLE[0])
        if not any(kind in accepted for kind in READABLE):
            raise field_errors(406, {"accept": ["must allow application/json"]})
        return endpoint, request

    def _start_lead_request(self, endpoint: Endpoint, request: VoisoRequest) -> None:
        campaign = request.campaign  # an unknown campaign is a 404 for every endpoint
        if endpoint.writes_leads:
            started = campaign.pacing.start(self.exchange.began, self.rules.cooldown)
            self._lead_request = request.lead_request = started
            self._state.too_early += started.early
            self._record(early=started.early)
