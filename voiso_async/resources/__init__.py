"""The API by area: each method is a Request and a type."""

from voiso_async.resources.campaign_users import AddedUsers
from voiso_async.resources.campaigns import Campaigns
from voiso_async.resources.leads import Leads
from voiso_async.resources.users import Users

__all__ = ["AddedUsers", "Campaigns", "Leads", "Users"]
