"""The tables, one module a noun; each class mirrors the database, whose truth is the migration."""

from piccolo.table import Table

from service.tables.accounts import Account, AccountGroup, OneTimeToken, RateBucket, StaffSession
from service.tables.audits import Audit
from service.tables.calendar_answers import CalendarAnswer, Ear
from service.tables.day_lists import DayList, DayListSpan
from service.tables.feeds import Feed
from service.tables.groups import PilotProject, WorkingGroup
from service.tables.instance import Instance, LegalText
from service.tables.invitations import Answer, Invitation, PhoneCode
from service.tables.meetings import (
    Document,
    KeptCount,
    KeptPartner,
    Meeting,
    MeetingAudience,
    MeetingGroup,
    MeetingSeats,
)
from service.tables.notices import Notice
from service.tables.operation import Alarm, JobHealth, Restoration, Worker
from service.tables.organisations import Organisation
from service.tables.people import Affiliation, FormerAddress, Membership, Person, Preference
from service.tables.reminders import ReminderRule, ReminderSlot

TABLES: tuple[type[Table], ...] = (
    Instance,
    LegalText,
    WorkingGroup,
    PilotProject,
    Organisation,
    Person,
    Preference,
    FormerAddress,
    Affiliation,
    Membership,
    Account,
    AccountGroup,
    StaffSession,
    OneTimeToken,
    RateBucket,
    Meeting,
    MeetingAudience,
    MeetingGroup,
    MeetingSeats,
    KeptCount,
    KeptPartner,
    Document,
    Invitation,
    Answer,
    PhoneCode,
    CalendarAnswer,
    Ear,
    Feed,
    DayList,
    DayListSpan,
    Notice,
    ReminderRule,
    ReminderSlot,
    Audit,
    JobHealth,
    Worker,
    Alarm,
    Restoration,
)

__all__ = [
    "TABLES",
    "Account",
    "AccountGroup",
    "Affiliation",
    "Alarm",
    "Answer",
    "Audit",
    "CalendarAnswer",
    "DayList",
    "DayListSpan",
    "Document",
    "Ear",
    "Feed",
    "FormerAddress",
    "Instance",
    "Invitation",
    "JobHealth",
    "KeptCount",
    "KeptPartner",
    "LegalText",
    "Meeting",
    "MeetingAudience",
    "MeetingGroup",
    "MeetingSeats",
    "Membership",
    "Notice",
    "OneTimeToken",
    "Organisation",
    "Person",
    "PhoneCode",
    "PilotProject",
    "Preference",
    "RateBucket",
    "ReminderRule",
    "ReminderSlot",
    "Restoration",
    "StaffSession",
    "Worker",
    "WorkingGroup",
]
