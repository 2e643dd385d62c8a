"""Invitations with the partner of their day, and the history of answers."""

from piccolo.columns import (
    UUID,
    BigSerial,
    Boolean,
    Bytea,
    ForeignKey,
    Integer,
    Text,
    Timestamp,
    Timestamptz,
)
from piccolo.columns.defaults import UUID4
from piccolo.table import Table

from service.tables.meetings import Meeting
from service.tables.organisations import Organisation
from service.tables.people import Person


class Invitation(Table, tablename="invitation"):
    """One person asked to one meeting, with the answer that counts now."""

    id = UUID(primary_key=True, default=UUID4())
    handle = UUID(default=UUID4())
    epoch = Integer(default=1)
    renewed_at = Timestamptz(default=None, null=True)
    meeting_id = ForeignKey(Meeting, null=False, default=None)
    person_id = ForeignKey(Person, null=False, default=None)
    organisation_id = ForeignKey(Organisation, default=None)
    role_title = Text()
    state = Text(default="planned")
    channel = Text(default="publish")
    invited_at = Timestamptz(default=None, null=True)
    told_rev = Integer(default=0)
    answer = Text(default=None, null=True)
    answer_way = Text(default=None, null=True)
    answered_at = Timestamptz(default=None, null=True)
    answered_by = UUID(default=None, null=True)
    answered_for = Text()
    is_late = Boolean(default=False)
    deputy_name = Text()
    deputy_email = Text(default=None, null=True)
    note = Text()
    access_needs = Text()
    meal = Text()
    list_consent = Boolean(default=False)
    given_starts_local = Timestamp(default=None, null=True)
    given_mode = Text(default=None, null=True)
    given_town = Text(default=None, null=True)
    has_seat = Boolean(default=False)
    answer_rev = Integer(default=0)
    reply_sequence = Integer(default=None, null=True)
    reply_stamped_at = Timestamptz(default=None, null=True)
    reset_sequence = Integer(default=0)
    changed_at = Timestamptz()
    presence = Text(default=None, null=True)
    created_at = Timestamptz()
    looks_automatic = Boolean(default=False)


class Answer(Table, tablename="answer"):
    """One answer that was given, never changed."""

    id = BigSerial(primary_key=True)
    invitation_id = ForeignKey(Invitation, null=False, default=None)
    answer_rev = Integer(default=None)
    answer = Text()
    way = Text()
    note = Text()
    given_starts_local = Timestamp(default=None, null=True)
    given_mode = Text(default=None, null=True)
    given_town = Text(default=None, null=True)
    is_late = Boolean(default=False)
    answered_for = Text()
    entered_by = UUID(default=None, null=True)
    answered_at = Timestamptz(default=None)
    looks_automatic = Boolean(default=False)


class PhoneCode(Table, tablename="phone_code"):
    """A short code that opens an answer page once."""

    id = UUID(primary_key=True, default=UUID4())
    invitation_id = ForeignKey(Invitation, null=False, default=None)
    meeting_id = ForeignKey(Meeting, null=False, default=None)
    code_hash = Bytea(default=None)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    used_at = Timestamptz(default=None, null=True)
