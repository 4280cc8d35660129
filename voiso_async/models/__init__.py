"""Records in the vendor's words: frozen, open to new fields and states, nothing personal in their repr."""

from voiso_async.models.campaigns import (
    AmdVoicemailMessage,
    CallerIdSet,
    Campaign,
    DialLevelOverride,
    VoiceMessage,
    campaign_from,
)
from voiso_async.models.enums import CampaignStatus, CampaignStrategy, OpenEnum
from voiso_async.models.leads import Lead, LeadSource, LeadUpdate
from voiso_async.models.users import ChannelProfile, Ref, SkillLevel, User, WebrtcRingtone, user_from

__all__ = [
    "AmdVoicemailMessage",
    "CallerIdSet",
    "Campaign",
    "CampaignStatus",
    "CampaignStrategy",
    "ChannelProfile",
    "DialLevelOverride",
    "Lead",
    "LeadSource",
    "LeadUpdate",
    "OpenEnum",
    "Ref",
    "SkillLevel",
    "User",
    "VoiceMessage",
    "WebrtcRingtone",
    "campaign_from",
    "user_from",
]
